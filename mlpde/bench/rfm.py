"""Random feature method: the smooth square, RFM() without settings, block QR against LAPACK's gelsd."""

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
        _rfm_automatic,
        _rfm_helmholtz,
        _rfm_least_squares,
        _rfm_peer,
        _rfm_published,
        _rfm_refined,
        _rfm_work,
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

    methods: dict[str, tuple[float, float]] = {}
    rows: list[list[Any]] = []
    for method in ("block_qr", "dense"):
        solver = RFM(features=250, partition=(4, 4), activation="tanh", scale=1.0, points=2.5, method=method)
        error, solution = errors(square, solver, 0)
        facts = solution.info["least_squares"]
        methods[method] = facts["seconds"], error["l2"]
        rows.append([method, facts["rows"], facts["columns"], *methods[method]])
    print_table("least squares, one matrix", ["method", "rows", "columns", "seconds", "L2 error"], rows)
    speed, accuracy = (methods["dense"][i] / methods["block_qr"][i] for i in (0, 1))
    print(f"time of gelsd / block QR {speed:.1f} (asked: at least 6), ", end="")
    print(f"error of block QR / gelsd {1 / accuracy:.2f} (asked: at most 1.5)")
    for part in (
        _rfm_helmholtz,
        _rfm_published,
        _rfm_peer,
        _rfm_automatic,
        _rfm_refined,
        _rfm_work,
        _rfm_least_squares,
    ):
        part.main()
