"""One equation by BSDE() and by finite elements in two dimensions: a wrong factor in either would show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cases.hjb_2d import problem
from mlpde.bench import print_table
from mlpde.bench._bsde_problems import rms, runs
from mlpde.formatting import number
from mlpde.solvers import solver
from mlpde.solving import solve

POINTS = 20


def comparison(count: int) -> list[list[str]]:
    """u(0, .) at points inside: each is the x0 of a run of BSDE() with a seed of its own."""
    points = np.random.default_rng(0).uniform(-2.5, 2.5, (count, 2))
    mesh = solve(problem, solver("fem"))(points, 0.0)
    exact = -np.log(2 + np.exp(-2 * problem.horizon) * np.cos(points).prod(1))
    found = [
        runs(solver("bsde"), replace(problem, x0=tuple(point)), [seed])[0].y0
        for seed, point in enumerate(points.tolist())
    ]
    values = np.array([y0["value"] for y0 in found])
    widths = [y0["ci95"] + y0["bias"] for y0 in found]
    rows = []
    for name, against in (("BSDE() - FEM", mesh), ("BSDE() - exact", exact)):
        errors = np.abs(values - against)
        inside = int((errors <= widths).sum())
        rows.append([name, number(rms(errors)), number(float(errors.max())), f"{inside} of {count}"])
    errors = np.abs(mesh - exact)
    rows.append(["FEM - exact", number(rms(errors)), number(float(errors.max())), "–"])
    return rows


def main() -> None:
    """Print the table."""
    print_table(
        f"d = 2: u(0, x) at {POINTS} points, absolute, u is about -0.7",
        ["difference", "rms", "worst", "within ci95 + bias"],
        comparison(POINTS),
    )
