"""Random feature method: the smooth square, RFM() without settings, and the tables of the modules beside this one."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlpde.bench import print_table

SEEDS = range(9)


def errors(case: Any, solver: Any, seed: int) -> tuple[dict[str, float], Any]:
    """Errors of one run against the exact solution, and the solution."""
    from mlpde.exact import exact_solution

    solution = solver.solve(case.problem, seed=seed)
    return solution.error(exact_solution(case))["u"], solution


def main() -> None:
    """Print the tables."""
    from mlpde.bench import (
        rfm_automatic,
        rfm_helmholtz,
        rfm_least_squares,
        rfm_peer,
        rfm_published,
        rfm_refined,
        rfm_work,
    )
    from mlpde.case_files import load
    from mlpde.solvers.rfm import RFM

    square, helmholtz = load("square_poisson"), load("helmholtz_1d")

    solver = RFM(features=400, partition=(1, 1), scale=4.0)
    runs = [errors(square, solver, seed) for seed in SEEDS]
    l2 = [e["l2"] for e, _ in runs]
    seconds = [s.info["least_squares"]["seconds"] for _, s in runs]
    print_table(
        "smooth square, sin, one box, 9 seeds",
        ["features", "asked", "median L2", "worst L2", "median seconds of the solve"],
        [[solver.features, 1e-12, float(np.median(l2)), max(l2), float(np.median(seconds))]],
    )

    chosen = []
    for case in (square, load("variable_coefficient"), helmholtz):
        runs = [errors(case, RFM(), seed) for seed in SEEDS]
        l2, found = [e["l2"] for e, _ in runs], runs[0][1].info
        cpu = float(np.median([s.info["cpu_seconds"] for _, s in runs]))
        chosen.append([case.name, found["partition"], found["features"], float(np.median(l2)), max(l2), cpu])
    print_table(
        "RFM() without settings, 9 seeds",
        ["case", "partition", "features", "median L2", "worst L2", "median CPU seconds"],
        chosen,
    )

    for part in (
        rfm_helmholtz,
        rfm_published,
        rfm_peer,
        rfm_automatic,
        rfm_refined,
        rfm_work,
        rfm_least_squares,
    ):
        part.main()
