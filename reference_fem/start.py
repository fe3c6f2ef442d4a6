"""Where Newton's method starts: from the linear problem about zero, or from Laplace's if that one is singular."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mpi4py import MPI  # noqa: F401

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import numpy as np
import ufl
from dolfinx import fem

from mlpde.errors import InputError
from reference_fem.kernels import compiled
from reference_fem.linear_solver import LinearSolver
from reference_fem.multigrid import is_one_lagrange_field

if TYPE_CHECKING:
    from reference_fem.newton import Newton

DIFFERENCE = 1e-6  # step of a directional derivative by differences; a start need not be more accurate
SCALES = 2.0 ** np.arange(-20, 21)


def tangent_at_zero(newton: Newton, data: Any) -> Any | None:
    """u with F(0) + F'(0) u = 0 and the fixed rows of `data`: the derivative by the load of the solution at load 0.

    None if the linear problem is singular or not defined at zero.
    """
    right, nearby = newton.system.vector(), newton.system.vector()
    newton.residual(0.0 * data, right)
    norm = data.norm(3)
    if norm > 0:  # the columns of fixed rows are not in the matrix: F'(0) g = (F(step g) - F(0)) / step
        step = DIFFERENCE / norm
        newton.residual(step * data, nearby)
        right.axpby(1 / step, 1 - 1 / step, nearby)
    try:
        newton.jacobian(0.0 * data, newton.matrix)
        tangent = data - LinearSolver(newton.matrix, newton.system, newton.choice).solve(right)
    except InputError:
        return None
    return tangent if np.isfinite(tangent.norm()) else None


def regular_start(newton: Newton, data: Any) -> Any:
    """g + s w: g the harmonic extension of `data`, w with Lap w = F(0), and s where the residual is smallest.

    A form that is degenerate where the unknown or its gradient vanishes (p-Laplace, p > 2) is not so there.
    Several fields or a form that Laplace's equation does not fit start from `data` itself.
    """
    system = newton.system
    if not is_one_lagrange_field(system):
        return data
    u = system.forms.unknowns[0]
    v, step = ufl.TestFunction(u.function_space), ufl.TrialFunction(u.function_space)
    both = [ufl.inner(ufl.grad(w), ufl.grad(v)) * ufl.dx for w in (u, step)]
    forms = compiled(fem.form, both, comm=system.comm)
    laplace = replace(system, forms=replace(system.forms, residual=forms[0], jacobian=forms[1]))
    origin, image = system.vector(), system.vector()
    newton.residual(0.0 * data, origin)
    matrix = laplace.new_matrix()
    laplace.jacobian(matrix)
    system.write(data)
    laplace.residual(image)
    try:
        solver = LinearSolver(matrix, laplace, newton.choice)
        extended, way = data - solver.solve(image), solver.solve(origin)
    except InputError:
        return data
    best, start = np.inf, data
    for scale in SCALES if np.isfinite(way.norm()) and way.norm() > 0 else (0.0,):
        candidate = extended.copy()
        candidate.axpy(-scale, way)
        newton.residual(candidate, image)
        if image.norm() < best:
            best, start = image.norm(), candidate
    return start
