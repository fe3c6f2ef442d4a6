"""Solve F(u) = 0: one Newton step if F is affine, PETSc's line-search Newton if not, along the load if that fails."""

from __future__ import annotations

from typing import Any

from mpi4py import MPI  # noqa: F401

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import numpy as np
from petsc4py import PETSc

from mlpde.errors import InputError
from mlpde.problem import Problem
from reference_fem.constants import FreeConstants, check_kernel, declared, solve_pinned
from reference_fem.continuation import follow_load
from reference_fem.linear_solver import Choice, LinearSolver
from reference_fem.start import regular_start, tangent_at_zero
from reference_fem.system import System

RELATIVE_RESIDUAL = 1e-10
RELATIVE_STEP = 1e-12
MAX_STEPS = 50


def solve_system(problem: Problem, system: System, linear_solver: Choice = "auto") -> dict[str, Any]:
    """Solve for the unknowns, in place; fields that are free up to a constant come out unshifted.

    Returns {"history": [{"step", "residual"}], with "load" if the data had to be scaled, "imbalance": of the data by
    field, "linear_solver": facts of the last linear solve, "warnings"}.
    Raises InputError if the solution is not unique, does not exist or is not finite, or if Newton's method stalls.
    """
    free = declared(problem, system)
    if system.forms.linear:
        return _one_step(problem, system, free, linear_solver)
    newton = Newton(system, free, linear_solver)
    history = _nonlinear(newton)
    system.jacobian(newton.matrix)
    check_kernel(newton.matrix, problem, system, free)
    return {
        "history": [{"step": step, **row} for step, row in enumerate(history)],
        "imbalance": {},
        "linear_solver": newton.facts,
        "warnings": list(dict.fromkeys(newton.warnings)),
    }


def _one_step(problem: Problem, system: System, free: FreeConstants, choice: Choice) -> dict[str, Any]:
    b, matrix = system.vector(), system.new_matrix()
    system.residual(b)
    system.check_finite(b.array_r, "the weak form")
    system.jacobian(matrix)
    check_kernel(matrix, problem, system, free)
    step, facts = solve_pinned(matrix, b, system, free, choice)
    x = system.vector()
    system.read(x)
    x.axpy(-1.0, step)
    if not np.isfinite(x.norm()):
        raise InputError(
            "the solution is not finite: the problem has no unique solution, or its coefficients overflow"
        )
    system.write(x)
    return {"history": [], **facts}


class Newton:
    """Newton's method with line search (SNES) for F(u) = shift, where the fixed rows of u keep their values.

    facts, warnings: of the linear solver.
    """

    def __init__(self, system: System, free: FreeConstants, choice: Choice) -> None:
        self.system, self.free, self.choice = system, free, choice
        self.matrix, self.b = system.new_matrix(), system.vector()
        # the vectors that PETSc makes for itself do not know the blocks of several fields
        self.assembled = system.vector()
        start, end = self.b.getOwnershipRange()
        self.pinned = np.array([row - start for row in free.rows if start <= row < end], dtype=np.int64)
        self.facts: dict[str, Any] = {}
        self.warnings: list[str] = []

    def residual(self, state: Any, out: Any) -> None:
        """out <- F(state)."""
        self.system.write(state)
        self.system.residual(self.assembled)
        self.assembled.array[self.pinned] = 0.0
        self.assembled.copy(out)

    def jacobian(self, state: Any, out: Any) -> None:
        """out <- F'(state)."""
        self.system.write(state)
        self.system.jacobian(out)
        if self.free.rows:
            out.zeroRowsColumns(np.asarray(self.free.rows, dtype=np.int32))

    def solve(
        self, x: Any, shift: Any = None, tolerance: float = 0.0, max_steps: int = MAX_STEPS
    ) -> list[float]:
        """F(x) = shift from the start x, in place; the residual norms, down to `tolerance` or a relative one.

        Raises InputError if it does not converge; `x` is then of no use.
        """
        self.b = self.system.vector()  # a failed solve may leave its vector locked
        failure: list[InputError] = []  # PETSc turns exceptions of its callbacks into codes of its own

        def guarded(function: Any) -> Any:
            def call(*arguments: Any) -> None:
                try:
                    function(*arguments)
                except InputError as error:
                    failure.append(error)
                    raise

            return call

        def residual(_: Any, state: Any, out: Any) -> None:
            self.residual(state, out)
            if shift is not None:
                out.axpy(-1.0, shift)

        snes = PETSc.SNES().create(self.matrix.comm)
        snes.setType("newtonls")
        snes.setFunction(guarded(residual), self.b)
        snes.setJacobian(guarded(lambda _, state, out, __: self.jacobian(state, out)), self.matrix)
        snes.setTolerances(rtol=RELATIVE_RESIDUAL, atol=tolerance, stol=RELATIVE_STEP, max_it=max_steps)
        snes.setConvergenceHistory(length=max_steps + 1)
        ksp = snes.getKSP()
        ksp.setType("preonly")
        ksp.getPC().setType("python")
        ksp.getPC().setPythonContext(_Inner(self, guarded))
        try:
            snes.solve(None, x)
        except PETSc.Error:
            if failure:
                raise failure[0] from None
            raise
        history: list[float] = np.asarray(snes.getConvergenceHistory()[0]).tolist()
        if not snes.is_converged:
            norms = f"from {history[0]:.2e} to {history[-1]:.2e}" if history else "to nan"
            raise InputError(
                f"Newton's method did not converge (PETSc's reason {snes.getConvergedReason()}): the residual, largest "
                f"in the equation of field {self._largest()!r}, went {norms} in {max(len(history) - 1, 0)} steps"
            )
        self.system.write(x)
        return history

    def _largest(self) -> str:
        """The field with the largest part of the last residual."""
        parts = [np.sum(part**2) for part in np.split(self.b.array_r, self.system.offsets[1:-1])]
        return self.system.forms.unknowns[int(np.argmax(self.system.comm.allreduce(np.array(parts))))].name


class _Inner:
    """The linear solver of a Newton step, in the form that PETSc calls."""

    def __init__(self, newton: Newton, guarded: Any) -> None:
        self.newton = newton
        self.setUp, self.apply = guarded(self._set_up), guarded(self._apply)

    def _set_up(self, pc: Any) -> None:
        self.solver = LinearSolver(pc.getOperators()[1], self.newton.system, self.newton.choice)

    def _apply(self, _: Any, b: Any, x: Any) -> None:
        self.solver.solve(b).copy(x)
        self.newton.facts = self.solver.facts
        self.newton.warnings += self.solver.warnings


def _nonlinear(newton: Newton) -> list[dict[str, Any]]:
    """Newton's method from the best start known; if it fails, along the load.  Rows of the history."""
    data, b = newton.system.vector(), newton.system.vector()
    newton.system.read(data)
    linear = tangent_at_zero(newton, data)
    start = regular_start(newton, data) if linear is None else linear
    newton.residual(data, b)
    before = b.norm()
    newton.residual(start, b)
    # a jump from the boundary values to zero within one layer of cells may turn a body inside out
    x = data.copy() if np.isfinite(before) and before <= b.norm() else start.copy()
    newton.residual(x, b)  # later on the line search shortens a step that leads to nan
    newton.system.check_finite(b.array_r, "the weak form at the start, where the unknowns are zero inside,")
    try:
        return [{"residual": norm} for norm in newton.solve(x)]
    except InputError as failure:
        return follow_load(newton, data, start, failure, RELATIVE_RESIDUAL * b.norm())
