"""Random feature method, Helmholtz's equation in one dimension: both windows beside the published table."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlpde.bench import print_table

SEEDS = range(9)
# Chen, Chi, E, Yang, J. Machine Learning 1(3), 2022, table of example 3.1: unknowns -> max error with psi_a, psi_b
PUBLISHED = {200: (8.8e-2, 2.5e-2), 400: (5.9e-7, 5.2e-7), 800: (4.4e-10, 6.6e-10), 1600: (8.8e-12, 1.2e-11)}
ASKED = {800: 5e-11, 1600: 2e-12}
SIZE = 3.0  # max |u| to 1 %: the published errors are absolute
PAPER = {"activation": "tanh", "scale": 1.0, "points": 1.0, "polynomials": False}
SINE = {
    "activation": "sin",
    "scale": 6.0,
    "points": 2.0,
}  # R > wave number 5 pi times the radius at 800 unknowns


def largest_errors(settings: dict[str, Any]) -> list[float]:
    """max |u - exact| of every seed."""
    from mlpde.case_files import load
    from mlpde.exact import exact_solution
    from mlpde.solvers.rfm import RFM

    case = load("helmholtz_1d")
    reference, solver = exact_solution(case), RFM(**settings)
    return [SIZE * solver.solve(case.problem, seed=s).error(reference)["u"]["max"] for s in SEEDS]


def main() -> None:
    """Print the table."""
    rows: list[list[Any]] = []
    for unknowns, published in PUBLISHED.items():
        mesh = {"features": 50, "partition": (unknowns // 50,)}
        for window, value in zip(("psi_a", "psi_b"), published, strict=True):
            found = largest_errors(PAPER | mesh | {"window": window})
            rows.append([unknowns, f"paper's, {window}", value, "", float(np.median(found)), max(found)])
        found = largest_errors(SINE | mesh)
        asked = ASKED.get(unknowns, "")
        rows.append([unknowns, "sin, R = 6, psi_b", published[1], asked, float(np.median(found)), max(found)])
    print_table(
        f"Helmholtz 1-D, J = 50 (the paper's: tanh, R = 1), max error, {len(SEEDS)} seeds",
        ["M", "settings", "published", "asked", "median", "worst"],
        rows,
    )
