"""A semilinear parabolic problem on a domain as an initial value problem in s = T - t.

    u_t + mu.grad u + 1/2 a : grad grad u + f(t, x, u, z) = 0,   a = sigma sigma^T,   z = sigma^T grad u,   u(T) = g

becomes, with v(s) = u(T - s) and a : grad grad v = div(a grad v) - div(a).grad v, for all w

    int (v_s - mu.grad v - f) w + 1/2 div(a).grad v w + 1/2 (a grad v).grad w  dx  =  0,    v(0) = g.

The domain only truncates space: where no Dirichlet condition is given, the flux a grad v.n vanishes on its boundary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ufl
import ufl.classes as uc
from ufl.core.expr import Expr
from ufl.domain import extract_unique_domain

from mlpde.conditions import Dirichlet
from mlpde.errors import InputError, call_user
from mlpde.formulation.condition_rows import takes_one
from mlpde.language import Omega, as_expression, dt, is_function
from mlpde.problem import Problem, SemilinearParabolic


def initial_value_problem(problem: SemilinearParabolic) -> Problem:
    """The problem for v(s, .) = u(T - s, .); InputError if there is no domain, or a coefficient does not fit."""
    if problem.domain is None:
        raise InputError(
            "a SemilinearParabolic without domain=... has no mesh: give a domain that truncates space"
        )
    end = problem.horizon

    def weak_form(v: Expr, w: Expr, omega: Omega) -> ufl.Form:
        assert omega.t is not None
        t = end - omega.t
        sigma = diffusion_matrix(problem, t, omega.x)
        a = ufl.dot(sigma, ufl.transpose(sigma))
        slope = ufl.grad(v)
        z = ufl.dot(ufl.transpose(sigma), slope)
        drift = _called(problem.drift, (t, omega.x), (problem.dim,), "drift")
        if extract_unique_domain(a) is not None:
            drift = drift - ufl.div(a) / 2
        driver = _called(problem.driver, (t, omega.x, v, z), (), "driver")
        flux = ufl.inner(ufl.dot(a, slope), ufl.grad(w)) / 2
        return (dt(v) * w - ufl.dot(drift, slope) * w - driver * w + flux) * omega.dx

    return Problem(
        problem.domain,
        problem.fields,
        weak_form=weak_form,
        dirichlet=[_backward(condition, end) for condition in problem.dirichlet],
        time=problem.time,
        initial=problem.terminal,
    )


def diffusion_matrix(problem: SemilinearParabolic, t: Expr, x: Expr) -> Expr:
    """sigma (dim, dim) of a diffusion that is a scalar, the vector of a diagonal, or a matrix; 1 by default."""
    dim = problem.dim
    value: Any = 1.0 if problem.diffusion is None else call_user(problem.diffusion, (t, x), "diffusion")
    sigma = ufl.as_tensor(value) if isinstance(value, tuple | list) else ufl.as_ufl(value)
    shape = sigma.ufl_shape
    if shape == ():
        return sigma * ufl.Identity(dim)
    if shape == (dim,):
        return ufl.as_matrix([[sigma[i] if i == j else 0 for j in range(dim)] for i in range(dim)])
    if shape == (dim, dim):
        return sigma
    raise InputError(f"diffusion has shape {shape}: it must be a scalar, ({dim},) or ({dim}, {dim})")


def _called(function: Callable | None, arguments: tuple, shape: tuple[int, ...], what: str) -> Expr:
    if function is None:
        return uc.Zero(shape)
    return as_expression(call_user(function, arguments, what), shape, what)


def _backward(condition: Dirichlet, end: float) -> Dirichlet:
    """The condition with its value at T - s."""
    value = condition.value
    if not is_function(value) or takes_one(value):
        return condition
    return replace(condition, value=lambda x, s: value(x, end - s))
