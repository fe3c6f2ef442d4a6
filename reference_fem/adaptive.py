"""Adaptive refinement: new meshes until the estimated error meets the tolerance.

The second level, which measures the error (`reference_fem.estimate`), tells where it is as well: by the difference of
the two levels on each cell.  Each mesh is made anew by gmsh from a map of element sizes, so that curved boundaries stay
exact and elements well shaped; the second level has half of these sizes.

The difference is preferred to a residual because it holds for every kind of problem alike: fields of different units,
multipliers, edge elements, eigenmodes, coefficients that jump, conditions of all kinds.  The last level needs it in any
case; where the solution is smooth the meshes before are small beside it, at a corner there are some of its size.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from mpi4py import MPI

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
from geometry import GeometryError, Mesh
from geometry.size_map import SizeMap
from mlpde.problem import Eigenproblem, Problem
from reference_fem.refinement import LocalErrors, next_sizes

BUDGET = {1: 500_000, 2: 500_000, 3: 200_000}  # unknowns by dimension: half a minute, 4 GB
GROWTH = 1.5  # times 2^d: most cells of a mesh relative to the one before; further on its errors tell little
ROOM = 1.2  # growth that is worth another mesh
SAFETY = 0.7  # of the tolerance is aimed at: missing it a little costs a whole mesh
STALLED, SLOW = 2, 0.75  # refinements that leave more than this part of the error are the last


@dataclass(frozen=True, eq=False)
class Level:
    """A solution with its estimated error.  info: of the solution.  finer: of the second level."""

    function: Any
    info: dict[str, Any]
    finer: dict[str, Any]
    errors: LocalErrors

    @property
    def estimated(self) -> dict[str, dict[str, float]]:
        """{field: {"l2", "h1"}}, relative."""
        return self.info["estimated_error"]

    @property
    def l2(self) -> float:
        """The largest of the fields' errors."""
        return max(error["l2"] for error in self.estimated.values())


def measured(
    problem: Problem | Eigenproblem,
    size: float | None,
    degree: int,
    level: Callable,
    difference: Callable,
    sizes: SizeMap | None = None,
) -> Level:
    """Solve with `degree`, and with degree + 1 on a mesh of half the size; compare."""
    function, info = level(problem, size, degree, sizes)
    half = (problem.domain.default_size if size is None else size) / 2
    finer, facts = level(problem, half, degree + 1, sizes)
    start, cpu = time.perf_counter(), time.process_time()
    found = difference(problem.fields, function, finer)
    cost = {
        "unknowns": facts["unknowns"],
        "seconds": facts["seconds"] + time.perf_counter() - start,
        "cpu_seconds": facts["cpu_seconds"] + time.process_time() - cpu,
    }
    info |= found.facts | {"estimate": cost, "warnings": [*info["warnings"], *found.warnings]}
    return Level(function, info, cost, LocalErrors(function.mesh, found.squares))


def refine(
    level: Level, again: Callable[[SizeMap], Level], degree: int, tolerance: float, budget: int, scale: float
) -> Level:
    """Solve again on finer meshes until the estimated relative L2 error of every field is at most `tolerance`.

    again(sizes): solves on the mesh of these sizes.  budget: unknowns that the second level may have, about.
    scale: of the sizes in `again` relative to those of the map.
    The best level; its info holds {"levels": one row a mesh}, the cost of all meshes but for its own estimate, and a
    warning if the tolerance is not met.
    """
    base, before, best = level.function.mesh, None, level
    rows, errors = [_row(level)], [level.l2]
    total = _cost(level)
    reason = ""
    while level.l2 > tolerance:
        room = budget / level.finer["unknowns"]
        if room < ROOM:
            reason = f"the budget of {budget} unknowns is spent"
            break
        if len(errors) > STALLED and min(errors[-STALLED:]) > SLOW * errors[-STALLED - 1]:
            reason = f"{STALLED} more hardly made it smaller"
            break
        growth = min(GROWTH * 2**base.dim, room)
        sizes = next_sizes(level.errors, before, base, degree, _reduction(level, degree, tolerance), growth)
        sizes = MPI.COMM_WORLD.bcast(replace(sizes, sizes=sizes.sizes / scale))
        try:
            level, before = again(sizes), level.errors
        except GeometryError as error:
            reason = f"the mesh could not be refined: {error}"
            break
        rows.append(_row(level))
        errors.append(level.l2)
        total = {key: total[key] + value for key, value in _cost(level).items()}
        best = min(best, level, key=lambda one: one.l2)
    warnings = list(best.info["warnings"])
    if reason:
        warnings.append(
            f"the tolerance {tolerance:g} is not met: the estimated L2 error is {best.l2:.1e} after "
            f"{len(rows) - 1} refinements, and {reason}"
        )
    cost = {key: value - best.finer[key] for key, value in total.items()}
    return replace(best, info=best.info | cost | {"levels": rows, "warnings": warnings})


def _cost(level: Level) -> dict[str, float]:
    return {key: level.info[key] + level.finer[key] for key in ("seconds", "cpu_seconds")}


def _reduction(level: Level, degree: int, tolerance: float) -> float:
    """The factor for the error of gradients that brings that of values to the tolerance, if the solution is smooth."""
    functions = getattr(level.function, "together", level.function)
    h = min(
        (SAFETY * tolerance / error["l2"]) ** (1 / (own + 1))
        for error, own in zip(level.estimated.values(), functions.degrees, strict=True)
        if error["l2"] > 0
    )
    return h**degree


def _row(level: Level) -> dict[str, Any]:
    mesh: Mesh = level.function.mesh
    return {
        "cells": len(mesh.cells),
        "size_min": float(mesh.sizes.min()),
        "unknowns": level.info["unknowns"],
        "seconds": level.info["seconds"],
        "cpu_seconds": level.info["cpu_seconds"],
        "estimate": dict(level.finer),
        "estimated_error": level.estimated,
    }
