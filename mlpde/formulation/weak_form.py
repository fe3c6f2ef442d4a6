"""Weak form or energy -> flux, source, strong residual, natural boundary residual, and their linearisation; all symbolic.

    F(u; v) = int_Omega  b(u).v + A(u):grad v  dx  +  int_Gamma  s(u).v  ds  =  0   for all v
    strong residual   b - div A = 0 in Omega          natural boundary residual   A.n + s = 0 on Gamma

UFL itself differentiates.  Up to three dimensions every expression is expanded into scalar components, so that a zero
entry is a symbolic Zero and costs nothing later.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import basix.ufl
import ufl
import ufl.classes as uc
from ufl.algorithms import expand_indices
from ufl.algorithms.apply_algebra_lowering import apply_algebra_lowering
from ufl.algorithms.apply_derivatives import apply_derivatives
from ufl.algorithms.remove_complex_nodes import remove_complex_nodes
from ufl.core.expr import Expr

from mlpde.errors import InputError, call_user
from mlpde.formulation.torch_expression import postorder, strip_gradients
from mlpde.language import BOUNDED_DIMENSION, NamedMeasure, Omega, time_variable
from mlpde.problem import Problem

CELLS = {1: "interval", 2: "triangle", 3: "tetrahedron"}
# UFL drops grad^k of an element of degree < k on an affine cell; no form here differentiates an unknown six times
SYMBOLIC_DEGREE = 6


class Entry(NamedTuple):
    """One scalar entry of an unknown's jet: terminal, flat component, sorted directions of the x-derivatives."""

    terminal: Expr
    component: int
    directions: tuple[int, ...]


def lower(expression: Expr) -> Expr:
    """`expression` with div, inner, det, ... and all derivatives worked out; up to 3-D in scalar components."""
    expression = apply_derivatives(apply_algebra_lowering(expression))
    expression = remove_complex_nodes(expression)
    domain = ufl.domain.extract_unique_domain(expression)
    if domain is not None and domain.geometric_dimension > BOUNDED_DIMENSION:
        return expression
    return expand_indices(expression)


@lru_cache
def abstract_mesh(dim: int) -> ufl.Mesh:
    """A UFL mesh of geometric dimension `dim`; above three dimensions the cell's kind is of no consequence."""
    return ufl.Mesh(basix.ufl.element("P", CELLS.get(dim, "interval"), 1, shape=(dim,)))


def abstract_omega(domain: Any, time: bool = False) -> Omega:
    """`omega` over an abstract mesh; region and boundary k have the tag k + 1."""
    mesh = abstract_mesh(domain.dim)
    regions = {name: k + 1 for k, name in enumerate(domain.regions)}
    boundaries = {name: k + 1 for k, name in enumerate(domain.boundaries)}
    return Omega(
        x=ufl.SpatialCoordinate(mesh),
        n=ufl.FacetNormal(mesh),
        dx=NamedMeasure(ufl.Measure("dx", domain=mesh), regions, "region"),
        ds=NamedMeasure(ufl.Measure("ds", domain=mesh), boundaries, "boundary"),
        t=time_variable(ufl.Constant(mesh)) if time else None,
    )


def abstract_function(dim: int, shape: tuple[int, ...], time_orders: int = 0) -> ufl.Coefficient:
    """A symbolic unknown, with `.rate` (and `.rate.rate`) for problems in time."""
    element = basix.ufl.element("P", CELLS.get(dim, "interval"), SYMBOLIC_DEGREE, shape=shape or None)
    space = ufl.FunctionSpace(abstract_mesh(dim), element)
    unknown = level = ufl.Coefficient(space)
    for _ in range(time_orders):
        level.rate = ufl.Coefficient(space)
        level = level.rate
    return unknown


def substitute(expression: Expr, replacement: Mapping[Expr, Expr], memo: dict | None = None) -> Expr:
    """`expression` with nodes replaced; UFL's constructors simplify zeros on the way."""
    memo = {} if memo is None else memo
    if expression in memo:
        return memo[expression]
    if expression in replacement:
        result = replacement[expression]
    elif not expression.ufl_operands or isinstance(expression, uc.MultiIndex):
        result = expression
    else:
        parts = [substitute(o, replacement, memo) for o in expression.ufl_operands]
        same = all(a is b for a, b in zip(parts, expression.ufl_operands, strict=True))
        if isinstance(expression, uc.Conditional) and all(isinstance(p, uc.Zero) for p in parts[1:]):
            result = parts[1]
        else:
            result = expression if same else expression._ufl_expr_reconstruct_(*parts)
    memo[expression] = result
    return result


def entries(expression: Expr, terminals: Iterable[Expr]) -> dict[Expr, Entry]:
    """The scalar jet entries of `terminals` that stand in an expanded expression: `{node: Entry}`."""
    wanted, found = set(terminals), {}

    def is_entry(node: Expr) -> bool:
        tensor = node.ufl_operands[0] if isinstance(node, uc.Indexed) else node
        return strip_gradients(tensor)[0] in wanted

    for node in postorder([expression], is_entry):
        if is_entry(node):
            index: tuple[int, ...] = ()
            tensor = node
            if isinstance(node, uc.Indexed):
                tensor, index = node.ufl_operands[0], tuple(int(i) for i in node.ufl_operands[1])
            terminal, _ = strip_gradients(tensor)
            shape, component = terminal.ufl_shape, 0
            for i, n in zip(index, shape, strict=False):
                component = component * n + i
            found[node] = Entry(terminal, component, tuple(sorted(index[len(shape) :])))
    return found


def partials(expression: Expr, terminals: Iterable[Expr]) -> dict[Entry, Expr]:
    """Derivatives of an expanded scalar expression by each jet entry of `terminals` (symmetric entries summed)."""
    found = entries(expression, terminals)
    variables = {node: ufl.variable(node) for node in found}
    wrapped = substitute(expression, variables)
    back: dict[Expr, Expr] = {variable: node for node, variable in variables.items()}
    result: dict[Entry, Expr] = {}
    for node, entry in found.items():
        derivative = substitute(lower(ufl.diff(wrapped, variables[node])), back)
        result[entry] = result[entry] + derivative if entry in result else derivative
    return {entry: e for entry, e in result.items() if not isinstance(e, uc.Zero)}


def at_zero(expression: Expr, terminals: Iterable[Expr]) -> Expr:
    """The expression with every jet entry of `terminals` set to zero."""
    return substitute(expression, {node: uc.Zero() for node in entries(expression, terminals)})


def depends_on(expression: Expr, terminals: Iterable[Expr]) -> bool:
    """True if one of `terminals` stands in the expression."""
    wanted = set(terminals)
    return any(node in wanted for node in postorder([expression], lambda node: isinstance(node, uc.Terminal)))


@dataclass(frozen=True)
class WeakForm:
    """The integrands of a problem, split: per region source `b` (K,) and flux `A` (K, d), per boundary source `s` (K,).

    K counts the scalar components of all fields.  `unknowns` holds one UFL coefficient a field.
    """

    omega: Omega
    unknowns: tuple[ufl.Coefficient, ...]
    source: dict[str, list[Expr]]
    flux: dict[str, list[list[Expr]]]
    boundary_source: dict[str, list[Expr]]

    def terminals(self) -> list[Expr]:
        """The unknowns and their rates."""
        return [t for u in self.unknowns for t in rates(u)]

    @property
    def linear(self) -> bool:
        """True if the form is affine in the unknowns."""
        rows = [
            *self.source.values(),
            *self.boundary_source.values(),
            *(sum(a, []) for a in self.flux.values()),
        ]
        return not any(
            depends_on(coefficient, self.terminals())
            for row in rows
            for expression in row
            for coefficient in partials(expression, self.terminals()).values()
        )

    def strong_residual(self, region: str) -> list[Expr]:
        """b - div A in a region, one expression an equation."""
        return [
            lower(b - sum((a.dx(j) for j, a in enumerate(row)), uc.Zero()))
            for b, row in zip(self.source[region], self.flux[region], strict=True)
        ]

    def natural_residual(self, boundary: str) -> list[Expr]:
        """A.n + s on a boundary, one expression an equation (the flux does not differ by region: `check_flux`)."""
        flux = next(iter(self.flux.values()))
        return [
            sum((a * self.omega.n[j] for j, a in enumerate(row)), s)
            for s, row in zip(self.boundary_source[boundary], flux, strict=True)
        ]

    def check_flux(self) -> None:
        """Refuse a flux that jumps inside the domain: its divergence has an interface term that no pointwise residual sees."""
        first, *others = self.flux.values()
        if any(other != first for other in others):
            raise InputError(
                "the flux differs between regions "
                f"{', '.join(self.flux)}: its jump across the interface is no part of a pointwise residual; use FEM"
            )
        for a in sum(first, []):
            for node in postorder([a], lambda n: isinstance(n, uc.Terminal)):
                if isinstance(node, uc.Conditional) and depends_on(node.ufl_operands[0], [self.omega.x]):
                    raise InputError(
                        f"the flux contains {node.ufl_operands[0]}, a condition on x: where it switches the flux may jump, "
                        "which no pointwise residual sees; tag regions in the geometry and use FEM, or smooth the coefficient"
                    )


def rates(unknown: ufl.Coefficient) -> list[ufl.Coefficient]:
    """[u, rate of u, rate of the rate], as many as there are."""
    levels = [unknown]
    while getattr(levels[-1], "rate", None) is not None:
        levels.append(levels[-1].rate)
    return levels


def unpacked(items: list) -> Any:
    """What a user's function receives: the single unknown, or the tuple of them."""
    return items[0] if len(items) == 1 else tuple(items)


def build_form(problem: Problem, unknowns: list, tests: list, omega: Omega) -> ufl.Form:
    """The weak form of `problem`, or the derivative of its energy, as a UFL form; InputError if it is none."""
    if problem.weak_form is not None:
        form, what = (
            call_user(problem.weak_form, (unpacked(unknowns), unpacked(tests), omega), "weak_form"),
            "weak_form",
        )
    else:
        assert problem.energy is not None
        energy, what = call_user(problem.energy, (unpacked(unknowns), omega), "energy"), "energy"
        form = energy
        if isinstance(energy, ufl.Form):
            parts = [ufl.derivative(energy, u, v) for u, v in zip(unknowns, tests, strict=True)]
            form = sum(parts[1:], parts[0])
    if not isinstance(form, ufl.Form):
        raise InputError(f"{what} must return an integral such as ... * omega.dx, not {type(form).__name__}")
    return form


def weak_form(problem: Problem) -> WeakForm:
    """Derive the pieces of `problem` symbolically.

    Raises InputError if the form is not linear in the test function, is no form at all, or fails inside.
    """
    domain = problem.domain
    omega = abstract_omega(domain, time=problem.time is not None)
    orders = 2 if problem.time is not None else 0
    unknowns = [abstract_function(domain.dim, f.shape, orders) for f in problem.fields]
    tests = [abstract_function(domain.dim, f.shape) for f in problem.fields]
    form = build_form(problem, unknowns, tests, omega)

    names = {"cell": tuple(domain.regions), "exterior_facet": tuple(domain.boundaries)}
    integrands: dict[str, dict[str, Expr]] = {
        kind: {name: uc.Zero() for name in names[kind]} for kind in names
    }
    for integral in form.integrals():
        kind = integral.integral_type()
        if kind not in names:
            raise InputError(f"integrals over {kind} are for FEM only: use omega.dx and omega.ds")
        ids = integral.subdomain_id()
        ids = ids if isinstance(ids, tuple) else (ids,)
        for k, name in enumerate(names[kind]):
            if "everywhere" in ids or "otherwise" in ids or k + 1 in ids:
                integrands[kind][name] = integrands[kind][name] + integral.integrand()

    split = {
        kind: {name: _split(e, tests, domain.dim) for name, e in integrands[kind].items()} for kind in names
    }
    for name, (_, flux) in split["exterior_facet"].items():
        if any(not isinstance(a, uc.Zero) for row in flux for a in row):
            raise InputError(
                f"the integral over boundary {name!r} contains grad(v): use FEM, or rewrite it without"
            )
    return WeakForm(
        omega=omega,
        unknowns=tuple(unknowns),
        source={name: b for name, (b, _) in split["cell"].items()},
        flux={name: a for name, (_, a) in split["cell"].items()},
        boundary_source={name: s for name, (s, _) in split["exterior_facet"].items()},
    )


def _split(integrand: Expr, tests: list, dim: int) -> tuple[list[Expr], list[list[Expr]]]:
    """integrand = b.v + A:grad v  ->  (b, A), one row a component of the test functions."""
    integrand = lower(integrand)
    derivatives = partials(integrand, tests)
    rest = at_zero(integrand, tests)
    if not isinstance(rest, uc.Zero) or any(depends_on(e, tests) for e in derivatives.values()):
        bad = (
            rest
            if not isinstance(rest, uc.Zero)
            else next(e for e in derivatives.values() if depends_on(e, tests))
        )
        raise InputError(
            f"weak_form must be linear in the test function v in every term; this part is not: {_short(bad)}"
        )
    b: list[Expr] = []
    a: list[list[Expr]] = []
    for test in tests:
        for component in range(math.prod(test.ufl_shape)):
            b.append(derivatives.pop(Entry(test, component, ()), uc.Zero()))
            a.append([derivatives.pop(Entry(test, component, (j,)), uc.Zero()) for j in range(dim)])
    if derivatives:
        raise InputError(
            "weak_form contains second derivatives of the test function: integrate by parts once"
        )
    return b, a


def _short(expression: Expr) -> str:
    text = str(expression)
    return text if len(text) < 120 else text[:117] + "..."
