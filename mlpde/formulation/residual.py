"""The rows a pointwise ("strong form") solver works with: interior, natural, Dirichlet, point and initial residuals.

Row k of a group, linearised about a state w (w = 0 for a linear problem), is

    r_k(x) + sum over terms of  c(x) D^alpha u_m(x) = 0,

with m a scalar component of the unknowns and alpha a tuple of directions (see `torch_expression`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import ufl
import ufl.classes as uc
from ufl.core.expr import Expr

from mlpde.errors import InputError, call_user
from mlpde.formulation.torch_expression import Alpha, Jets, Slot, Tensor, TorchFunction
from mlpde.formulation.weak_form import (
    WeakForm,
    abstract_omega,
    at_zero,
    depends_on,
    lower,
    partials,
    rates,
    weak_form,
)
from mlpde.language import Omega, as_expression
from mlpde.problem import Dirichlet, Field, Problem, field_of


class Term(NamedTuple):
    """coefficient(x) * D^derivative u_component in equation number `equation`; coefficient (n,)."""

    equation: int
    component: int
    derivative: Alpha
    coefficient: Tensor


@dataclass(frozen=True)
class Rows:
    """One group of residual equations on one part of the domain.

    kind: "interior" (where = region), "natural" or "dirichlet" (where = boundary), "point" (where = coordinates),
    "initial" (where = start time).  `linear`: the coefficients do not depend on the unknowns.
    """

    kind: str
    where: Any
    expressions: Sequence[Expr]
    unknowns: tuple
    dim: int
    linear: bool = field(init=False)
    _layout: dict = field(init=False, repr=False)
    _residual: TorchFunction = field(init=False, repr=False)
    _linearised: TorchFunction = field(init=False, repr=False)
    _terms: list = field(init=False, repr=False)

    def __post_init__(self) -> None:
        layout, terminals = layout_of(self.unknowns), [t for u in self.unknowns for t in rates(u)]
        terms, coefficients = [], []
        for k, expression in enumerate(self.expressions):
            for entry, coefficient in partials(expression, terminals).items():
                slot = layout[entry.terminal]
                alpha = entry.directions + (self.dim,) * slot.time_order
                if len(alpha) > 2:
                    raise InputError(
                        "the strong form has third derivatives (a rate inside a second space derivative): use FEM"
                    )
                terms.append((k, slot.offset + entry.component, alpha))
                coefficients.append(coefficient)
        linear = not any(depends_on(c, terminals) for c in coefficients)
        at = [at_zero(e, terminals) for e in self.expressions] if linear else list(self.expressions)
        for name, value in {
            "linear": linear,
            "_layout": layout,
            "_terms": terms,
            "_residual": TorchFunction(list(self.expressions), layout, self.dim),
            "_linearised": TorchFunction([*at, *coefficients], layout, self.dim),
        }.items():
            object.__setattr__(self, name, value)

    @property
    def equations(self) -> int:
        """Number of equations K a point contributes."""
        return len(self.expressions)

    @property
    def derivatives(self) -> set[Alpha]:
        """The jets that the residual needs."""
        return set(self._residual.derivatives)

    def residual(self, points: Tensor, normals: Tensor | None, jets: Jets) -> Tensor:
        """r (n, K) of the functions whose jets are given."""
        return _stack(self._residual(points, normals, jets))

    def linearise(
        self, points: Tensor, normals: Tensor | None = None, jets: Jets | None = None
    ) -> tuple[Tensor, list[Term]]:
        """(r (n, K), terms) about the state `jets`; without jets about zero, for linear rows.

        Raises InputError if a coefficient or datum is not finite at a point.
        """
        if jets is None and not self.linear:
            raise InputError("a nonlinear residual is linearised about a state: give its jets")
        values = self._linearised(points, normals, jets)
        for value in values:
            bad = ~value.isfinite()
            if bad.any():
                where = points[bad.nonzero()[0, 0]].tolist()
                raise InputError(
                    f"a coefficient or datum of the {self.kind} residual on {self.where!r} is not finite "
                    f"at x = {[float(f'{c:.4g}') for c in where]}"
                )
        residual = _stack(values[: self.equations])
        coefficients = values[self.equations :]
        return residual, [Term(*t, c) for t, c in zip(self._terms, coefficients, strict=True)]


def _stack(values: list[Tensor]) -> Tensor:
    import torch

    return torch.stack(values, 1)


def layout_of(unknowns: Sequence[ufl.Coefficient]) -> dict[Expr, Slot]:
    layout, offset = {}, 0
    for unknown in unknowns:
        for order, level in enumerate(rates(unknown)):
            layout[level] = Slot(offset, order)
        offset += _size(unknown)
    return layout


def _size(unknown: ufl.Coefficient) -> int:
    size = 1
    for n in unknown.ufl_shape:
        size *= n
    return size


def component_names(fields: Sequence[Field]) -> list[str]:
    """A name for each scalar component: "u" or "u[0]", "u[1]"."""
    return [f.name if not f.shape else f"{f.name}[{i}]" for f in fields for i in range(f.size)]


def scalars(expression: Expr) -> list[Expr]:
    """The scalar components of an expression in C order, lowered."""
    shape = expression.ufl_shape
    if not shape:
        return [lower(expression)]
    indices = [()]
    for n in shape:
        indices = [(*i, j) for i in indices for j in range(n)]
    return [lower(expression[i]) for i in indices]


def value_at(value: Any, omega: Omega, shape: tuple[int, ...], what: str) -> Expr:
    """Datum of a condition (number, tuple, function of x or of x, t) as a UFL expression of `shape`."""
    if callable(value):
        arguments = (omega.x,) if omega.t is None or _takes_one(value) else (omega.x, omega.t)
        value = call_user(value, arguments, what)
    return as_expression(value, shape, what)


def _takes_one(function: Callable) -> bool:
    import inspect

    try:
        inspect.signature(function).bind(0, 0)
        return False
    except TypeError:
        return True


@dataclass(frozen=True)
class StrongForm:
    """All rows of a problem.  `components` = M; `derivatives` = every jet that some row needs."""

    rows: tuple[Rows, ...]
    components: int
    dim: int

    @property
    def linear(self) -> bool:
        """True if every row is linear."""
        return all(rows.linear for rows in self.rows)

    @property
    def derivatives(self) -> set[Alpha]:
        """The jets that the residuals need."""
        return set().union(*(rows.derivatives for rows in self.rows))


def strong_form(problem: Problem) -> StrongForm:
    """Derive the pointwise residuals of a problem from its weak form or energy.

    Raises InputError for what has no pointwise residual (flux jumps, Nedelec fields, third derivatives).
    """
    for f in problem.fields:
        if f.family != "Lagrange":
            raise InputError(
                f"field {f.name!r} is {f.family}: pointwise solvers take Lagrange fields only, use FEM"
            )
    form = weak_form(problem)
    form.check_flux()
    dim = problem.domain.dim

    def group(kind: str, where: Any, expressions: Sequence[Expr]) -> Rows:
        return Rows(kind, where, tuple(expressions), form.unknowns, dim)

    interior = {region: form.strong_residual(region) for region in form.source}
    rows = [group("interior", region, expressions) for region, expressions in interior.items()]
    periodic = {name for pair in problem.periodic for name in (pair.first, pair.second)}
    for name in problem.domain.boundaries:
        dirichlet, constrained = _dirichlet(problem, form, name)
        if dirichlet:
            rows.append(group("dirichlet", name, dirichlet))
        natural = [lower(e) for k, e in enumerate(form.natural_residual(name)) if k not in constrained]
        natural = [e for e in natural if not isinstance(e, uc.Zero)]
        if natural and name not in periodic:
            rows.append(group("natural", name, natural))
    for condition in problem.dirichlet:
        if condition.at is not None:
            rows.append(group("point", condition.at, _condition_rows(problem, form, condition)[0]))
    if problem.time is not None:
        rows += [group("initial", problem.time[0], _initial(problem, form))]
    return StrongForm(tuple(rows), sum(_size(u) for u in form.unknowns), dim)


def _offset(problem: Problem, target: Field) -> int:
    names = [f.name for f in problem.fields]
    return sum(f.size for f in problem.fields[: names.index(target.name)])


def _condition_rows(problem: Problem, form: WeakForm, condition: Dirichlet) -> tuple[list[Expr], set[int]]:
    target = field_of(problem, condition)
    unknown = form.unknowns[[f.name for f in problem.fields].index(target.name)]
    what = f"the value of Dirichlet({condition.boundary or condition.at!r}) for field {target.name!r}"
    every = scalars(unknown)
    if condition.component is not None:
        value = value_at(condition.value, form.omega, (), what)
        indices, data = [condition.component], [lower(value)]
    else:
        indices = list(range(target.size))
        data = scalars(value_at(condition.value, form.omega, target.shape, what))
    offset = _offset(problem, target)
    return [every[i] - g for i, g in zip(indices, data, strict=True)], {offset + i for i in indices}


def _dirichlet(problem: Problem, form: WeakForm, boundary: str) -> tuple[list[Expr], set[int]]:
    expressions: list[Expr] = []
    constrained: set[int] = set()
    for condition in problem.dirichlet:
        if boundary in condition.boundaries(problem.domain):
            rows, components = _condition_rows(problem, form, condition)
            expressions += rows
            constrained |= components
    return expressions, constrained


def _initial(problem: Problem, form: WeakForm) -> list[Expr]:
    expressions: list[Expr] = []
    for f, unknown in zip(problem.fields, form.unknowns, strict=True):
        data = problem.initial[f.name] if isinstance(problem.initial, dict) else problem.initial
        levels = data if isinstance(data, tuple) and not f.shape else (data,)
        for level, value in zip(rates(unknown), levels, strict=False):
            expression = value_at(value, form.omega, f.shape, f"the initial value of field {f.name!r}")
            expressions += [a - b for a, b in zip(scalars(level), scalars(expression), strict=True)]
    return expressions


def exact_functions(problem: Problem) -> dict[str, TorchFunction]:
    """For each field with a known exact solution: a function of points that returns [value (n, *shape), gradient]."""
    omega = abstract_omega(problem.domain, time=problem.time is not None)
    result = {}
    for f in problem.fields:
        if f.name in problem.exact:
            arguments = (omega.x,) if omega.t is None else (omega.x, omega.t)
            value = call_user(problem.exact[f.name], arguments, f"exact solution of {f.name!r}")
            expression = as_expression(value, f.shape, f"exact solution of {f.name!r}")
            result[f.name] = TorchFunction(
                [tensor(expression), tensor(ufl.grad(expression))], {}, problem.domain.dim
            )
    return result


def tensor(expression: Expr) -> Expr:
    """The lowered expression, of the same shape."""
    # expand_indices works on scalars: tensors are put together again from their components
    shape = expression.ufl_shape
    if not shape:
        return lower(expression)
    return ufl.as_tensor(
        [tensor(expression[i]) if len(shape) == 1 else tensor(expression[i, ...]) for i in range(shape[0])]
    )
