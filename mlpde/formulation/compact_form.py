"""The strong form in any dimension, without writing out its components: second derivatives as Laplacians only.

The flux of a weak form is A = k(x, u) grad u + w(x, u).  In index notation, deltas contracted,

    div A = k Lap u + grad k . grad u + div w,

so that value, gradient and Laplacian of the unknown are all a residual needs, in 100 dimensions as in 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import ufl
import ufl.classes as uc
from ufl.core.expr import Expr
from ufl.domain import extract_unique_domain

from mlpde.errors import InputError
from mlpde.formulation.compact_rows import CompactRows
from mlpde.formulation.condition_rows import boundary_rows, condition_rows, initial_rows
from mlpde.formulation.kronecker import contract
from mlpde.formulation.residual import StrongForm
from mlpde.formulation.symbolic import (
    depends_on,
    derivative_by,
    lower,
    postorder,
    rebuilt,
    shortened,
    strip_gradients,
    substitute,
)
from mlpde.formulation.weak_form import (
    Unknown,
    WeakForm,
    abstract_function,
    check_switches,
    integrands_of,
)
from mlpde.problem import Problem


def compact_form(problem: Problem) -> StrongForm:
    """The rows of a problem on a Box or a Ball; boundaries with the same conditions make one group of rows.

    Raises InputError for what has no pointwise residual, or second derivatives other than Laplacians.
    """
    omega, unknowns, tests, cell, facet = integrands_of(problem)
    dim, region = problem.domain.dim, problem.domain.regions[0]
    if problem.periodic:
        raise InputError("periodic boundaries of a domain without a mesh: no solver takes them")
    laplacians = {u: abstract_function(dim, u.ufl_shape, name=f"Laplacian of {u}") for u in unknowns}

    def group(kind: str, where: Any, expressions: Sequence[Expr]) -> CompactRows:
        simple = tuple(_with_laplacians(contract(lower(e)), laplacians) for e in expressions)
        return CompactRows(kind, where, simple, tuple(unknowns), laplacians, dim)

    source, flux = _split(cell[region], tests)
    check_switches([a for a in flux if a is not None], omega)
    j = ufl.Index()
    inside = [
        b if a is None or extract_unique_domain(a) is None else b - a[j].dx(j)
        for b, a in zip(source, flux, strict=True)
    ]
    rows = [group("interior", region, inside)]
    symbols = WeakForm(omega, tuple(unknowns), {}, {}, {})
    for names in _faces(problem, facet):
        dirichlet = boundary_rows(problem, symbols, names[0])
        if dirichlet:
            rows.append(group("dirichlet", names, list(dirichlet.values())))
        given, with_gradient = _split(facet[names[0]], tests)
        if any(a is not None for a in with_gradient):
            raise InputError(f"the integral over boundary {names[0]!r} contains grad(v): rewrite it without")
        natural = [
            s if a is None else s + ufl.dot(a, omega.n)
            for k, (s, a) in enumerate(zip(given, flux, strict=True))
            if k not in dirichlet
        ]
        natural = [e for e in natural if not isinstance(e, uc.Zero)]
        if natural:
            rows.append(group("natural", names, natural))
    for condition in problem.dirichlet:
        if condition.at is not None:
            rows.append(
                group("point", condition.at, list(condition_rows(problem, symbols, condition).values()))
            )
    if problem.time is not None:
        orders, start = [], 0
        for f in problem.fields:
            components = range(start, start := start + f.size)
            orders.append(max(r.order(m, dim) for r in rows for m in components))
        rows.append(group("initial", problem.time[0], initial_rows(problem, symbols, orders)))
    constants = [f.mean_zero for f in problem.fields for _ in range(f.size)]
    free = tuple(m for m, is_free in enumerate(constants) if is_free)
    return StrongForm(tuple(rows), len(constants), dim, free=free)


def _faces(problem: Problem, integrands: dict[str, Expr]) -> list[tuple[str, ...]]:
    """The boundaries, those with the same conditions together."""
    groups: dict[Any, list[str]] = {}
    for name in problem.domain.boundaries:
        conditions = (k for k, one in enumerate(problem.dirichlet) if name in one.boundaries(problem.domain))
        groups.setdefault((*conditions, integrands[name]), []).append(name)
    return [tuple(names) for names in groups.values()]


def _split(integrand: Expr, tests: list[Unknown]) -> tuple[list[Expr], list[Expr | None]]:
    """integrand = b.v + A:grad v  ->  b, and the rows of A (d,), None where they are zero."""
    integrand = lower(integrand)
    values = {v: ufl.variable(v) for v in tests}
    slopes = {ufl.grad(v): ufl.variable(ufl.grad(v)) for v in tests}
    wrapped = substitute(integrand, values | slopes)
    source: list[Expr] = []
    flux: list[Expr | None] = []
    derivatives = []
    for v in tests:
        by_value, by_slope = (
            derivative_by(wrapped, variable) for variable in (values[v], slopes[ufl.grad(v)])
        )
        derivatives += [by_value, by_slope]
        for component in np.ndindex(v.ufl_shape):
            source.append(by_value[component] if component else by_value)
            flux.append(
                None
                if isinstance(by_slope, uc.Zero)
                else (by_slope[(*component, slice(None))] if component else by_slope)
            )
    bad = next((d for d in derivatives if depends_on(d, tests)), None)
    rest = substitute(integrand, {node: uc.Zero(node.ufl_shape) for node in [*slopes, *values]})
    if bad is not None or not isinstance(rest, uc.Zero):
        what = (
            f"its derivative by v contains v: {shortened(bad)}"
            if bad is not None
            else f"{shortened(rest)} stands without v"
        )
        raise InputError(f"weak_form must be linear in the test function v in every term: {what}")
    return source, flux


def _with_laplacians(expression: Expr, laplacians: dict[Unknown, Unknown]) -> Expr:
    """sum_i u_ii as one symbol; InputError if another second derivative is left."""
    results: dict[Expr, Expr] = {}
    for node in postorder([expression]):
        results[node] = rebuilt(node, results)
        if isinstance(node, uc.IndexSum):
            summand, (index,) = node.ufl_operands
            if isinstance(summand, uc.Indexed):
                unknown, order = strip_gradients(summand.ufl_operands[0])
                *component, first, second = (*summand.ufl_operands[1],) if order == 2 else (None, None)
                if unknown in laplacians and first == second == index:
                    lap = laplacians[unknown]
                    results[node] = uc.Indexed(lap, uc.MultiIndex(tuple(component))) if component else lap
    result = results[expression]
    for node in postorder([result]):
        unknown, order = strip_gradients(node)
        if order > 1 and isinstance(unknown, Unknown):
            raise InputError(
                f"second derivatives of {unknown} enter otherwise than by k(x, {unknown}) times its Laplacian: above "
                f"three dimensions the flux must be k(x, {unknown}) grad({unknown}) plus terms without grad({unknown})"
            )
    return result
