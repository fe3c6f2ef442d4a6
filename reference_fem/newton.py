"""Solve F(u) = 0: one Newton step if F is affine, PETSc's line-search Newton if not."""

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
from reference_fem.linear import Factorisation
from reference_fem.system import System

RELATIVE_RESIDUAL = 1e-10
RELATIVE_STEP = 1e-12
MAX_STEPS = 50
DIFFERENCE = 1e-6  # step of a directional derivative by differences; the start need not be more accurate


def solve_system(problem: Problem, system: System) -> dict[str, Any]:
    """Solve for the unknowns, in place; fields that are free up to a constant come out unshifted.

    Returns {"history": residual norms, "imbalance": of the data by field}.
    Raises InputError if the solution is not unique, does not exist or is not finite, or if Newton's method stalls.
    """
    free = declared(problem, system)
    if system.forms.linear:
        return _one_step(problem, system, free)
    return _newton(problem, system, free)


def _one_step(problem: Problem, system: System, free: FreeConstants) -> dict[str, Any]:
    b, matrix = system.vector(), system.new_matrix()
    system.residual(b)
    system.check_finite(b.array_r, "the weak form")
    system.jacobian(matrix)
    check_kernel(matrix, problem, system, free)
    step, imbalance = solve_pinned(matrix, b, system, free)
    x = system.vector()
    system.read(x)
    x.axpy(-1.0, step)
    if not np.isfinite(x.norm()):
        raise InputError(
            "the solution is not finite: the problem has no unique solution, or its coefficients overflow"
        )
    system.write(x)
    return {"history": [], "imbalance": imbalance}


def _newton(problem: Problem, system: System, free: FreeConstants) -> dict[str, Any]:
    matrix, b, x = system.new_matrix(), system.vector(), system.vector()
    assembled = (
        system.vector()
    )  # the vectors that PETSc makes for itself do not know the blocks of several fields
    start, end = b.getOwnershipRange()
    pinned = np.array([row - start for row in free.rows if start <= row < end], dtype=np.int64)
    failure: list[InputError] = []  # PETSc turns exceptions of the callbacks into codes of its own

    def residual(_: Any, state: Any, out: Any) -> None:
        system.write(state)
        system.residual(assembled)
        assembled.array[pinned] = 0.0
        assembled.copy(out)

    def jacobian(_: Any, state: Any, out: Any, __: Any) -> None:
        system.write(state)
        system.jacobian(out)
        if free.rows:
            out.zeroRowsColumns(np.asarray(free.rows, dtype=np.int32))

    def guarded(function: Any) -> Any:
        def call(*arguments: Any) -> None:
            try:
                function(*arguments)
            except InputError as error:
                failure.append(error)
                raise

        return call

    snes = PETSc.SNES().create(matrix.comm)
    snes.setType("newtonls")
    snes.setFunction(guarded(residual), b)
    snes.setJacobian(guarded(jacobian), matrix)
    snes.setTolerances(rtol=RELATIVE_RESIDUAL, stol=RELATIVE_STEP, max_it=MAX_STEPS)
    snes.setConvergenceHistory(length=MAX_STEPS + 1)
    ksp = snes.getKSP()
    ksp.setType("preonly")
    ksp.getPC().setType("lu")
    ksp.getPC().setFactorSolverType("mumps")
    system.read(x)
    _lift(system, free, residual, x)
    residual(snes, x, b)  # later on the line search shortens a step that leads to nan
    system.check_finite(b.array_r, "the weak form at the start, where the unknowns are zero inside,")
    try:
        snes.solve(None, x)
    except PETSc.Error:
        if failure:
            raise failure[0] from None
        raise
    history = [float(norm) for norm in snes.getConvergenceHistory()[0]]
    if not snes.is_converged:
        reason = snes.getConvergedReason()
        raise InputError(
            f"Newton's method did not converge (PETSc's reason {reason}): the residual went from {history[0]:.2e} to "
            f"{history[-1]:.2e} in {len(history) - 1} steps; start from an easier problem, or check the weak form"
        )
    system.write(x)
    system.jacobian(matrix)
    check_kernel(matrix, problem, system, free)
    return {"history": history, "imbalance": {}}


def _lift(system: System, free: FreeConstants, residual: Any, x: Any) -> None:
    """Spread the Dirichlet values x = g into the domain: x <- g + d, F(0) + F'(0) (g + d) = 0, d = 0 where g is given.

    A jump from g to zero within one layer of cells is no start for Newton's method: it may turn a body inside out.
    Kept only where the residual gets smaller, so not where F' is singular at zero.
    """
    norm = x.norm(3)
    if norm == 0.0:
        return
    before, nearby, right = system.vector(), system.vector(), system.vector()
    residual(None, x, before)
    step = DIFFERENCE / norm
    residual(None, step * x, nearby)
    residual(None, 0.0 * x, right)
    right.axpby(1 / step, 1 - 1 / step, nearby)  # F(0) + (F(step g) - F(0)) / step
    matrix = system.new_matrix()
    try:
        system.jacobian(matrix)  # about zero, where the residual was last
        matrix.zeroRowsColumns(np.asarray(free.rows, dtype=np.int32))
        lifted = x - Factorisation(matrix).solve(right)
    except InputError:
        return
    residual(None, lifted, nearby)
    if nearby.norm() < before.norm() or not np.isfinite(before.norm()):
        lifted.copy(x)
