"""The weak residual as a functional of the test function: F(u; v) = int b(u).v + A(u):grad v dx + int s(u).v ds.

At points the integrands are rows (see `residual`) with one column for every component of b and A, or of s; what they
are multiplied with, v_m or dv_m/dx_j, is the column's `Factor`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import ufl.classes as uc
from ufl.core.expr import Expr

from mlpde.errors import InputError
from mlpde.formulation.condition_rows import boundary_rows, condition_rows
from mlpde.formulation.overdetermined import overruled
from mlpde.formulation.residual import Rows
from mlpde.formulation.symbolic import partials
from mlpde.formulation.weak_form import WeakForm, weak_form
from mlpde.problem import Problem


class Factor(NamedTuple):
    """The test function's component m, or with j its derivative dv_m/dx_j."""

    component: int
    direction: int | None = None


@dataclass(frozen=True)
class Integrand:
    """A column of `rows` times its factor, summed over the columns, is integrated over a region or a boundary.

    known: columns that do not depend on the unknowns, apart.
    """

    rows: Rows
    factors: tuple[Factor, ...]
    known: bool


@dataclass(frozen=True)
class WeakResidual:
    """The integrands of a steady problem, and its conditions as pointwise rows.

    fixed: on each boundary, the components m with a Dirichlet condition, where v_m = 0.
    in_divergence_form: for each component m, whether its equation contains grad v_m; if not, it holds in L2.
    fields: the components of each field.
    """

    integrands: tuple[Integrand, ...]
    conditions: tuple[Rows, ...]
    fixed: dict[str, frozenset[int]]
    in_divergence_form: tuple[bool, ...]
    fields: tuple[range, ...]

    @property
    def components(self) -> int:
        """M, the components of all fields."""
        return len(self.in_divergence_form)

    @property
    def rows(self) -> tuple[Rows, ...]:
        """All that holds for the unknowns."""
        return (*(part.rows for part in self.integrands), *self.conditions)


def weak_residual(problem: Problem) -> WeakResidual:
    """Derive the integrands of a problem from its weak form or energy; the flux may differ between regions.

    Raises InputError for Nedelec fields.
    """
    for f in problem.fields:
        if f.family != "Lagrange":
            raise InputError(f"field {f.name!r} is {f.family}: networks take Lagrange fields only, use FEM")
    form = weak_form(problem)
    integrands: list[Integrand] = []
    for region, source in form.source.items():
        columns = {Factor(m): b for m, b in enumerate(source)}
        columns |= {Factor(m, j): a for m, row in enumerate(form.flux[region]) for j, a in enumerate(row)}
        integrands += _split("weak", region, columns, form, problem)
    fixed = {}
    conditions = []
    for name, source in form.boundary_source.items():
        dirichlet = boundary_rows(problem, form, name)
        for m in overruled(form, name, dirichlet):
            del dirichlet[m]
        fixed[name] = frozenset(dirichlet)
        columns = {Factor(m): s for m, s in enumerate(source) if m not in dirichlet}
        integrands += _split("natural", name, columns, form, problem)
        if dirichlet:
            conditions.append(_rows("dirichlet", name, list(dirichlet.values()), form, problem))
    for condition in problem.dirichlet:
        if condition.at is not None:
            expressions = list(condition_rows(problem, form, condition).values())
            conditions.append(_rows("point", condition.at, expressions, form, problem))
    ends = list(itertools.accumulate((f.size for f in problem.fields), initial=0))
    with_gradient = {f.component for part in integrands for f in part.factors if f.direction is not None}
    divergence = tuple(m in with_gradient for m in range(ends[-1]))
    fields = tuple(range(*pair) for pair in itertools.pairwise(ends))
    return WeakResidual(tuple(integrands), tuple(conditions), fixed, divergence, fields)


def _split(
    kind: str, where: str, columns: dict[Factor, Expr], form: WeakForm, problem: Problem
) -> list[Integrand]:
    """The columns that are not zero: those that depend on the unknowns, and those that do not."""
    parts: dict[bool, dict[Factor, Expr]] = {False: {}, True: {}}
    for factor, expression in columns.items():
        if not isinstance(expression, uc.Zero):
            parts[not partials(expression, form.terminals())][factor] = expression
    return [
        Integrand(_rows(kind, where, list(part.values()), form, problem), tuple(part), known)
        for known, part in parts.items()
        if part
    ]


def _rows(kind: str, where: object, expressions: list[Expr], form: WeakForm, problem: Problem) -> Rows:
    return Rows(kind, where, tuple(expressions), form.unknowns, problem.domain.dim)
