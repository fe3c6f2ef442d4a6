"""The command line: mlpde list | show | solve | compare | sweep | report | bench | doctor.

Exit code 0: done, and every --require met; 1: a requirement missed; 2: bad input, one sentence on stderr.
"""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from geometry.errors import GeometryError
from mlpde import __version__, case_files
from mlpde.conditions import as_tuple
from mlpde.doctor.command import doctor
from mlpde.errors import InputError, unknown
from mlpde.parallel import one_voice, ranks, refuse_strangers
from mlpde.problem import Case, SemilinearParabolic
from mlpde.solvers import SOLVERS
from mlpde.sweep.command import sweep

MEASURES = ("l2", "h1", "max")
app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Solve a PDE, written once in UFL, by finite elements and by machine learning, and compare.\n\n"
    "[bold]Start with[/bold]  mlpde list;  mlpde show plate_with_holes;  "
    "mlpde compare plate_with_holes --solver rfm --solver pinn --out runs/demo\n\n"
    "It runs on one thread unless OMP_NUM_THREADS says otherwise.",
)
CaseArgument = Annotated[
    str, typer.Argument(metavar="CASE", help="A case file, or the name of one (`mlpde list` shows them).")
]
SetOption = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A solver's setting: features=400, or rfm.features=400. Python's help(mlpde.RFM) explains them.",
    ),
]
OutOption = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="The output folder.")]


def main() -> None:
    """Run the command line; bad input ends it with one sentence and exit code 2."""
    one_thread_by_default()
    with one_voice():
        _run()


def _run() -> None:
    try:
        app(standalone_mode=True)
    except (InputError, GeometryError) as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    except FloatingPointError as error:  # a run that diverged, with the step named
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "allocate memory" not in str(error):  # how torch says it
            raise
        print(
            "Error: the memory does not suffice: choose smaller settings or a coarser size", file=sys.stderr
        )
        sys.exit(2)


def one_thread_by_default() -> None:
    """One thread unless OMP_NUM_THREADS says otherwise.

    The matrices are small: more threads cost more than they give, most of all on a shared machine, and change the last
    digits of what a seed reproduces.
    """
    from threadpoolctl import threadpool_limits

    threads = os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the libraries that are loaded later
    threadpool_limits(int(threads) if threads.isdecimal() else 1)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mlpde {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options before the command."""
    if context.invoked_subcommand != "doctor":  # which reports it
        refuse_strangers()


@app.command("list")
def list_cases() -> None:
    """List the cases in ./cases and the installed ones."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for name, path in case_files.case_files().items():
        table.add_row(name, case_files.description(path))
    Console().print(table)


@app.command()
def show(case: CaseArgument) -> None:
    """Show what a case is: domain, fields, conditions, quantities, source, and which solvers take it."""
    from mlpde.solvers import features

    loaded = case_files.load(case)
    problem = loaded.problem
    lines = {
        "case": loaded.name,
        "file": str(case_files.find(case)),
        "": case_files.description(case_files.find(case)),
    }
    lines |= {
        "source": loaded.source,
        "problem": f"{type(problem).__name__} ({', '.join(features(problem))})",
    }
    if problem.domain is not None:
        lines["domain"] = f"{problem.domain!r}, {problem.domain.dim}-D"
        lines["regions"] = ", ".join(problem.domain.regions)
        lines["boundaries"] = ", ".join(problem.domain.boundaries)
    lines["fields"] = ", ".join(f.name + (f" {f.shape}" if f.shape else "") for f in problem.fields)
    if getattr(problem, "time", None):
        lines["time"] = "{:g} to {:g}".format(*problem.time)
    lines["Dirichlet"] = "; ".join(
        f"{c.field or problem.fields[0].name}{'' if c.component is None else f'[{c.component}]'} "
        + (f"at {c.at}" if c.boundary is None else f"on {', '.join(as_tuple(c.boundary))}")
        for c in problem.dirichlet
    )
    exact = getattr(problem, "exact", None) or {}
    lines["exact solution"] = ", ".join(exact) if isinstance(exact, Mapping) else "u"
    lines["quantities"], lines["outputs"] = ", ".join(loaded.quantities), ", ".join(loaded.outputs)
    lines["published"] = "; ".join(
        f"{name} = {value:g} ({source})" for name, (value, source) in loaded.published.items()
    )
    lines["settings"] = "; ".join(f"{name}: {dict(values)}" for name, values in loaded.solvers.items())
    lines["solvers"] = ", ".join(name for name in SOLVERS if _takes(name, problem))
    for title, text in lines.items():
        if text:
            typer.echo(f"{title:>15}  {text}")


@app.command()
def solve(
    case: CaseArgument,
    solver: Annotated[str, typer.Option("--solver", help=f"{', '.join(SOLVERS)}.")],
    settings: SetOption = [],  # noqa: B006
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    out: OutOption = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on from the checkpoint in the output folder: neural solvers, and FEM in time, write one twice a "
            "minute.",
        ),
    ] = False,
) -> None:
    """Solve a case by one solver; the solution goes to DIR (by default runs/CASE-SOLVER).

    Example: mlpde solve plate_with_holes --solver rfm --set features=400 --seed 1 --out runs/plate
    """
    from mlpde import solving
    from mlpde.progress import displays
    from mlpde.results import check_cache, check_folder, read_metrics

    check_cache()
    loaded = case_files.load(case)
    chosen = _solvers(loaded, [solver], settings)[0]
    folder = check_folder(out or Path("runs") / f"{loaded.name}-{solver}")
    if resume and not (folder / solving.CHECKPOINT).exists():
        typer.echo(f"no checkpoint in {folder}: starting from the beginning", err=True)
    try:
        with displays() as display:
            solving.solve(
                loaded,
                chosen,
                seed=seed,
                out=folder,
                resume=resume,
                display=display(solver),
                command=_command(),
            )
    except KeyboardInterrupt:
        kept = (folder / solving.CHECKPOINT).exists()
        says = "--resume goes on from the checkpoint" if kept else "there was no checkpoint yet"
        typer.echo(f"stopped: {says} in {folder}", err=True)
        raise
    _say(read_metrics(folder), folder)


@app.command()
def compare(
    case: CaseArgument,
    solver: Annotated[list[str], typer.Option("--solver", help="A solver; may be given several times.")],
    settings: SetOption = [],  # noqa: B006
    seed: Annotated[
        list[int], typer.Option(help="May be given several times: median and worst are reported.")
    ] = [0],  # noqa: B006
    out: OutOption = None,
    require: Annotated[
        list[str],
        typer.Option(
            metavar="SOLVER.FIELD.MEASURE=VALUE", help="Exit with 1 unless this error is met by every seed."
        ),
    ] = [],  # noqa: B006
) -> None:
    """Compare solvers with the exact solution or a FEM reference; the report goes to DIR (by default runs/CASE).

    Example: mlpde compare plate_with_holes --solver rfm --solver pinn --out runs/demo --require rfm.u.l2=1e-6
    """
    from mlpde import comparison
    from mlpde.progress import displays
    from mlpde.results import check_cache, check_folder

    check_cache()
    loaded = case_files.load(case)
    chosen = _solvers(loaded, solver, settings)
    limits = [_requirement(text, loaded, solver) for text in require]
    folder = check_folder(out or Path("runs") / loaded.name)
    with displays() as display:
        result = comparison.compare(
            loaded, chosen, seeds=seed, out=folder, display=display, command=_command()
        )
    typer.echo(str(result) + "\n")
    _say(result.metrics, folder)
    missed = [sentence for limit in limits if (sentence := _missed(limit, result.metrics))]
    for sentence in missed:
        typer.echo(f"Missed: {sentence}", err=True)
    if missed:
        raise typer.Exit(1)


app.command()(sweep)
app.command()(doctor)


@app.command()
def report(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="An output folder of solve, compare or sweep.")
    ],
) -> None:
    """Write the report of an output folder again, from its metrics.json and fields.

    Example: mlpde report runs/demo
    """
    from mlpde.results import read_metrics, rebuild_report
    from mlpde.sweep.report import write_report

    metrics = read_metrics(folder)
    if "cases" in metrics:  # a sweep's
        write_report(folder, metrics)
    else:
        rebuild_report(folder)
    typer.echo(f"report: {folder / 'report.html'}")


@app.command()
def bench(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The benchmark; a wrong name lists them.")],
) -> None:
    """Measure a benchmark and print its figures."""
    import importlib
    import pkgutil

    import mlpde.bench

    if ranks() > 1:
        raise InputError("mlpde bench measures one process: start it without mpiexec")
    modules = pkgutil.iter_modules(mlpde.bench.__path__)
    known = [module.name for module in modules if not module.name.startswith("_")]
    if name not in known:
        raise unknown("benchmark", name, known)
    importlib.import_module(f"mlpde.bench.{name}").main()


def _solvers(case: Case, names: Sequence[str], settings: Sequence[str]) -> list[Any]:
    """The solvers with the case's own settings, overridden by `--set`."""
    from mlpde.solvers import check_accepts, solver, solver_class

    if len(set(names)) < len(names):
        raise InputError(f"a solver is named twice: {', '.join(names)}")
    for name in names:
        solver_class(name)
    for name in case.solvers:
        if name not in SOLVERS:
            raise unknown(f"solver in the settings of case {case.name!r}:", name, SOLVERS)
    chosen: dict[str, dict[str, Any]] = {name: dict(case.solvers.get(name, {})) for name in names}
    for text in settings:
        key, equals, value = text.partition("=")
        owner, dot, option = key.rpartition(".")
        if not equals or not option:
            raise InputError(f"--set {text}: KEY=VALUE is expected, as in --set features=400")
        if not dot and len(names) > 1:
            raise InputError(f"--set {text}: say which solver it is for, as in --set {names[0]}.{text}")
        if dot and owner not in chosen:
            raise InputError(f"--set {text}: {owner!r} is not among the solvers {', '.join(names)}")
        chosen[owner or names[0]][option] = value
    made = [solver(name, **options) for name, options in chosen.items()]
    for one in made:
        check_accepts(one, case.problem, case.name)
    return made


def _requirement(text: str, case: Case, solvers: Sequence[str]) -> tuple[str, str, str, float]:
    """(solver, field, measure, limit) of "rfm.u.l2=1e-6"; InputError if it can never be met."""
    key, _, value = text.partition("=")
    parts = key.split(".")
    try:
        limit = float(value)
    except ValueError:
        limit = math.nan
    if len(parts) != 3 or not limit > 0:
        raise InputError(
            f"--require {text}: SOLVER.FIELD.MEASURE=VALUE is expected, as in --require rfm.u.l2=1e-6"
        )
    measures = (*MEASURES, "l2_time") if getattr(case.problem, "time", None) else MEASURES
    if isinstance(case.problem, SemilinearParabolic):
        measures = ("y0",) if case.problem.domain is None else (*measures, "y0")
        if case.problem.domain is None and case.problem.exact is None and "y0" not in case.published:
            raise InputError(
                f"--require {text}: case {case.name!r} has neither an exact solution nor a published y0 to compare with"
            )
    fields = [f.name for f in case.problem.fields]
    for kind, name, valid in zip(
        ("solver", "field", "measure"), parts, (solvers, fields, measures), strict=True
    ):
        if name not in valid:
            raise unknown(f"{kind} in --require {text}:", name, valid)
    return parts[0], parts[1], parts[2], limit


def _missed(requirement: tuple[str, str, str, float], metrics: Mapping[str, Any]) -> str | None:
    from mlpde.start_report import known_value, relative_sizes

    solver, field, measure, limit = requirement
    runs = [row for row in metrics["solutions"] if row["label"] == solver]
    errors = [row["errors"].get(field, {}).get(measure) for row in runs]
    known = known_value(metrics)
    if measure == "y0" and metrics["reference"] is None and known:  # the published value
        errors = [error if math.isfinite(error) else None for error in relative_sizes(runs, known[0])]
    if all(error is not None and error <= limit for error in errors):
        return None
    worst = math.nan if None in errors else max(errors)
    return f"{solver}.{field}.{measure} is {worst:.3g}, {limit:g} was required"


def _takes(name: str, problem: Any) -> bool:
    from mlpde.solvers import missing, solver_class

    try:
        return not missing(solver_class(name), problem)
    except InputError:  # cannot be loaded here (FEM without DOLFINx)
        return False


def _say(metrics: Mapping[str, Any], folder: Path) -> None:
    from mlpde.report import summarise, verdict

    for sentence in verdict(metrics):
        typer.echo(sentence)
    for summary in summarise(metrics):
        for warning in summary["warnings"]:
            typer.echo(f"Warning: {summary['label']}: {warning}", err=True)
    typer.echo(f"report: {folder / 'report.html'}")


def _command() -> str:
    return shlex.join(["mlpde", *sys.argv[1:]])


if __name__ == "__main__":
    main()
