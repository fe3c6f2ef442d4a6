"""compare: several solvers on one case, measured against one reference."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpde.errors import InputError
from mlpde.files import plain
from mlpde.machine import machine
from mlpde.monitor import Display, Monitor
from mlpde.parallel import on_root, ranks
from mlpde.problem import Case, exact_by_field
from mlpde.solution import Solution
from mlpde.solvers import Solver, check_accepts
from mlpde.solvers import solver as make_solver
from mlpde.solving import as_case, run

MEASURES = ("l2", "h1", "max")  # and in time "l2_time"
TOLERANCE = 1e-5  # of the reference: its relative L2 error


@dataclass(frozen=True)
class Comparison:
    """The reference, the solutions by label (one for each seed), and everything measured (`metrics.json`)."""

    case: Case
    reference: Solution
    solutions: dict[str, tuple[Solution, ...]]
    metrics: dict[str, Any]

    def typical(self, label: str) -> Solution:
        """The solution whose l2 error (the largest over the fields) is the median of the seeds."""
        rows = [row for row in self.metrics["solutions"] if row["label"] == label]
        worst = [max(_number(e["l2"]) for e in row["errors"].values()) for row in rows]
        return self.solutions[label][worst.index(statistics.median_low(worst))]

    def __str__(self) -> str:
        from mlpde.report import text_table

        return text_table(self.metrics)


def compare(
    problem: Case | Any,
    solvers: Sequence[Solver],
    reference: Solver | Solution | None = None,
    seeds: Sequence[int] = (0,),
    out: str | Path | None = None,
    *,
    display: Callable[[str], Display] | None = None,
    command: str = "",
) -> Comparison:
    """Solve a case by every solver with every seed, and measure the errors against the reference.

    reference: a solver or a solution; by default the exact solution if the case has one, else FEM with its estimated
    error.  out: a folder for report.html, report.md, metrics.json, pictures and fields.
    display(label): called for every run, returns what shows its steps.  command: recorded in the report.
    Raises InputError if a solver does not take the case.
    """
    case = as_case(problem)
    solvers, seeds = list(solvers), list(seeds)
    if not solvers or not seeds:
        raise InputError("compare needs at least one solver and one seed")
    if len(set(seeds)) < len(seeds):
        raise InputError(
            f"a seed is given twice, which says nothing about the spread: {', '.join(map(str, seeds))}"
        )
    labels = _labels(solvers)
    for solver in solvers:
        check_accepts(solver, case.problem, case.name)
    if out is not None:
        from mlpde.results import check_folder

        check_folder(out)
    show: Callable[[str], Display | None] = display or (lambda _: None)
    known = _reference(case, reference, show)
    solutions = {
        label: tuple(
            run(
                case, solver, seed, Monitor(display=show(f"{label} seed {seed}" if len(seeds) > 1 else label))
            )
            for seed in seeds
        )
        for label, solver in zip(labels, solvers, strict=True)
    }
    comparison = Comparison(case, known, solutions, metrics_of(case, known, solutions, command))
    if out is not None:
        from mlpde.results import write_comparison

        write_comparison(Path(out), comparison)
    return comparison


@on_root
def metrics_of(
    case: Case, reference: Solution | None, solutions: dict[str, tuple[Solution, ...]], command: str = ""
) -> dict[str, Any]:
    """The content of metrics.json."""
    problem = case.problem
    description = {
        "source": case.source,
        "dim": next(iter(solutions.values()))[0].dim,
        "fields": [{"name": f.name, "shape": f.shape} for f in problem.fields],
        "published": {
            name: {"value": value, "source": source} for name, (value, source) in case.published.items()
        },
    }
    rows = [solution_row(label, one, reference) for label, several in solutions.items() for one in several]
    return plain(
        {
            "case": case.name,
            "description": description,
            "reference": None if reference is None else reference_row(reference),
            "solutions": rows,
            "machine": machine(ranks()),
            "command": command,
        }
    )


def _labels(solvers: Sequence[Solver]) -> list[str]:
    """The solvers' names; "rfm-2" for the second of that name."""
    names = [solver.name for solver in solvers]
    return [n if (k := names[:i].count(n)) == 0 else f"{n}-{k + 1}" for i, n in enumerate(names)]


def reference_solver(case: Case) -> Solver:
    """FEM with the case's settings for it, refined until its estimated L2 error is at most 1e-5.

    Errors are measured down to those of the reference, so it must be better than what it measures: it starts from
    degree 3 on a fine mesh in one and two dimensions, where that is cheap; in time on the usual mesh, for many steps.
    """
    from mlpde.exact import fine_size

    domain = case.problem.domain
    steady = getattr(case.problem, "time", None) is None
    settings: dict[str, Any] = {"tolerance": TOLERANCE} if steady else {}
    if domain.dim < 3:
        settings |= {"degree": 3} | ({"size": fine_size(domain)} if steady else {})
    return make_solver("fem", **(settings | dict(case.solvers.get("fem", {}))))


def _reference(case: Case, reference: Any, show: Callable[[str], Any]) -> Solution:
    if isinstance(reference, Solution):
        return reference
    from mlpde.exact import exact_solution

    exact = exact_by_field(case.problem)
    if reference is None and all(f.name in exact for f in case.problem.fields):
        return exact_solution(case)
    if reference is None and not hasattr(case.problem.domain, "mesh"):
        raise InputError(
            f"case {case.name!r} has no mesh for a finite element reference, and no exact solution of all fields: give "
            "exact=..., or a solution as the reference"
        )
    solver = reference_solver(case) if reference is None else reference
    found = run(case, solver, 0, Monitor(display=show("reference")))
    return exact_solution(case, found) if exact and reference is None else found


def reference_row(reference: Solution) -> dict[str, Any]:
    """The entry "reference" of metrics.json."""
    info = reference.info
    return {
        "solver": reference.solver,
        "config": reference.config,
        "seconds": info["seconds"],
        "cpu_seconds": info["cpu_seconds"],
        "unknowns": info["unknowns"],
        "estimated_error": info.get("estimated_error", {}),
        "quantities": reference.quantities,
        "info": {key: value for key, value in info.items() if key != "history"},
    }


def solution_row(label: str, solution: Solution, reference: Solution | None) -> dict[str, Any]:
    """An entry of "solutions" in metrics.json: cost, and errors against the reference."""
    info = solution.info
    errors = solution.error(reference) if reference is not None else {}
    own = reference.info.get("estimated_error", {}) if reference is not None else {}
    below = [
        f"{name}.{measure}"
        for name, error in errors.items()
        for measure in (*MEASURES, "l2_time")
        if measure in own.get(name, {}) and error[measure] < own[name][measure]
    ]
    return {
        "solver": solution.solver,
        "label": label,
        "config": solution.config,
        "seed": info["seed"],
        "seconds": info["seconds"],
        "cpu_seconds": info["cpu_seconds"],
        "unknowns": info["unknowns"],
        "errors": errors,
        "output_errors": solution.output_errors(reference) if reference is not None else {},
        "below_reference": below,
        "quantities": solution.quantities,
        "info": info,
    }


def _number(value: float | None) -> float:
    return float("inf") if value is None else value
