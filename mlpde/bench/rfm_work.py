"""Time to accuracy: random features beside finite elements of degree 2 and 4, and a picture of error against work.

CPU-seconds of assembly and solve, one thread; meshes are made, and forms compiled, before the clock starts.  FEM is
solved at the size that its order of convergence predicts for each target, with a margin.  RFM takes the smallest of a
few fixed sizes; "RFM(tolerance)" pays for its search as well, and its tolerance bounds a residual, not the error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mlpde.bench import print_table

TARGETS = (1e-4, 1e-6, 1e-8)  # relative L2 errors of the worst field
SEEDS = range(5)
FOLDER = Path("runs/bench/rfm")
LIMIT = {2: 300_000, 3: 60_000}  # unknowns of FEM, by dimension
MARGIN, SMALLER = 0.9, 0.8  # of the size predicted; where it misses the target nevertheless
SIZES = {  # features, cells in each direction
    2: ((100, 1), (200, 1), (400, 1), (200, 2), (400, 2), (200, 4), (400, 4)),
    3: ((100, 1), (200, 1), (400, 1), (800, 1), (400, 2), (800, 2)),
}
CASES = ("poisson_2d", "variable_coefficient", "elasticity_40_holes", "smooth_ball")


class Run(NamedTuple):
    """One solution, or the median of several seeds: what it is, unknowns, CPU-seconds, relative L2 error."""

    label: str
    unknowns: int
    seconds: float
    error: float


def smooth_ball() -> Any:
    """-Lap u = f in the unit ball, u = exp(x) sin(2 y) cos(z) given on the sphere."""
    import ufl

    from geometry import ball
    from mlpde import Case, Dirichlet, Field, Problem

    def exact(x: Any) -> Any:
        return ufl.exp(x[0]) * ufl.sin(2 * x[1]) * ufl.cos(x[2])

    def weak_form(u: Any, v: Any, omega: Any) -> Any:
        f = -ufl.div(ufl.grad(exact(omega.x)))
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - f * v) * omega.dx

    problem = Problem(
        ball(1.0), Field("u"), weak_form=weak_form, dirichlet=Dirichlet("sphere", exact), exact=exact
    )
    return Case("smooth_ball", problem)


def finite_elements(case: Any, degree: int) -> Iterator[Run]:
    """FEM at two coarse sizes, then at those that meet the targets, as far as the unknowns allow."""
    from mlpde.exact import exact_solution
    from mlpde.solvers import solver

    domain, reference = case.problem.domain, exact_solution(case)
    limit = LIMIT[domain.dim]

    def run(size: float) -> Run:
        for order in (2, 3):
            domain.mesh(size, order=order)
        fem: Any = solver("fem", degree=degree, size=size, estimate=False)
        solution = fem.solve(case.problem, seed=0)
        error = max(e["l2"] for e in solution.error(reference).values())
        return Run(f"FEM P{degree}", solution.info["unknowns"], solution.info["cpu_seconds"], error)

    coarse = 2.0 * domain.default_size
    run(coarse)  # compiles the forms
    size, last = coarse / 2, run(coarse)
    rate, found = float(degree + 1), run(size)
    yield from (last, found)
    for target in TARGETS:
        while found.error > target:
            before, smaller = size, SMALLER * size
            if found.error < last.error:
                smaller = min(smaller, MARGIN * size * (target / found.error) ** (1 / rate))
            if found.unknowns * (size / smaller) ** domain.dim > limit:
                return
            size, last = smaller, found
            found = run(size)
            yield found
            if found.error < last.error:
                rate = max(1.0, math.log(last.error / found.error) / math.log(before / size))


def random_features(case: Any) -> Iterator[Run]:
    """RFM of growing size: sin, R = 3, without polynomials, which an exact solution may be; medians of the seeds."""
    from mlpde.exact import exact_solution
    from mlpde.solvers.rfm import RFM

    reference, dim = exact_solution(case), case.problem.domain.dim
    for features, cells in SIZES[dim]:
        solver = RFM(
            features=features, partition=(cells,) * dim, activation="sin", scale=3.0, polynomials=False
        )
        runs = [solver.solve(case.problem, seed=seed) for seed in SEEDS]
        seconds = float(np.median([s.info["cpu_seconds"] for s in runs]))
        errors = [max(e["l2"] for e in s.error(reference).values()) for s in runs]
        yield Run("RFM", runs[0].info["unknowns"], seconds, float(np.median(errors)))
        if np.median(errors) <= TARGETS[-1]:
            return


def automatic(case: Any) -> Iterator[Run]:
    """RFM(tolerance=...) for each target, without another setting."""
    from mlpde.exact import exact_solution
    from mlpde.solvers.rfm import RFM

    for target in TARGETS:
        solution = RFM(tolerance=target).solve(case.problem, seed=0)
        error = max(e["l2"] for e in solution.error(exact_solution(case)).values())
        yield Run("RFM(tolerance)", solution.info["unknowns"], solution.info["cpu_seconds"], error)


def table(runs: dict[str, list[Run]]) -> Iterator[list[Any]]:
    """Rows of target and, for each solver, the CPU-seconds and unknowns of the cheapest run that meets it."""
    for target in TARGETS:
        met = {
            label: min((r for r in several if r.error <= target), key=lambda r: r.seconds, default=None)
            for label, several in runs.items()
        }
        fastest = min((r.seconds, label) for label, r in met.items() if r)[1] if any(met.values()) else "none"
        cells = [f"{r.seconds:.2g} s ({r.unknowns})" if r else "not met" for r in met.values()]
        yield [target, *cells, fastest]


def picture(found: dict[str, dict[str, list[Run]]]) -> Path:
    """Error against CPU-seconds of every case."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, grid = plt.subplots(2, 2, figsize=(9, 7), squeeze=False, layout="constrained")
    for axes, (name, runs) in zip(grid.ravel(), found.items(), strict=True):
        for label, several in runs.items():
            style = "o" if label == "RFM(tolerance)" else "o-"
            axes.loglog([r.seconds for r in several], [r.error for r in several], style, label=label)
        axes.set(title=name, xlabel="CPU-seconds", ylabel="relative L2 error")
        axes.grid(True, color="#e5e7eb", linewidth=0.6)
    grid[0, 0].legend(frameon=False)
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / "work_precision.png"
    figure.savefig(path, dpi=120)
    return path


def main() -> None:
    """Print a table for each case, and where FEM wins; the picture's path stands below."""
    from mlpde.case_files import load

    found: dict[str, dict[str, list[Run]]] = {}
    columns = ["relative L2 error", "FEM P2", "FEM P4", "RFM", "RFM(tolerance)", "least CPU-seconds"]
    wins = []
    for name in CASES:
        case = smooth_ball() if name == "smooth_ball" else load(name)
        runs = [
            *finite_elements(case, 2),
            *finite_elements(case, 4),
            *random_features(case),
            *automatic(case),
        ]
        found[name] = {label: [r for r in runs if r.label == label] for label in columns[1:-1]}
        rows = list(table(found[name]))
        wins += [f"{name} at {row[0]:.0e} (by {row[-1]})" for row in rows if row[-1].startswith("FEM")]
        title = f"{name}: CPU-seconds (unknowns), RFM median of {len(SEEDS)} seeds, RFM(tolerance) of seed 0"
        print_table(title, columns, rows)
        print_table(f"{name}: all runs", ["solver", "unknowns", "CPU-seconds", "relative L2 error"], runs)
    print(f"FEM needs the least time for: {', '.join(wins) or 'none of these'}.")
    print(f"picture: {picture(found)}")
