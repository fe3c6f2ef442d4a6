"""The rows a pointwise ("strong form") solver works with: interior, natural, Dirichlet, point and initial residuals.

Row k of a group, linearised about a state w (w = 0 for a linear problem), is

    r_k(x) + sum over terms of  c(x) D^alpha u_m(x) = 0,

with m a scalar component of the unknowns and alpha a tuple of directions (see `torch_expression`).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import torch
import ufl
import ufl.classes as uc
from ufl.core.expr import Expr
from ufl.domain import extract_unique_domain

from geometry.places import rounded
from mlpde.errors import InputError, call_user
from mlpde.formulation.condition_rows import boundary_rows, condition_rows, initial_rows
from mlpde.formulation.overdetermined import overruled
from mlpde.formulation.symbolic import at_zero, expand, nonlinear_part, partials, scalars, tensor
from mlpde.formulation.torch_expression import Alpha, Jets, Tensor, TorchFunction, layout_of
from mlpde.formulation.weak_form import Unknown, abstract_mesh, rates, weak_form
from mlpde.language import BOUNDED_DIMENSION, as_expression, time_variable
from mlpde.problem import Problem, exact_by_field


class Term(NamedTuple):
    """coefficient(x) * D^derivative u_component in equation number `equation`; coefficient (n,)."""

    equation: int
    component: int
    derivative: Alpha
    coefficient: Tensor


class PointwiseRows(Protocol):
    """One group of residual equations on one part of the domain: `Rows`, or `CompactRows` above three dimensions."""

    @property
    def kind(self) -> str: ...
    @property
    def where(self) -> Any: ...
    @property
    def region(self) -> str | None: ...
    @property
    def unknowns(self) -> tuple[Unknown, ...]: ...
    @property
    def linear(self) -> bool: ...
    @property
    def equations(self) -> int: ...
    @property
    def derivatives(self) -> set[Alpha]: ...
    @property
    def valued(self) -> set[int]: ...
    def order(self, component: int, direction: int) -> int: ...
    def residual(self, points: Tensor, normals: Tensor | None, jets: Jets) -> Tensor: ...
    def linearise(
        self, points: Tensor, normals: Tensor | None = None, jets: Jets | None = None
    ) -> tuple[Tensor, list[Term]]: ...


@dataclass(frozen=True)
class Rows:
    """One group of residual equations on one part of the domain.

    kind: "interior" (where = region), "natural" or "dirichlet" (where = boundary), "point" (where = coordinates),
    "initial" (where = start time), "periodic" (where = boundary), "interface" (where = two regions).
    region: where only the function of one region is meant, its name.  `linear`: the residual is affine in the unknowns.
    """

    kind: str
    where: Any
    expressions: Sequence[Expr] = field(repr=False)
    unknowns: tuple[Unknown, ...] = field(repr=False)
    dim: int
    region: str | None = None
    linear: bool = field(init=False)
    _terms: list[tuple[int, int, Alpha]] = field(init=False, repr=False)
    _coefficients: list[Expr] = field(init=False, repr=False)
    _residual: TorchFunction = field(init=False, repr=False)

    def __post_init__(self) -> None:
        layout, terminals = layout_of(self.unknowns), self._terminals
        terms, coefficients, linear = [], [], True
        for k, expression in enumerate(self.expressions):
            derivatives = partials(expression, terminals)
            linear = linear and nonlinear_part(expression, derivatives.values(), terminals) is None
            for entry, coefficient in derivatives.items():
                slot = layout[entry.terminal]
                alpha = entry.directions + (self.dim,) * slot.time_order
                if len(alpha) > 2:
                    raise InputError(
                        f"the pointwise residual has a derivative of {entry.terminal} that makes order {len(alpha)} in "
                        "all, ML solvers take derivatives up to the second: introduce a field for it, or use FEM"
                    )
                terms.append((k, slot.offset + entry.component, alpha))
                coefficients.append(coefficient)
        object.__setattr__(self, "linear", linear)
        object.__setattr__(self, "_terms", terms)
        object.__setattr__(self, "_coefficients", coefficients)
        object.__setattr__(self, "_residual", self._compiled(self.expressions))

    @property
    def _terminals(self) -> list[Unknown]:
        return [level for u in self.unknowns for level in rates(u)]

    def _compiled(self, expressions: Sequence[Expr]) -> TorchFunction:
        return TorchFunction(expressions, layout_of(self.unknowns), self.dim)

    @cached_property
    def _about_state(self) -> TorchFunction:
        return self._compiled([*self.expressions, *self._coefficients])

    @cached_property
    def _about_zero(self) -> TorchFunction:
        zero = [at_zero(e, self._terminals) for e in self.expressions]
        return self._compiled([*zero, *self._coefficients])

    @property
    def equations(self) -> int:
        """Number of equations K a point contributes."""
        return len(self.expressions)

    @property
    def derivatives(self) -> set[Alpha]:
        """The jets that the residual needs."""
        return set(self._residual.derivatives)

    @property
    def homogeneous(self) -> bool:
        """True if u = 0 solves the rows, whatever the points."""
        return all(isinstance(at_zero(e, self._terminals), uc.Zero) for e in self.expressions)

    @property
    def valued(self) -> set[int]:
        """The components that appear by their values, not only by their derivatives."""
        return {m for _, m, alpha in self._terms if not alpha}

    def order(self, component: int, direction: int) -> int:
        """The highest order of a derivative of an unknown's component in a direction (d is time) in these rows."""
        return max((alpha.count(direction) for _, m, alpha in self._terms if m == component), default=0)

    def residual(self, points: Tensor, normals: Tensor | None, jets: Jets) -> Tensor:
        """r (n, K) of the functions whose jets are given."""
        return torch.stack(self._residual(points, normals, jets), 1)

    def linearise(
        self, points: Tensor, normals: Tensor | None = None, jets: Jets | None = None
    ) -> tuple[Tensor, list[Term]]:
        """(r (n, K), terms) about the state `jets`; without jets about zero, for linear rows.

        Raises InputError if a coefficient or datum is not finite at a point.
        """
        if jets is None and not self.linear:
            raise InputError("a nonlinear residual is linearised about a state: give its jets")
        function = self._about_zero if jets is None else self._about_state
        values = function(points, normals, jets)
        for value in values:
            bad = ~value.isfinite()
            if bad.any():
                x = points.detach().cpu().numpy()
                where = rounded(x[int(bad.nonzero()[0, 0])], x)
                raise InputError(
                    f"a coefficient or datum of the {self.kind} residual on {self.where!r} is not finite "
                    f"at x = {where}"
                )
        residual, coefficients = values[: self.equations], values[self.equations :]
        terms = [Term(k, m, alpha, c) for (k, m, alpha), c in zip(self._terms, coefficients, strict=True)]
        return torch.stack(residual, 1), terms


@dataclass(frozen=True)
class StrongForm:
    """All rows of a problem.  `components` = M; `derivatives` = every jet that some row needs.

    jumps: rows on the two sides of the interface of two regions whose fluxes differ: each region then has a function of
    its own, u - u = 0 and A.n - A.n = 0 between them.  Empty where one smooth function is the solution.
    periodic: rows on a boundary and on its translated image, whose residuals sum to zero at matching points: u - u = 0
    and, the normals being opposite, A.n + A.n = 0.
    free: the components of the fields that are determined up to a constant (`mean_zero`).
    """

    rows: tuple[PointwiseRows, ...]
    components: int
    dim: int
    periodic: tuple[tuple[Rows, Rows], ...] = ()
    jumps: tuple[tuple[Rows, Rows], ...] = ()
    free: tuple[int, ...] = ()

    @property
    def linear(self) -> bool:
        """True if every row is linear."""
        pairs = (*self.periodic, *self.jumps)
        return all(rows.linear for rows in (*self.rows, *(side for pair in pairs for side in pair)))

    @property
    def homogeneous(self) -> bool:
        """True if u = 0 is known to solve all rows, whatever the points."""
        return all(isinstance(rows, Rows) and rows.homogeneous for rows in self.rows)

    @property
    def derivatives(self) -> set[Alpha]:
        """The jets that the residuals need."""
        return set().union(*(rows.derivatives for rows in self.rows))

    def order(self, component: int, direction: int) -> int:
        """The highest order of derivatives of a component in a direction, inside."""
        return max(rows.order(component, direction) for rows in self.rows if rows.kind == "interior")


def strong_form(problem: Problem, jumps: bool = False) -> StrongForm:
    """Derive the pointwise residuals of a problem from its weak form or energy.

    jumps: the solver takes a function for each region, so that the flux may differ between them.

    Raises InputError for what has no pointwise residual (flux jumps, Nedelec fields, third derivatives).
    """
    for f in problem.fields:
        if f.family != "Lagrange":
            raise InputError(
                f"field {f.name!r} is {f.family}: pointwise solvers take Lagrange fields only, use FEM"
            )
    if problem.domain.dim > BOUNDED_DIMENSION:
        from mlpde.formulation.compact_form import compact_form

        return compact_form(problem)
    form = weak_form(problem)
    form.check_flux(jumps)
    apart = form.flux_differs
    if apart and problem.periodic:
        raise InputError("periodic boundaries and a flux that differs between regions: use FEM")

    def group(kind: str, where: Any, expressions: Sequence[Expr], region: str | None = None) -> Rows:
        return Rows(kind, where, tuple(expressions), form.unknowns, problem.domain.dim, region)

    rows = [group("interior", region, form.strong_residual(region), region) for region in form.source]
    periodic = {name for pair in problem.periodic for name in (pair.first, pair.second)}
    for name in problem.domain.boundaries:
        dirichlet = boundary_rows(problem, form, name)
        for m in overruled(form, name, dirichlet):
            del dirichlet[m]
        for region in form.flux if apart else (None,):
            if dirichlet:
                rows.append(group("dirichlet", name, list(dirichlet.values()), region))
            natural = [
                expand(e) for k, e in enumerate(form.natural_residual(name, region)) if k not in dirichlet
            ]
            natural = [e for e in natural if not isinstance(e, uc.Zero)]
            if natural and name not in periodic:
                rows.append(group("natural", name, natural, region))
    for condition in problem.dirichlet:
        if condition.at is not None:
            for region in form.flux if apart else (None,):
                expressions = list(condition_rows(problem, form, condition).values())
                rows.append(group("point", condition.at, expressions, region))
    if problem.time is not None:
        orders, start = [], 0
        for f in problem.fields:
            components = range(start, start := start + f.size)
            orders.append(max(r.order(m, problem.domain.dim) for r in rows for m in components))
        for region in form.flux if apart else (None,):
            rows.append(group("initial", problem.time[0], initial_rows(problem, form, orders), region))
    interfaces = []
    for one, other in itertools.combinations(form.flux, 2) if apart else ():
        values = [u for unknown in form.unknowns for u in scalars(unknown)]
        sides = [
            group("interface", (one, other), [sign * e for e in values + form.normal_flux(region)], region)
            for sign, region in ((1, one), (-1, other))
        ]
        interfaces.append((sides[0], sides[1]))
    pairs = []
    for pair in problem.periodic:
        values = [u for unknown in form.unknowns for u in scalars(unknown)]
        fluxes = [[expand(e) for e in form.natural_residual(name)] for name in (pair.first, pair.second)]
        kept = [
            k
            for k, both in enumerate(zip(*fluxes, strict=True))
            if any(not isinstance(e, uc.Zero) for e in both)
        ]
        first, second = (
            [sign * u for u in values] + [flux[k] for k in kept]
            for sign, flux in zip((1, -1), fluxes, strict=True)
        )
        pairs.append((group("periodic", pair.first, first), group("periodic", pair.second, second)))
    constants = [f.mean_zero for f in problem.fields for _ in range(f.size)]
    free = tuple(m for m, is_free in enumerate(constants) if is_free)
    return StrongForm(tuple(rows), len(constants), problem.domain.dim, tuple(pairs), tuple(interfaces), free)


def exact_functions(problem: Any) -> dict[str, TorchFunction]:
    """For each field with a known exact solution: a function of points that returns [value (n, *shape), gradient].

    In time also the derivative by t.
    """
    dim, mesh = problem.dim, abstract_mesh(problem.dim)
    x = ufl.SpatialCoordinate(mesh)
    t = time_variable(ufl.Constant(mesh)) if getattr(problem, "time", None) else None
    exact, result = exact_by_field(problem), {}
    for f in problem.fields:
        if f.name in exact:
            arguments = (x,) if t is None else (x, t)
            value = call_user(exact[f.name], arguments, f"exact solution of {f.name!r}")
            expression = as_expression(value, f.shape, f"exact solution of {f.name!r}")
            constant = extract_unique_domain(expression) is None
            parts = [expression, uc.Zero((*f.shape, dim)) if constant else ufl.grad(expression)]
            if t is not None:
                parts.append(ufl.diff(expression, t))
            result[f.name] = TorchFunction([tensor(part) for part in parts], {}, dim)
    return result
