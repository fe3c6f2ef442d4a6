"""FEM: the reference solver.  Lagrange elements of one degree, and a second, finer level that measures its error."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

from mpi4py import MPI

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import basix
import dolfinx
import numpy as np
import ufl
from petsc4py import PETSc
from slepc4py import SLEPc

import geometry
from geometry.size_map import SizeMap
from mlpde.errors import InputError
from mlpde.problem import Eigenproblem, Problem
from mlpde.settings import positive, whole
from mlpde.solution import Solution
from reference_fem import adaptive, eigenproblem
from reference_fem.dirichlet import PointValue, constrain
from reference_fem.estimate import mode_difference, relative_difference
from reference_fem.forms import discretise
from reference_fem.function import FiniteElementFunction
from reference_fem.gather import gather
from reference_fem.mesh import MAX_GEOMETRY_ORDER, distributed_mesh
from reference_fem.newton import solve_system
from reference_fem.system import System

BALANCED = 1e-8  # relative imbalance of the data that is worth no word


@dataclass(frozen=True)
class FEM:
    """Finite elements by DOLFINx and MUMPS.

    degree: of the elements; a pressure or another multiplier gets one less.
    size: of the mesh's cells; the domain's own by default.
    estimate: solve again with degree + 1 on a mesh of half the size, and report the difference as the estimated error.
    tolerance: refine the mesh where the error is, until the estimated relative L2 error of every field is at most this.
    budget: unknowns that the second level may have, about, in refining; by default 500,000, in 3-D 200,000.
    """

    name: ClassVar[str] = "fem"
    accepts: ClassVar[frozenset[str]] = frozenset(
        {"steady", "eigenproblem", "several fields", "Nedelec", "point condition"}
    )

    degree: int = 2
    size: float | None = None
    estimate: bool = True
    tolerance: float | None = None
    budget: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.degree, int) or not 1 <= self.degree <= 6:
            raise InputError(f"FEM: degree must be an integer from 1 to 6, not {self.degree!r}")
        if self.size is not None and not self.size > 0:
            raise InputError(f"FEM: size must be positive, not {self.size!r}")
        if self.tolerance is not None:
            positive(self, "tolerance")
            if not self.estimate:
                raise InputError("FEM: tolerance bounds the estimated error: it needs estimate=True")
        if self.budget is not None:
            whole(self, 1, "budget")

    def solve(self, problem: Problem | Eigenproblem, *, seed: int = 0, monitor: Any = None) -> Solution:
        """The solution of degree `degree`, with info["estimated_error"] = {field: {"l2", "h1"}}, relative.

        info["mesh"] tells cells, sizes and worst quality; info["levels"] the meshes that led to a tolerance.
        `seed` plays no role.  Raises InputError if the problem has no unique solution or its data are not finite.
        """
        if not isinstance(problem.domain, geometry.Domain):
            raise InputError(f"FEM needs a geometry.Domain, which has a mesh, not {problem.domain!r}")
        is_eigenproblem = isinstance(problem, Eigenproblem)
        level: Any = eigenproblem.solve_level if is_eigenproblem else solve_level
        difference: Any = mode_difference if is_eigenproblem else relative_difference
        if self.estimate:
            function, info = self._measured(problem, level, difference, monitor)
        else:
            function, info = level(problem, self.size, self.degree)
            if monitor is not None:
                monitor.update(1, 1, unknowns=info["unknowns"])
        info |= {"mesh": mesh_facts(function.mesh), "seed": seed, "versions": versions()}
        return Solution(self.name, repr(self), problem.fields, function, function.mesh, info, problem)

    def _measured(
        self, problem: Problem | Eigenproblem, level: Any, difference: Any, monitor: Any
    ) -> tuple[Any, dict[str, Any]]:
        """The solution with its estimated error, refined to the tolerance if there is one."""
        step = 0

        def solve(sizes: SizeMap | None = None) -> adaptive.Level:
            nonlocal step
            found = adaptive.measured(problem, self.size, self.degree, level, difference, sizes)
            step += 1
            if monitor is not None:
                monitor.update(step, step, unknowns=found.info["unknowns"], estimated_error=found.l2)
            return found

        found = solve()
        if self.tolerance is not None:
            domain = problem.domain
            budget = self.budget or adaptive.BUDGET[domain.dim]
            scale = 1.0 if self.size is None else self.size / domain.default_size
            found = adaptive.refine(found, solve, self.degree, self.tolerance, budget, scale)
        return found.function, found.info


def solve_level(
    problem: Problem, size: float | None, degree: int, sizes: SizeMap | None = None
) -> tuple[FiniteElementFunction, dict[str, Any]]:
    """Solve on one mesh; the same function on every rank, and {"seconds", "cpu_seconds", "unknowns", ...}."""
    start, cpu = time.perf_counter(), time.process_time()
    comm = MPI.COMM_WORLD
    mesh = distributed_mesh(problem.domain, size, degree, comm, sizes)
    forms = discretise(problem, mesh, degree)
    system = System(forms, constrain(problem, mesh, forms.unknowns))
    facts = solve_system(problem, system)
    function = fix_constants(problem, gather(mesh, forms.unknowns), system.constraints.points)
    warnings = [
        f"the sources and boundary fluxes of field {name!r} balance up to {value:.1e} only; the rest was spread evenly"
        for name, value in facts["imbalance"].items()
        if value > BALANCED
    ]
    return function, {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": comm.allreduce(time.process_time() - cpu),
        "unknowns": system.unknowns_count,
        "history": [{"step": step, "residual": norm} for step, norm in enumerate(facts["history"])],
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


def mesh_facts(mesh: geometry.Mesh) -> dict[str, Any]:
    """Number, sizes and worst scaled Jacobian of the elements; 1 is the quality of a regular simplex."""
    return {
        "cells": len(mesh.cells),
        "size_min": float(mesh.sizes.min()),
        "size_max": float(mesh.sizes.max()),
        "worst_quality": float(mesh.scaled_jacobians().min()),
    }


def versions() -> dict[str, str]:
    """Of the libraries that compute."""
    return {
        "dolfinx": dolfinx.__version__,
        "ufl": ufl.__version__,
        "basix": basix.__version__,
        "petsc": ".".join(map(str, PETSc.Sys.getVersion())),
        "slepc": ".".join(map(str, SLEPc.Sys.getVersion())),
    }
