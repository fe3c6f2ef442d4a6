"""Dirichlet, point and initial conditions as scalar residuals  u_m - datum = 0."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from ufl.core.expr import Expr

from mlpde.errors import InputError, call_user
from mlpde.formulation.symbolic import lower, scalars
from mlpde.formulation.weak_form import WeakForm, rates
from mlpde.language import Omega, as_expression, is_function
from mlpde.problem import Dirichlet, Problem, field_of, initial_values

ORDINALS = {1: "first", 2: "second"}


def value_at(value: Any, omega: Omega, shape: tuple[int, ...], what: str) -> Expr:
    """Datum of a condition (number, tuple, function of x or of x, t) as a UFL expression of `shape`."""
    if is_function(value):
        arguments = (omega.x,) if omega.t is None or takes_one(value) else (omega.x, omega.t)
        value = call_user(value, arguments, what)
    return as_expression(value, shape, what)


def takes_one(function: Callable) -> bool:
    """True for a datum that is a function of x alone, not of x and t."""
    try:
        inspect.signature(function).bind(0, 0)
        return False
    except TypeError:
        return True


def condition_rows(problem: Problem, form: WeakForm, condition: Dirichlet) -> dict[int, Expr]:
    """u_m - datum of one Dirichlet condition, by the equation it replaces: component m counted over all fields."""
    target = field_of(problem, condition)
    k = problem.fields.index(target)
    what = f"the value of Dirichlet({(condition.boundary or condition.at)!r}) for field {target.name!r}"
    offset, every = sum(f.size for f in problem.fields[:k]), scalars(form.unknowns[k])
    if condition.component is None:
        data = scalars(value_at(condition.value, form.omega, target.shape, what))
        return {offset + i: u - g for i, (u, g) in enumerate(zip(every, data, strict=True))}
    datum = lower(value_at(condition.value, form.omega, (), what))
    return {offset + condition.component: every[condition.component] - datum}


def boundary_rows(problem: Problem, form: WeakForm, boundary: str) -> dict[int, Expr]:
    """u_m - datum for every component that is constrained on a boundary, by its number m."""
    rows: dict[int, Expr] = {}
    for condition in problem.dirichlet:
        if boundary in condition.boundaries(problem.domain):
            rows |= condition_rows(problem, form, condition)
    return rows


def initial_rows(problem: Problem, form: WeakForm, orders: Sequence[int]) -> list[Expr]:
    """u - u0 (and dt(u) - v0) of each field; `orders`: the order in time of each field, with 0 it has no initial value.

    Raises InputError unless the initial values are as many as the order.
    """
    expressions: list[Expr] = []
    for unknown, values in zip(form.unknowns, initial_data(problem, form.omega, orders), strict=True):
        for level, data in zip(rates(unknown), values, strict=False):
            expressions += [u - g for u, g in zip(scalars(level), scalars(data), strict=True)]
    return expressions


def initial_data(problem: Problem, omega: Omega, orders: Sequence[int]) -> list[list[Expr]]:
    """Per field its initial values, as many as its order in time: [], [u0] or [u0, v0].

    Raises InputError if there are more or fewer, or if no field has an order.
    """
    if not any(orders):
        raise InputError("weak_form of a problem in time contains no dt(...)")
    data = []
    for f, order in zip(problem.fields, orders, strict=True):
        values = initial_values(problem, f)
        if len(values) != order:
            if order == 0:
                raise InputError(
                    f"field {f.name!r} has an initial value, but weak_form has no dt(...) of it: leave it out"
                )
            right = "the value u0" if order == 1 else "the pair (u0, v0) of value and rate"
            raise InputError(
                f"field {f.name!r} is of {ORDINALS[order]} order in time: its initial must be {right}, "
                f"{len(values)} given"
            )
        names = (f.name, f"dt({f.name})")
        data.append(
            [
                value_at(value, omega, f.shape, f"the initial value of {name}")
                for value, name in zip(values, names, strict=False)
            ]
        )
    return data
