"""Problems in time: a run whose time error is known, and a second level in space that measures the rest.

The time error comes from two runs on the same mesh, the second with every step halved: of a scheme of second order it
is a third of their difference.  The error in space comes from a run of degree + 1 on a mesh of half the size, on the
time grid of the coarser of the two, where both runs make the same error in time.  So no run has both fine meshes and
fine steps (the combination technique: M. Griebel, M. Schneider, C. Zenger, A combination technique for the solution of
sparse grid problems, 1992).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from mpi4py import MPI

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import numpy as np
from dolfinx import fem
from numpy.typing import NDArray
from ufl.domain import extract_unique_domain

from mlpde.formulation.condition_rows import initial_data
from mlpde.problem import Problem
from reference_fem.difference_formulas import stencil
from reference_fem.dirichlet import constrain, interpolation
from reference_fem.estimate import difference_in_time, times_of_errors
from reference_fem.forms import bind_omega, discretise
from reference_fem.gather import gather_history
from reference_fem.journal import Journal
from reference_fem.linear_solver import Choice
from reference_fem.mesh import DistributedMesh, distributed_mesh
from reference_fem.periodic import domain_to_mesh
from reference_fem.time_function import FiniteElementHistory
from reference_fem.time_runs import MOST_STEPS, Run, adaptive, difference, halved, march, thinned
from reference_fem.time_stepping import State, Stepper
from reference_fem.time_system import TimeSystem

TOLERANCE = 1e-4  # of the time error, where none is given
RICHARDSON = 3.0  # 2^order - 1: the difference of two runs over the error of the finer one
EXTRAPOLATION = 4 / 3  # the error of the coarser one over the difference
INTERPOLATION = 0.1  # of the tolerance, for values that are left out of the solution
CONTRADICTION = 1e-3  # between initial and Dirichlet values, relative, that is worth a word


@dataclass(frozen=True, eq=False)
class TimeSettings:
    """What a run is made with: scheme "bdf2", "theta" or None (by the order in time), steps or a tolerance."""

    scheme: str | None
    steps: int | None
    tolerance: float | None
    linear_solver: Choice


class Level:
    """One mesh and one degree: the stepper and its initial state."""

    def __init__(self, problem: Problem, size: float | None, degree: int, settings: TimeSettings) -> None:
        assert problem.time is not None
        self.problem, self.interval = problem, problem.time
        self.mesh = distributed_mesh(domain_to_mesh(problem), size, degree, MPI.COMM_WORLD)
        forms = discretise(problem, self.mesh, degree)
        evolution = forms.evolution
        assert evolution is not None
        evolution.t.value[...] = problem.time[0]
        data = initial_data(problem, bind_omega(self.mesh, evolution.t), evolution.orders)
        self.system = TimeSystem(forms, constrain(problem, self.mesh, forms.unknowns, evolution.t))
        self.system.check_mass()
        keeps_energy = max(evolution.orders) == 2 and min(evolution.orders) > 0
        scheme = settings.scheme or ("theta" if keeps_energy else "bdf2")
        self.stepper = Stepper(problem, self.system, scheme, settings.linear_solver)
        self.warnings: list[str] = []
        self.start = self._initial_state(data)

    def _initial_state(self, data: list) -> State:
        system = self.system
        levels = [np.zeros(int(system.offsets[-1])) for _ in range(3)]
        for k, (values, u) in enumerate(zip(data, system.forms.unknowns, strict=True)):
            for order, value in enumerate(values):
                function = fem.Function(u.function_space, name=u.name)
                _interpolate(value, function, self.mesh)
                owned = function.x.array[: system.sizes[k]]
                system.field(levels[order], k)[:] = owned
                system.check_finite(levels[order], "the initial value")
            if values:
                self._compare(k, system.field(levels[0], k), u)
        return State(self.interval[0], (levels[0], levels[1], levels[2]))

    def _compare(self, k: int, initial: NDArray, u: fem.Function) -> None:
        """A warning if the initial values of field k contradict its Dirichlet values (which `u` holds)."""
        fixed = self.system.constraints.fixed[k]
        fixed = fixed[fixed < len(initial)]
        jump = float(np.abs(initial[fixed] - u.x.array[fixed]).max(initial=0.0))
        size = float(max(np.abs(initial).max(initial=0.0), np.abs(u.x.array[fixed]).max(initial=0.0)))
        jump, size = (self.system.comm.allreduce(value, op=MPI.MAX) for value in (jump, size))
        if jump > CONTRADICTION * size:
            self.warnings.append(
                f"the initial value of field {u.name!r} differs from its Dirichlet values by up to {jump:.3g}: "
                "the solution starts with a jump"
            )

    def history(self, run: Run) -> FiniteElementHistory:
        """The run as a function, on every rank."""
        fields = range(len(self.problem.fields))
        values = [[self.system.field(value, k) for value in run.values] for k in fields]
        return gather_history(self.mesh, self.system.forms.unknowns, run.times, values)

    def difference(self, coarse: Run, fine: Run) -> float:
        """Relative difference of two runs, the largest over the fields that have a rate."""
        return float(difference(self.system, coarse.times, coarse.values, fine)[self.stepper.rated].max())

    def march(self, times: NDArray, journal: Journal) -> Run:
        """The run on a time grid."""
        return march(self.stepper, self.start, times, journal)


def _interpolate(value: Any, function: fem.Function, mesh: DistributedMesh) -> None:
    if extract_unique_domain(value) is None:  # UFL cannot interpolate plain numbers
        entries = np.asarray([value[index](()) for index in np.ndindex(value.ufl_shape)], dtype=np.float64)
        value = fem.Constant(mesh.mesh, entries.reshape(value.ufl_shape))
    dofmap = function.function_space.dofmap.index_map
    interpolation(value, function, np.arange(dofmap.size_local + dofmap.num_ghosts))()


def solve_in_time(
    problem: Problem,
    size: float | None,
    degree: int,
    settings: TimeSettings,
    estimate: bool,
    journal: Journal,
) -> tuple[FiniteElementHistory, dict[str, Any]]:
    """The solution on every rank, and {"seconds", "cpu_seconds", "unknowns", "steps", "scheme", "warnings", ...}.

    With `estimate` also {"estimated_error": {field: {"l2", "h1", "l2_time"}}}, at the end and in L2(0, T).
    Raises InputError for initial data or a mass that do not fit, and for a step that does not converge.
    """
    start, cpu = time.perf_counter(), time.process_time()
    level = Level(problem, size, degree, settings)
    error: float | None = None
    if settings.steps is None:
        tolerance = settings.tolerance or TOLERANCE
        coarse, run, error = _to_tolerance(level, tolerance, journal)
        finer = run
        if error > tolerance:
            level.warnings.append(
                f"the error in time is estimated at {error:.1e} with {run.steps} steps, above the tolerance "
                f"{tolerance:.0e}: more than {MOST_STEPS} steps are not taken"
            )
    else:
        times = np.linspace(*level.interval, settings.steps + 1)
        coarse = run = level.march(times, journal)
    info = {
        "unknowns": level.system.unknowns_count,
        "steps": run.steps,
        "scheme": level.stepper.scheme,
        "factorisations": level.stepper.factorisations,
        "history": [],
        "warnings": level.warnings,
        **_cost(start, cpu),
    }
    if estimate:
        start, cpu = time.perf_counter(), time.process_time()
        if error is None:
            finer = level.march(halved(coarse.times), journal)
            error = EXTRAPOLATION * level.difference(coarse, finer)
        half = (problem.domain.default_size if size is None else size) / 2
        fine = Level(problem, half, degree + 1, settings)
        estimated = _estimated_error(level, fine, run, coarse, finer, journal)
        info |= estimated
        info["estimate"] = {"unknowns": fine.system.unknowns_count, **_cost(start, cpu)}
        left = max(errors["l2"] for errors in estimated["estimated_error"].values())
        if settings.tolerance is not None and error <= settings.tolerance < left:
            level.warnings.append(
                f"the tolerance {settings.tolerance:g} is met by the steps in time, but the estimated L2 error is "
                f"{left:.1e}: the rest is the mesh's, which a smaller size or a higher degree makes smaller"
            )
    if error is not None:
        info["time_error"] = error
        run = thinned(level.system, run, INTERPOLATION * error)
    return level.history(run), info


def _estimated_error(
    level: Level, fine: Level, run: Run, coarse: Run, finer: Run, journal: Journal
) -> dict[str, Any]:
    """The error of `run`, with the second level of space run on the grid of `coarse`.

    Extrapolated in time, the exact solution is about fine + 4/3 (finer - coarse), so the error of `run` is the
    difference of `fine` from run - 4/3 (finer - coarse).
    """
    corrected = [
        u - EXTRAPOLATION * (b - a)
        for u, a, b in zip(run.at(coarse.times), coarse.values, finer.at(coarse.times), strict=True)
    ]
    times, weights = times_of_errors(level.interval)
    kept = np.unique(stencil(coarse.times, times))
    given = level.history(Run(coarse.times[kept], [corrected[n] for n in kept]))
    known = fine.history(march(fine.stepper, fine.start, coarse.times, journal, kept))
    return difference_in_time(level.problem.fields, given, known, times, weights)


def _to_tolerance(level: Level, tolerance: float, journal: Journal) -> tuple[Run, Run, float]:
    """Two runs, the second with every step of the first halved, and the second's error in time."""
    coarse = adaptive(level.stepper, level.start, level.interval, tolerance, journal)
    while True:
        fine = level.march(halved(coarse.times), journal)
        error = level.difference(coarse, fine) / RICHARDSON
        if error <= tolerance or 2 * fine.steps > MOST_STEPS:
            return coarse, fine, error
        coarse = fine


def _cost(start: float, cpu: float) -> dict[str, float]:
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": MPI.COMM_WORLD.allreduce(time.process_time() - cpu),
    }
