"""mlpde sweep: its options, or a TOML file of the same, and what it says."""

from __future__ import annotations

import re
import shlex
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
) -> None:
    """Solve cases by solvers with several settings and seeds: many runs, one report.

    Example: mlpde sweep square_poisson l_shape --solver rfm --solver pinn --set rfm.features=100,200
    --seed 0 --seed 1 --out runs/sweep --workers 2

    Each run is one `mlpde solve` into DIR/runs, its output in DIR/logs. The same command again makes the runs that are
    missing, from their checkpoints; so Ctrl-C loses nothing. Where a case has no exact solution, its finite element
    reference is solved first. The report, metrics.json and runs.csv have medians and worst values over the seeds.

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
    from mlpde.sweep import local, plan
    from mlpde.sweep import slurm as by_slurm

    if ranks() > 1:
        raise InputError("mlpde sweep starts its own processes: start it without mpiexec")
    jobs = {"partition": partition, "account": account, "time": time}
    jobs = {key: value for key, value in jobs.items() if value is not None}
    if jobs and not slurm:
        raise InputError(f"--{next(iter(jobs))} is Slurm's: give --slurm as well")
    if any(name.endswith(".toml") for name in cases):
        if len(cases) > 1 or solver or settings or seed or slurm:
            raise InputError("a TOML file has the whole sweep: only --out and --workers go with it")
        order = read(Path(cases[0]))
    else:
        order = {"cases": cases, "solvers": _settings(solver, settings), "seeds": seed or [0]}
        order |= {"slurm": jobs} if slurm else {}
    chosen = {
        name: {k: plan.texts(v) for k, v in values.items()} for name, values in order["solvers"].items()
    }
    wanted = plan.plan(order["cases"], chosen, order["seeds"])
    if "slurm" in order:
        by_slurm.check_slurm()
    folder = out or Path(order.get("out", "runs/sweep"))
    many = workers or order.get("workers", 1)
    plan.claim(folder, wanted)
    with local.alone(folder):
        failed = _make(folder, wanted, many, by_slurm.Slurm(**order["slurm"]) if "slurm" in order else None)
    if failed:
        raise typer.Exit(1)


def _make(folder: Path, wanted: Any, workers: int, options: Any) -> bool:
    """Make what is missing, and the report; True if a run has no result."""
    from mlpde.progress import displays
    from mlpde.sweep import local
    from mlpde.sweep.slurm import run_by_slurm

    missing = [run for run in wanted.all_runs if not local.is_done(folder, run)]
    total = len(wanted.all_runs)
    typer.echo(f"{total - len(missing)} of {total} runs are done, {len(missing)} to make", err=True)
    codes: dict[Any, int] = {}
    if missing:
        with displays() as display:
            show = local.progress(total, total - len(missing), workers, display("sweep"))
            try:
                if options is None:
                    codes = local.run_here(missing, folder, workers, show)
                else:
                    codes = run_by_slurm(missing, folder, workers, options, show)
            except KeyboardInterrupt:
                done = sum(local.is_done(folder, run) for run in wanted.all_runs)
                typer.echo(
                    f"stopped: {done} of {total} runs are done; the same command makes the others", err=True
                )
                raise typer.Exit(130) from None
    from mlpde.sweep import collect, report

    command = shlex.join(["mlpde", *sys.argv[1:]])
    metrics = collect.collect(folder, wanted, codes, command)
    collect.write(folder, metrics)
    if metrics["cases"]:
        for sentence in report.write_report(folder, metrics, command):
            typer.echo(sentence)
        typer.echo(f"report: {folder / 'report.html'}")
    else:
        for one in metrics["failed"]:
            typer.echo(f"{one['run']} has no result: {one['why']}, see {folder / one['log']}")
    return bool(metrics["failed"])


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
