"""FEM: the reference solver.  Lagrange elements of one degree, and a second, finer level that measures its error."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

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
from mlpde.errors import InputError
from mlpde.formulation.semilinear import initial_value_problem
from mlpde.problem import Eigenproblem, Problem, SemilinearParabolic
from mlpde.solution import Solution
from reference_fem import eigenproblem
from reference_fem.dirichlet import PointValue, constrain
from reference_fem.estimate import mode_difference, relative_difference
from reference_fem.evolution import TimeSettings, solve_in_time
from reference_fem.forms import discretise
from reference_fem.function import FiniteElementFunction
from reference_fem.gather import gather
from reference_fem.journal import Journal
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
    steps: in time, all of the same length.  By default there are as many, short where the solution changes fast, as
    bring the estimated error in time, at the end and in L2(0, T), below `tolerance` (1e-4 by default).
    scheme: "bdf2" or "theta" (the trapezoidal rule); by default theta, which keeps the energy, for an equation of
    second order in time, and BDF2 otherwise.  With theta a pressure, or another field without dt, oscillates.
    """

    name: ClassVar[str] = "fem"
    accepts: ClassVar[frozenset[str]] = frozenset(
        {"steady", "time", "semilinear", "eigenproblem", "several fields", "Nedelec", "point condition"}
    )

    degree: int = 2
    size: float | None = None
    estimate: bool = True
    steps: int | None = None
    tolerance: float | None = None
    scheme: Literal["bdf2", "theta"] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.degree, int) or not 1 <= self.degree <= 6:
            raise InputError(f"FEM: degree must be an integer from 1 to 6, not {self.degree!r}")
        if self.size is not None and not self.size > 0:
            raise InputError(f"FEM: size must be positive, not {self.size!r}")
        if self.steps is not None and not (isinstance(self.steps, int) and self.steps > 0):
            raise InputError(f"FEM: steps must be a positive integer, not {self.steps!r}")
        if self.tolerance is not None and not self.tolerance > 0:
            raise InputError(f"FEM: tolerance must be positive, not {self.tolerance!r}")
        if self.scheme not in (None, "bdf2", "theta"):
            raise InputError(f"FEM: scheme must be 'bdf2' or 'theta', not {self.scheme!r}")

    def solve(self, problem: Any, *, seed: int = 0, monitor: Any = None) -> Solution:
        """The solution of degree `degree`, with info["estimated_error"] = {field: {"l2", "h1"}}, relative.

        `seed` plays no role.  Raises InputError if the problem has no unique solution or its data are not finite.
        """
        if not isinstance(problem.domain, geometry.Domain):
            raise InputError(f"FEM needs a geometry.Domain, which has a mesh, not {problem.domain!r}")
        if getattr(problem, "time", None) is not None:
            return self._solve_in_time(problem, seed, monitor)
        total = 2 if self.estimate else 1
        is_eigenproblem = isinstance(problem, Eigenproblem)
        level: Any = eigenproblem.solve_level if is_eigenproblem else solve_level
        difference: Any = mode_difference if is_eigenproblem else relative_difference
        function, info = level(problem, self.size, self.degree)
        if monitor is not None:
            monitor.update(1, total, unknowns=info["unknowns"])
        info |= {"seed": seed, "versions": versions()}
        if self.estimate:
            size = problem.domain.default_size if self.size is None else self.size
            finer, facts = level(problem, size / 2, self.degree + 1)
            start, cpu = time.perf_counter(), time.process_time()
            info |= difference(problem.fields, function, finer)
            info["estimate"] = {
                "unknowns": facts["unknowns"],
                "seconds": facts["seconds"] + time.perf_counter() - start,
                "cpu_seconds": facts["cpu_seconds"] + time.process_time() - cpu,
            }
            if monitor is not None:
                monitor.update(2, total, unknowns=facts["unknowns"])
        return Solution(self.name, repr(self), problem.fields, function, function.mesh, info, problem)

    def _solve_in_time(self, problem: Any, seed: int, monitor: Any) -> Solution:
        backward = isinstance(problem, SemilinearParabolic)
        forward = initial_value_problem(problem) if backward else problem
        settings = TimeSettings(self.scheme, self.steps, self.tolerance)
        function, info = solve_in_time(
            forward, self.size, self.degree, settings, self.estimate, Journal(monitor)
        )
        if backward:
            function = function.backward(problem.horizon)
        info |= {"seed": seed, "versions": versions()}
        return Solution(self.name, repr(self), problem.fields, function, function.mesh, info, problem)


def solve_level(
    problem: Problem, size: float | None, degree: int
) -> tuple[FiniteElementFunction, dict[str, Any]]:
    """Solve on one mesh; the same function on every rank, and {"seconds", "cpu_seconds", "unknowns", ...}."""
    start, cpu = time.perf_counter(), time.process_time()
    comm = MPI.COMM_WORLD
    mesh = distributed_mesh(problem.domain, size, degree, comm)
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


def versions() -> dict[str, str]:
    """Of the libraries that compute."""
    return {
        "dolfinx": dolfinx.__version__,
        "ufl": ufl.__version__,
        "basix": basix.__version__,
        "petsc": ".".join(map(str, PETSc.Sys.getVersion())),
        "slepc": ".".join(map(str, SLEPc.Sys.getVersion())),
    }
