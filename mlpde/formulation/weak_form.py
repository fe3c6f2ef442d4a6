"""Weak form or energy -> flux, source, strong residual and natural boundary residual; all symbolic, by UFL.

F(u; v) = int_Omega  b(u).v + A(u):grad v  dx  +  int_Gamma  s(u).v  ds  =  0   for all v
strong residual   b - div A = 0 in Omega          natural boundary residual   A.n + s = 0 on Gamma
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import basix.ufl
import ufl
import ufl.classes as uc
from ufl.core.expr import Expr
from ufl.domain import extract_unique_domain

from mlpde.errors import InputError, call_user
from mlpde.formulation.symbolic import (
    Entry,
    add_up,
    at_zero,
    depends_on,
    expand,
    nonlinear_part,
    partials,
    postorder,
    shortened,
)
from mlpde.language import NamedMeasure, Omega, time_variable
from mlpde.problem import Problem

CELLS = {1: "interval", 2: "triangle", 3: "tetrahedron"}
# UFL drops grad^k of an element of degree < k on an affine cell; no form here differentiates an unknown six times
SYMBOLIC_DEGREE = 6


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


class Unknown(ufl.Coefficient):
    """A symbolic unknown or test function, printed as `name`; `rate` is its time derivative, None if there is none."""

    def __init__(self, space: ufl.FunctionSpace, name: str):
        super().__init__(space)
        self.name = name
        self.rate: Unknown | None = None
        self.is_highest_rate = False  # `dt` refuses to differentiate it once more

    def __str__(self) -> str:
        return self.name


def abstract_function(dim: int, shape: tuple[int, ...], time_orders: int = 0, name: str = "u") -> Unknown:
    """A symbolic unknown, with `.rate` (and `.rate.rate`) for problems in time."""
    element = basix.ufl.element("P", CELLS.get(dim, "interval"), SYMBOLIC_DEGREE, shape=shape or None)
    space = ufl.FunctionSpace(abstract_mesh(dim), element)
    unknown = level = Unknown(space, name)
    for order in range(1, time_orders + 1):
        level.rate = Unknown(space, f"dt({level.name})")
        level = level.rate
        level.is_highest_rate = order == time_orders
    return unknown


def rates(unknown: ufl.Coefficient) -> list[ufl.Coefficient]:
    """[u, rate of u, rate of the rate], as many as there are."""
    levels = [unknown]
    while getattr(levels[-1], "rate", None) is not None:
        levels.append(levels[-1].rate)
    return levels


@dataclass(frozen=True)
class WeakForm:
    """The integrands of a problem, split: per region source `b` (K,) and flux `A` (K, d), per boundary source `s` (K,).

    K counts the scalar components of all fields.  `unknowns` holds one UFL coefficient a field.
    """

    omega: Omega
    unknowns: tuple[Unknown, ...]
    source: dict[str, list[Expr]]
    flux: dict[str, list[list[Expr]]]
    boundary_source: dict[str, list[Expr]]

    def terminals(self) -> list[Expr]:
        """The unknowns and their rates."""
        return [t for u in self.unknowns for t in rates(u)]

    @property
    def linear(self) -> bool:
        """True if the form is affine in the unknowns."""
        integrands = [e for part in (self.source, self.boundary_source) for row in part.values() for e in row]
        integrands += [a for rows in self.flux.values() for row in rows for a in row]
        unknowns = self.terminals()
        return all(nonlinear_part(e, partials(e, unknowns).values(), unknowns) is None for e in integrands)

    def strong_residual(self, region: str) -> list[Expr]:
        """b - div A in a region, one expression an equation."""
        return [
            expand(b - _divergence(row))
            for b, row in zip(self.source[region], self.flux[region], strict=True)
        ]

    def normal_flux(self, region: str) -> list[Expr]:
        """A.n with the flux of a region, one expression an equation."""
        return [add_up([a * self.omega.n[j] for j, a in enumerate(row)]) for row in self.flux[region]]

    def natural_residual(self, boundary: str, region: str | None = None) -> list[Expr]:
        """A.n + s on a boundary, one expression an equation; region: on its part of it, if the flux differs."""
        flux = self.normal_flux(region or next(iter(self.flux)))
        return [a + s for a, s in zip(flux, self.boundary_source[boundary], strict=True)]

    @property
    def flux_differs(self) -> bool:
        """True if the flux is not the same expression in all regions: it may jump between them."""
        first, *others = self.flux.values()
        return any(other != first for other in others)

    def check_flux(self, jumps: bool = False) -> None:
        """Refuse a flux that jumps inside: its divergence has an interface term that no pointwise residual sees.

        jumps: those between regions are allowed for.
        """
        if self.flux_differs and not jumps:
            raise InputError(
                f"the flux differs between the regions {', '.join(map(repr, self.flux))}: its jump across the "
                "interface is no part of a pointwise residual; use WAN, RFM or FEM"
            )
        check_switches([a for rows in self.flux.values() for row in rows for a in row], self.omega)


def check_switches(fluxes: list[Expr], omega: Omega) -> None:
    """Refuse a flux with a conditional on x."""
    for node in postorder(fluxes):
        if isinstance(node, uc.Conditional) and depends_on(node.ufl_operands[0], [omega.x]):
            raise InputError(
                f"the flux switches at {shortened(node.ufl_operands[0])}, a condition on x: it may jump there, "
                "which no pointwise residual sees; use FEM, or smooth the coefficient"
            )


def _divergence(row: list[Expr]) -> Expr:
    # UFL cannot differentiate a plain number: it has no domain
    return add_up([a.dx(j) for j, a in enumerate(row) if extract_unique_domain(a) is not None])


def unpacked(items: list) -> Any:
    """What a user's function receives: the single unknown, or the tuple of them."""
    return items[0] if len(items) == 1 else tuple(items)


def build_form(problem: Problem, unknowns: list, tests: list, omega: Omega) -> ufl.Form:
    """The weak form of `problem`, or the derivative of its energy, as a UFL form; InputError if it is none."""
    if problem.weak_form is not None:
        arguments = (unpacked(unknowns), unpacked(tests), omega)
        return _checked_form(call_user(problem.weak_form, arguments, "weak_form"), "weak_form")
    energy = energy_form(problem, unknowns, omega)
    parts = [ufl.derivative(energy, u, v) for u, v in zip(unknowns, tests, strict=True)]
    return sum(parts[1:], parts[0])


def energy_form(problem: Problem, unknowns: list, omega: Omega) -> ufl.Form:
    """The energy of `problem` as a UFL form; InputError if it is none."""
    assert problem.energy is not None
    return _checked_form(call_user(problem.energy, (unpacked(unknowns), omega), "energy"), "energy")


def _checked_form(form: Any, what: str) -> ufl.Form:
    if not isinstance(form, ufl.Form):
        raise InputError(
            f"{what} must return an integral such as ... * omega.dx; it returned {shortened(form)}"
            + (" without a measure" if isinstance(form, Expr) else "")
        )
    _check_numbers(form, what)
    return form


def _check_numbers(form: ufl.Form, what: str) -> None:
    """Refuse nan and infinity, which DOLFINx would pass on to the C compiler."""
    for node in postorder([integral.integrand() for integral in form.integrals()]):
        if isinstance(node, uc.RealValue) and not math.isfinite(node._value):
            raise InputError(f"{what} contains the number {node._value}: every coefficient must be finite")


class Integrands(NamedTuple):
    """A problem's weak form by regions (`cell`) and boundaries (`facet`), with the symbols it is written in."""

    omega: Omega
    unknowns: list[Unknown]
    tests: list[Unknown]
    cell: dict[str, Expr]
    facet: dict[str, Expr]


def integrands_of(problem: Problem) -> Integrands:
    """The integrands of every region and boundary; InputError for a form that is none, or has other integrals."""
    domain, names = problem.domain, [f.name for f in problem.fields]
    omega = abstract_omega(domain, time=problem.time is not None)
    orders = 2 if problem.time is not None else 0
    unknowns = [abstract_function(domain.dim, f.shape, orders, f.name) for f in problem.fields]
    test_names = ["v"] if len(names) == 1 else [f"v_{name}" for name in names]
    tests = [
        abstract_function(domain.dim, f.shape, name=v)
        for f, v in zip(problem.fields, test_names, strict=True)
    ]
    form = build_form(problem, unknowns, tests, omega)

    parts = {"cell": tuple(domain.regions), "exterior_facet": tuple(domain.boundaries)}
    integrands: dict[str, dict[str, Expr]] = {
        kind: {name: uc.Zero() for name in parts[kind]} for kind in parts
    }
    for integral in form.integrals():
        kind = integral.integral_type()
        if kind not in parts:
            raise InputError(f"integrals over {kind} are for FEM only: use omega.dx and omega.ds")
        for name in covered(integral, parts[kind]):
            integrands[kind][name] = integrands[kind][name] + integral.integrand()
    return Integrands(omega, unknowns, tests, integrands["cell"], integrands["exterior_facet"])


def weak_form(problem: Problem) -> WeakForm:
    """Derive the pieces of `problem` symbolically.

    Raises InputError if the form is not linear in the test function, is no form at all, or fails inside.
    """
    omega, unknowns, tests, *parts = integrands_of(problem)
    cell, facet = ({name: _split(e, tests, problem.domain.dim) for name, e in part.items()} for part in parts)
    for name, (_, flux) in facet.items():
        if any(not isinstance(a, uc.Zero) for row in flux for a in row):
            raise InputError(
                f"the integral over boundary {name!r} contains grad(v): use FEM, or rewrite it without"
            )
    return WeakForm(
        omega=omega,
        unknowns=tuple(unknowns),
        source={name: b for name, (b, _) in cell.items()},
        flux={name: a for name, (_, a) in cell.items()},
        boundary_source={name: s for name, (s, _) in facet.items()},
    )


def covered(integral: Any, names: tuple[str, ...]) -> list[str]:
    """The regions or boundaries among `names` (tags 1, 2, ...) that an integral over an abstract `omega` covers."""
    ids = integral.subdomain_id()
    ids = ids if isinstance(ids, tuple) else (ids,)
    everywhere = "everywhere" in ids or "otherwise" in ids
    return [name for k, name in enumerate(names) if everywhere or k + 1 in ids]


def _split(integrand: Expr, tests: list, dim: int) -> tuple[list[Expr], list[list[Expr]]]:
    """integrand = b.v + A:grad v  ->  (b, A), one row a component of the test functions."""
    integrand = expand(integrand)
    derivatives = partials(integrand, tests)
    bad = nonlinear_part(integrand, derivatives.values(), tests)
    rest = uc.Zero() if bad is not None else at_zero(integrand, tests)
    if bad is not None or not isinstance(rest, uc.Zero):
        what = (
            f"its derivative by v contains v: {shortened(bad)}"
            if bad is not None
            else f"{shortened(rest)} stands without v"
        )
        raise InputError(f"weak_form must be linear in the test function v in every term: {what}")
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
