"""FEM: the reference solver.  Lagrange elements of one degree, and a second, finer level that measures its error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

from mpi4py import MPI  # noqa: F401

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import basix
import dolfinx
import ufl
from petsc4py import PETSc
from slepc4py import SLEPc

import geometry
from geometry import SizeMap
from mlpde.errors import InputError
from mlpde.formulation.semilinear import initial_value_problem
from mlpde.problem import Eigenproblem, Problem, SemilinearParabolic
from mlpde.settings import chosen, positive, whole
from mlpde.solution import Solution
from reference_fem import adaptive, eigenproblem
from reference_fem.estimate import mode_difference, relative_difference
from reference_fem.evolution import TimeSettings, solve_in_time
from reference_fem.journal import Journal
from reference_fem.linear_solver import Choice
from reference_fem.steady import solve_level

UNRESOLVED = 0.3  # relative L2 error from which a solution is not to be used unseen


@dataclass(frozen=True)
class FEM:
    """Finite elements by DOLFINx and PETSc.

    degree: of the elements, 1 to 6; a pressure or another multiplier gets one less.
    size: of the mesh's cells; the domain's own by default.
    estimate: solve again with degree + 1 on a mesh of half the size, and report the difference as the estimated error.
    tolerance: of the estimated relative L2 error of every field.  The mesh is refined where the error is; in time the
    steps are, to 1e-4 if nothing is said, while the mesh stays.
    budget: unknowns that the second level may have, about, in refining; by default 500,000, in 3-D 200,000.
    steps: in time, all of the same length.  By default there are as many, short where the solution changes fast, as
    bring the estimated error in time, at the end and in L2(0, T), below `tolerance`.  What is much shorter than a step,
    such as a pulse of the data, may be overlooked: give steps that are shorter.
    scheme: "bdf2" or "theta" (the trapezoidal rule); by default theta, which keeps the energy, for an equation of
    second order in time, and BDF2 otherwise.  With theta a pressure, or another field without dt, oscillates.
    linear_solver: "direct" (MUMPS), "iterative" (conjugate gradients with multigrid, for symmetric positive definite
    problems of one field), or "auto": iterative where the problem is large and fits.  Eigenproblems are always direct.
    PETSc's options with the prefix "fem_" (-fem_ksp_type, -fem_pc_type, ... in PETSC_OPTIONS) come before it.
    """

    name: ClassVar[str] = "fem"
    parallel: ClassVar[bool] = True
    accepts: ClassVar[frozenset[str]] = frozenset(
        {
            "steady",
            "time",
            "semilinear",
            "eigenproblem",
            "several fields",
            "Nedelec",
            "periodic",
            "point condition",
        }
    )

    degree: int = 2
    size: float | None = None
    estimate: bool = True
    tolerance: float | None = None
    budget: int | None = None
    steps: int | None = None
    scheme: Literal["bdf2", "theta"] | None = None
    linear_solver: Choice = "auto"

    def __post_init__(self) -> None:
        whole(self, 1, "degree", most=6)
        whole(self, 1, *(name for name in ("budget", "steps") if getattr(self, name) is not None))
        positive(self, *(name for name in ("size", "tolerance") if getattr(self, name) is not None))
        chosen(self, "scheme", "linear_solver")

    def solve(self, problem: Any, *, seed: int = 0, monitor: Any = None) -> Solution:
        """The solution of degree `degree`, with info["estimated_error"] = {field: {"l2", "h1"}}, relative.

        In time there is "l2_time" too, in L2(0, T).
        info["mesh"] tells cells, sizes and worst quality; info["levels"] the meshes that led to a tolerance.
        `seed` plays no role.  Raises InputError if the problem has no unique solution or its data are not finite.
        """
        if not isinstance(problem.domain, geometry.Domain):
            raise InputError(f"FEM needs a geometry.Domain, which has a mesh, not {problem.domain!r}")
        in_time = getattr(problem, "time", None) is not None
        self._check_settings(in_time)
        function, info = (self._in_time if in_time else self._steady)(problem, monitor)
        info |= {"mesh": mesh_facts(function.mesh), "seed": seed, "versions": versions()}
        info["warnings"] = [*info["warnings"], *unresolved(info.get("estimated_error", {}))]
        return Solution(self.name, repr(self), problem.fields, function, function.mesh, info, problem)

    def _check_settings(self, in_time: bool) -> None:
        """InputError for a setting that would have no effect."""
        if in_time and self.budget is not None:
            raise InputError(
                "FEM: budget is for the mesh's refinement, and in time the mesh stays: leave it out"
            )
        if in_time and self.steps is not None and self.tolerance is not None:
            raise InputError(
                "FEM: tolerance chooses the steps in time, and steps gives them: keep one of them"
            )
        if in_time:
            return
        for name in ("steps", "scheme"):
            if getattr(self, name) is not None:
                raise InputError(f"FEM: {name} is for problems in time, and this one is steady: leave it out")
        if self.tolerance is not None and not self.estimate:
            raise InputError("FEM: tolerance bounds the estimated error: it needs estimate=True")
        if self.tolerance is None and self.budget is not None:
            raise InputError("FEM: budget bounds the refinement to a tolerance: give tolerance=... too")

    def _steady(self, problem: Problem | Eigenproblem, monitor: Any) -> tuple[Any, dict[str, Any]]:
        """The solution with its estimated error, refined to the tolerance if there is one."""
        is_eigenproblem = isinstance(problem, Eigenproblem)
        level: Any = partial(solve_level, linear_solver=self.linear_solver)
        level = eigenproblem.solve_level if is_eigenproblem else level
        difference: Any = mode_difference if is_eigenproblem else relative_difference
        step = 0

        def solve(sizes: SizeMap | None = None) -> adaptive.Level:
            nonlocal step
            found = adaptive.measured(problem, self.size, self.degree, level, difference, sizes)
            step += 1
            if monitor is not None:
                monitor.update(step, step, unknowns=found.info["unknowns"], estimated_error=found.l2)
            return found

        if not self.estimate:
            function, info = level(problem, self.size, self.degree)
            if monitor is not None:
                monitor.update(1, 1, unknowns=info["unknowns"])
            return function, info
        found = solve()
        if self.tolerance is not None:
            domain = problem.domain
            budget = self.budget or adaptive.BUDGET[domain.dim]
            scale = 1.0 if self.size is None else self.size / domain.default_size
            found = adaptive.refine(found, solve, self.degree, self.tolerance, budget, scale)
        return found.function, found.info

    def _in_time(self, problem: Problem | SemilinearParabolic, monitor: Any) -> tuple[Any, dict[str, Any]]:
        settings = TimeSettings(self.scheme, self.steps, self.tolerance, self.linear_solver)
        arguments = (self.size, self.degree, settings, self.estimate, Journal(monitor))
        if isinstance(problem, SemilinearParabolic):
            function, info = solve_in_time(initial_value_problem(problem), *arguments)
            return function.backward(problem.horizon), info
        return solve_in_time(problem, *arguments)


def unresolved(estimated: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A sentence for each field whose estimated error is too large to be of use."""
    return [
        f"the estimated relative L2 error of field {name!r} is {error['l2']:.2g}: the solution is not resolved, "
        "or does not exist; try a smaller size, a higher degree or tolerance=..."
        for name, error in estimated.items()
        if error["l2"] > UNRESOLVED
    ]


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
