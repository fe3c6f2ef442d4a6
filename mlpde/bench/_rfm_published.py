"""Random feature method beside published numbers: the paper's settings, and ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mlpde.bench import print_table

SEEDS = range(5)
# case, "what", settings, and published errors by field or output with the unknowns per component they were reached with
# (Chen, Chi, E, Yang, J. Machine Learning 1(3), 2022; relative errors, psi_b)
PAPER = {"activation": "tanh", "scale": 1.0, "polynomials": False}
SINE = {"activation": "sin", "scale": 3.0}
STOKES = {"u": 2.5e-13, "p": 1.4e-9}
HOLES = {"u": 1.7e-5, "stress x": 2.9e-5, "stress y": 6.4e-5, "shear stress": 8.2e-6}
RUNS: list[tuple[str, str, dict[str, Any], dict[str, float]]] = [
    ("poisson_2d", "paper's", PAPER | {"features": 400, "partition": (2, 2), "points": 4.0}, {"u": 4.7e-10}),
    ("poisson_2d", "ours", SINE | {"features": 400, "partition": (2, 2), "points": 2.0}, {"u": 4.7e-10}),
    ("timoshenko_beam", "paper's", PAPER | {"features": 200, "partition": (2, 2)}, {"u": 6.4e-11}),
    ("timoshenko_beam", "ours", SINE | {"features": 200, "partition": (2, 2)}, {"u": 6.4e-11}),
    ("stokes_three_holes", "paper's", PAPER | {"features": 400, "partition": (2, 2)}, STOKES),
    ("stokes_three_holes", "ours", SINE | {"features": 400, "partition": (2, 2)}, STOKES),
]
SLOW_RUNS: list[tuple[str, str, dict[str, Any], dict[str, float]]] = [
    ("elasticity_40_holes", "ours", SINE | {"features": 200, "partition": (4, 4), "points": 3.0}, HOLES),
]


def measured(name: str, settings: dict[str, Any]) -> tuple[dict[str, float], float, int]:
    """Median errors (L2, relative) by field and output, median seconds, and the features of a component."""
    from mlpde.case_files import load
    from mlpde.exact import exact_solution
    from mlpde.solvers.rfm import RFM

    case, found, seconds, unknowns = load(name), [], [], 0
    reference = exact_solution(case)
    for seed in SEEDS:
        solution = replace(RFM(**settings).solve(case.problem, seed=seed), case=case)
        errors = solution.error(reference) | solution.output_errors(reference)
        found.append({key: error["l2"] for key, error in errors.items()})
        seconds.append(solution.info["seconds"])
        unknowns = solution.info["unknowns"] // sum(f.size for f in solution.fields)
    return (
        {key: float(np.median([f[key] for f in found])) for key in found[0]},
        float(np.median(seconds)),
        unknowns,
    )


def main() -> None:
    """Print the table of published problems, and that of the problems beyond them."""
    rows: list[list[Any]] = []
    for name, whose, settings, published in RUNS + SLOW_RUNS:
        errors, seconds, unknowns = measured(name, settings)
        rows += [
            [name, whose, unknowns, key, value, errors[key], seconds if i == 0 else ""]
            for i, (key, value) in enumerate(published.items())
        ]
    columns = ["case", "settings", "M", "of", "published", "median", "seconds"]
    print_table(f"published problems, relative L2 errors, {len(SEEDS)} seeds", columns, rows)

    beyond: list[list[Any]] = []
    for name, settings in (
        ("lshape_corner", {}),
        ("annulus_interface", {}),
        ("poisson_high_frequency", {"global_features": 400, "features": 400, "partition": (4, 4), **SINE}),
        ("poisson_high_frequency", {"features": 425, "partition": (4, 4), **SINE}),
        ("heat_st", {"features": 200, "partition": (6, 4), **SINE}),
        ("wave_st", {"features": 200, "partition": (6, 4), **SINE}),
        ("schroedinger_st", {"features": 200, "partition": (4, 2), **SINE}),
        ("box_with_cavities_3d", {}),
    ):
        errors, seconds, unknowns = measured(name, settings)
        text = ", ".join(f"{key}={value}" for key, value in settings.items()) or "none"
        beyond.append([name, text, unknowns, max(errors.values()), seconds])
    print_table(
        f"beyond the paper, {len(SEEDS)} seeds", ["case", "settings", "M", "median error", "seconds"], beyond
    )
