"""One steady problem on one mesh: discretise, solve, gather."""

from __future__ import annotations

import time
from typing import Any

from mpi4py import MPI

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import numpy as np

from geometry import SizeMap
from mlpde.errors import InputError
from mlpde.problem import Problem
from reference_fem.dirichlet import PointValue, constrain
from reference_fem.forms import discretise
from reference_fem.function import FiniteElementFunction
from reference_fem.gather import gather
from reference_fem.linear_solver import Choice
from reference_fem.mesh import MAX_GEOMETRY_ORDER, distributed_mesh
from reference_fem.newton import solve_system
from reference_fem.periodic import domain_to_mesh
from reference_fem.system import System

BALANCED = 1e-8  # relative imbalance of the data that is worth no word


def solve_level(
    problem: Problem,
    size: float | None,
    degree: int,
    sizes: SizeMap | None = None,
    linear_solver: Choice = "auto",
) -> tuple[FiniteElementFunction, dict[str, Any]]:
    """Solve on one mesh; the same function on every rank, and {"seconds", "cpu_seconds", "unknowns", ...}."""
    start, cpu = time.perf_counter(), time.process_time()
    comm = MPI.COMM_WORLD
    mesh = distributed_mesh(domain_to_mesh(problem), size, degree, comm, sizes)
    forms = discretise(problem, mesh, degree)
    system = System(forms, constrain(problem, mesh, forms.unknowns))
    facts = solve_system(problem, system, linear_solver)
    function = fix_constants(problem, gather(mesh, forms.unknowns), system.constraints.points)
    warnings = facts["warnings"] + [
        f"the sources and boundary fluxes of field {name!r} balance up to {value:.1e} only; the rest was spread evenly"
        for name, value in facts["imbalance"].items()
        if value > BALANCED
    ]
    return function, {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": comm.allreduce(time.process_time() - cpu),
        "unknowns": system.unknowns_count,
        "history": facts["history"],
        "linear_solver": facts["linear_solver"],
        "warnings": warnings,
    }


def fix_constants(
    problem: Problem, function: FiniteElementFunction, points: tuple[PointValue, ...]
) -> FiniteElementFunction:
    """Shift the fields that are fixed up to a constant: to mean zero, or to their value at a point."""
    values = list(function.values)
    first = np.cumsum([0, *(f.size for f in problem.fields)])
    for k, field in enumerate(problem.fields):
        if field.mean_zero:
            integral, volume = 0.0, 0.0
            for cells, xi, weights in function.quadrature(function.degrees[k] + MAX_GEOMETRY_ORDER):
                integral += float(weights @ function.jets_at(cells, xi, [()])[()][:, first[k]])
                volume += float(weights.sum())
            values[k] = values[k] - integral / volume
    for point in points:
        there = function.jets(point.point[None], [()])[()][0, first[point.field]]
        if not np.isfinite(there):
            raise InputError(
                f"Dirichlet(at={tuple(point.point.tolist())}): the point lies outside the domain"
            )
        values[point.field] = values[point.field] + (point.value - there)
    return FiniteElementFunction(function.mesh, function.degrees, tuple(values))
