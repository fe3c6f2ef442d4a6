"""mlpde sweep: its options, or a TOML file of the same, and what it says."""

from __future__ import annotations

import re
import shlex
import signal
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mlpde.errors import InputError
from mlpde.parallel import ranks

KEYS = {"cases": list, "seeds": list, "solvers": dict, "workers": int, "out": str, "slurm": dict}
SLURM_KEYS = {"partition": str, "account": str, "time": int}
ENDED = 128 + signal.SIGTERM  # the exit code, as shells give it


def sweep(
    cases: Annotated[
        list[str], typer.Argument(metavar="CASE...", help="Cases, or one TOML file (see below).")
    ],
    solver: Annotated[list[str], typer.Option("--solver", help="May be given several times.")] = [],  # noqa: B006
    settings: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="SOLVER.KEY=VALUES",
            help="Values to try, with commas between: rfm.features=100,200. A value that is a tuple is written 4x2.",
        ),
    ] = [],  # noqa: B006
    seed: Annotated[list[int], typer.Option(help="May be given several times.")] = [],  # noqa: B006
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="The sweep's folder, by default runs/sweep.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="How many runs at a time, by default 1; by Slurm: jobs at a time."),
    ] = None,
    slurm: Annotated[bool, typer.Option("--slurm", help="Make the runs by Slurm, one job each.")] = False,
    partition: Annotated[str | None, typer.Option(help="Slurm's partition.")] = None,
    account: Annotated[str | None, typer.Option(help="Slurm's account.")] = None,
    time: Annotated[
        int | None, typer.Option(min=1, help="Minutes that Slurm gives a run, by default 60.")
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            metavar="K/N",
            help="Only the K-th of N parts, from 0/N on, as in a job array; without the report.",
        ),
    ] = None,
) -> None:
    """Solve cases by solvers with several settings and seeds: many runs, one report.

    Example: mlpde sweep square_poisson l_shape --solver rfm --solver pinn --set rfm.features=100,200
    --seed 0 --seed 1 --out runs/sweep --workers 2

    Each run is one `mlpde solve` into DIR/runs, its output in DIR/logs. The same command again makes the runs that are
    missing, from their checkpoints; so Ctrl-C loses nothing. With more or fewer cases, settings or seeds it makes what
    is new and keeps what stays the same. Where a case has no exact solution, its finite element reference is solved
    first. The report, metrics.json and runs.csv have medians and worst values over the seeds.
    Exit code 1: a run has no result; the report says which, why, and where its log is.

    The same as a file, `mlpde sweep sweep.toml`:

    \b
    cases = ["square_poisson", "l_shape"]
    seeds = [0, 1]
    workers = 2
    out = "runs/sweep"
    \\[solvers.rfm]
    features = [100, 200]          # a list: the values to try
    partition = [[2, 2], [4, 2]]   # of tuples: a list of lists
    \\[solvers.pinn]
    \\[slurm]                       # only if Slurm is to make the runs
    partition = "cpu"
    time = 60
    """
    from mlpde.results import check_cache
    from mlpde.sweep import collect, local, plan
    from mlpde.sweep import slurm as by_slurm
    from mlpde.sweep.report import write_report

    if ranks() > 1:
        raise InputError("mlpde sweep starts its own processes: start it without mpiexec")
    jobs = {"partition": partition, "account": account, "time": time}
    jobs = {key: value for key, value in jobs.items() if value is not None}
    if jobs and not slurm:
        raise InputError(f"--{next(iter(jobs))} is Slurm's: give --slurm as well")
    if any(name.endswith(".toml") for name in cases):
        if len(cases) > 1 or solver or settings or seed or slurm:
            raise InputError("a TOML file has the whole sweep: only --out, --workers and --part go with it")
        order = read(Path(cases[0]))
    else:
        order = {"cases": cases, "solvers": _settings(solver, settings), "seeds": seed or [0]}
        order |= {"slurm": jobs} if slurm else {}
    chosen = {
        name: {k: plan.texts(v) for k, v in values.items()} for name, values in order["solvers"].items()
    }
    wanted = plan.plan(order["cases"], chosen, order["seeds"])
    options = by_slurm.Slurm(**order["slurm"]) if "slurm" in order else None
    runs = wanted.all_runs if part is None else _part(part, wanted.all_runs)
    if options is not None and (why := by_slurm.trouble(options.partition)):
        raise InputError(f"--slurm: {why}, or leave it out and the runs are made on this machine")
    check_cache()
    folder = out or Path(order.get("out", "runs/sweep"))
    plan.claim(folder, wanted)
    signal.signal(signal.SIGTERM, _ended)  # Slurm's when the time is over; PETSc would report a crash
    with local.alone(folder, part is not None):
        codes = _make(folder, runs, workers or order.get("workers", 1), options)
        if part is not None:
            for run in (run for run, code in codes.items() if code):
                typer.echo(f"{run.name} has no result, see {local.log_of(folder, run)}")
            raise typer.Exit(int(any(codes.values())))
        metrics = collect.collect(folder, wanted, codes, shlex.join(["mlpde", *sys.argv[1:]]))
        collect.write(folder, metrics)
        for sentence in write_report(folder, metrics):
            typer.echo(sentence)
        if left := local.others(folder, wanted.all_runs):
            names = ", ".join(left[:3]) + (", ..." if len(left) > 3 else "")
            typer.echo(
                f"not asked for any more and left alone, {len(left)} in {folder / local.RUNS}: {names}"
            )
        typer.echo(f"report: {folder / 'report.html'}")
    if metrics["failed"]:
        raise typer.Exit(1)


def _make(folder: Path, runs: Sequence[Any], workers: int, options: Any) -> dict[Any, int]:
    """Make what is missing of the runs, and give its exit codes."""
    from mlpde.progress import displays
    from mlpde.sweep import local
    from mlpde.sweep.slurm import run_by_slurm

    missing = [run for run in runs if not local.is_done(folder, run)]
    total = len(runs)
    typer.echo(f"{total - len(missing)} of {total} runs are done, {len(missing)} to make", err=True)
    if not missing:
        return {}
    with displays() as display:
        show = local.progress(total, total - len(missing), display("sweep"))
        try:
            if options is None:
                return local.run_here(missing, folder, workers, show)
            return run_by_slurm(missing, folder, workers, options, show)
        except (KeyboardInterrupt, SystemExit) as end:
            done = sum(local.is_done(folder, run) for run in runs)
            typer.echo(
                f"stopped: {done} of {total} runs are done; the same command makes the others", err=True
            )
            raise typer.Exit(130 if isinstance(end, KeyboardInterrupt) else ENDED) from None


def _ended(*_: Any) -> None:
    raise SystemExit(ENDED)


def _part(text: str, runs: Sequence[Any]) -> Sequence[Any]:
    """The runs of the part that "K/N" names: the K-th, and from there every N-th."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None or not int(found[1]) < int(found[2]):
        raise InputError(f"--part {text}: K/N is expected with K less than N, as in --part 0/4")
    return runs[int(found[1]) :: int(found[2])]


def _settings(solvers: Sequence[str], settings: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """Values to try by solver and setting; commas within brackets belong to a value."""
    if not solvers:
        raise InputError("a sweep needs at least one solver, as in --solver rfm")
    if len(set(solvers)) < len(solvers):
        raise InputError(f"a solver is given twice: {', '.join(solvers)}")
    found: dict[str, dict[str, list[str]]] = {name: {} for name in solvers}
    for text in settings:
        key, equals, values = text.partition("=")
        owner, dot, option = key.rpartition(".")
        owner = owner if dot else solvers[0]
        if not equals or not option or not values:
            raise InputError(f"--set {text}: SOLVER.KEY=VALUES is expected, as in --set rfm.features=100,200")
        if not dot and len(solvers) > 1:
            raise InputError(f"--set {text}: say which solver it is for, as in --set {owner}.{text}")
        if owner not in found:
            raise InputError(f"--set {text}: {owner!r} is not among the solvers {', '.join(solvers)}")
        if option in found[owner]:
            raise InputError(
                f"--set {text}: {owner}.{option} is given twice; write its values with commas between"
            )
        found[owner][option] = re.split(r",(?![^(\[]*[)\]])", values)
    return found


def read(path: Path) -> dict[str, Any]:
    """A sweep from a TOML file; InputError that names every wrong key."""
    try:
        order = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} cannot be read as TOML: {error}") from error
    wrong = _wrong(order, KEYS, "") + _wrong(order.get("slurm", {}), SLURM_KEYS, "slurm.")
    solvers = order.get("solvers")
    wrong += [
        f"solvers.{name} is no table"
        for name, values in _table(solvers).items()
        if not isinstance(values, dict)
    ]
    wrong += [f"{key} is missing" for key in ("cases", "solvers") if key not in order]
    cases, workers = order.get("cases"), order.get("workers", 1)
    if isinstance(cases, list) and not all(isinstance(case, str) for case in cases):
        wrong.append("cases are not all texts")
    if isinstance(workers, int) and workers < 1:
        wrong.append("workers is less than 1")
    if wrong:
        raise InputError(
            f"{path}: {'; '.join(wrong)} (keys: {', '.join(KEYS)}; of slurm: {', '.join(SLURM_KEYS)})"
        )
    return {"seeds": [0], **order}


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _wrong(given: Any, valid: dict[str, type], prefix: str) -> list[str]:
    kinds = {list: "list", dict: "table", int: "whole number", str: "text"}
    return [
        f"unknown key {prefix}{key}" if key not in valid else f"{prefix}{key} is no {kinds[valid[key]]}"
        for key, value in _table(given).items()
        if key not in valid or not isinstance(value, valid[key]) or isinstance(value, bool)
    ]
