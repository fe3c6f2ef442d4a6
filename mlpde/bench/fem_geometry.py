"""Geometry: nearly touching holes, and forces on obstacles by volume functionals beside boundary integrals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mlpde.bench import print_table

GAPS = (0.1, 0.05, 0.02)  # of the radius
DROP = 0.11752016697  # of the pressure at the cylinder, of the same source as drag and lift
LEVELS = 3  # of halved sizes, each with its degree


def gaps() -> Iterator[list[Any]]:
    """Rows of gap over radius, size, cells, worst scaled Jacobian, peak stress, its change from the last level."""
    from cases import hole_cluster_elasticity as plate
    from geometry import hole_cluster
    from mlpde import Problem
    from mlpde.solvers import solver
    from mlpde.solving import solve

    for gap in GAPS:
        problem = Problem(
            domain=hole_cluster(plate.SIDE, plate.SIDE, plate.RADIUS, gap * plate.RADIUS),
            fields=plate.problem.fields,
            weak_form=plate.weak_form,
            dirichlet=plate.problem.dirichlet,
        )
        around, _, _ = problem.domain.boundary("holes", 7 * 2000)
        last = np.nan
        for level in range(LEVELS):
            size = problem.domain.default_size / 2**level
            solution = solve(problem, solver("fem", degree=3, size=size, estimate=False))
            peak = np.nanmax(np.trace(_stress(solution.gradient(around), plate), axis1=1, axis2=2))
            mesh = problem.domain.mesh(size, order=3)
            yield [
                gap,
                size,
                len(mesh.cells),
                mesh.scaled_jacobians().min(),
                f"{peak:.6f}",
                abs(peak / last - 1),
            ]
            last = peak


def _stress(gradient: np.ndarray, plate: Any) -> np.ndarray:
    """Plane stress (n, 2, 2) of displacement gradients (n, 2, 2), without UFL."""
    strain = (gradient + gradient.transpose(0, 2, 1)) / 2
    trace = np.trace(strain, axis1=1, axis2=2)[:, None, None]
    return plate.E / (1 + plate.NU) * (strain + plate.NU / (1 - plate.NU) * trace * np.eye(2))


def cylinder() -> Iterator[list[Any]]:
    """Rows of size, degree, unknowns, and the relative differences of drag and lift (volume, boundary), pressure."""
    from cases.cylinder_flow import case

    drag, lift = (case.published[name][0] for name in ("drag", "lift"))
    for degree, size in ((2, 0.06), (2, 0.03), (3, 0.06), (3, 0.03), (3, 0.02)):
        solution = _solve(case, degree, size)
        q = solution.quantities
        yield [
            degree,
            size,
            solution.info["unknowns"],
            abs(q["drag"] / drag - 1),
            abs(q["drag by the boundary"] / drag - 1),
            abs(q["lift"] / lift - 1),
            abs(q["lift by the boundary"] / lift - 1),
            abs((q["pressure in front"] - q["pressure behind"]) / DROP - 1),
        ]


def cluster() -> Iterator[list[Any]]:
    """Rows of size, degree, unknowns, and the drag on seven disks by the volume and by the boundary."""
    from cases.stokes_cluster import case

    own = case.problem.domain.default_size
    for degree, size in ((2, own), (2, own / 2), (3, own), (3, own / 2), (4, own / 2)):
        solution = _solve(case, degree, size)
        q = solution.quantities
        yield [
            degree,
            size,
            solution.info["unknowns"],
            *(f"{q[name]:.7g}" for name in ("drag", "drag by the boundary")),
        ]


def main() -> None:
    """Print the tables."""
    columns = [
        "gap / radius",
        "size",
        "cells",
        "worst scaled Jacobian",
        "peak stress",
        "change (asked: 0.01)",
    ]
    print_table("seven holes that nearly touch, pulled", columns, gaps())
    columns = ["degree", "size", "unknowns", "drag", "by boundary", "lift", "by boundary", "pressure drop"]
    print_table(
        "flow around a cylinder, Re = 20: relative difference from Nabh's numbers", columns, cylinder()
    )
    columns = ["degree", "size", "unknowns", "drag", "by boundary"]
    print_table("Stokes flow past seven disks", columns, cluster())


def _solve(case: Any, degree: int, size: float) -> Any:
    from mlpde.solvers import solver
    from mlpde.solving import solve

    return solve(case, solver("fem", degree=degree, size=size, estimate=False))
