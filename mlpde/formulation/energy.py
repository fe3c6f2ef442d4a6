"""Energies: E(u) = int_Omega e(x, u, grad u) dx + int_Gamma g(x, u) ds as torch functions of jets.

Either the problem's own energy, or that of a symmetric linear weak form F(u; v) = a(u, v) - l(v), which is
E(u) = a(u, u)/2 - l(u).  Every density comes with its first and second derivatives by the entries of the jet, and with
differences e(u + w) - e(u) = int_0^1 e'(u + s w).w ds that are computed from the increment w: without cancellation, and
exact for quadratic densities (midpoint rule).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import ufl.classes as uc
from ufl.core.expr import Expr

from mlpde.errors import InputError
from mlpde.formulation.symbolic import Entry, add_up, at_zero, entries, expand, nonlinear_part, partials
from mlpde.formulation.torch_expression import Alpha, Jets, Tensor, TorchFunction, layout_of
from mlpde.formulation.weak_form import (
    Unknown,
    WeakForm,
    abstract_function,
    abstract_omega,
    covered,
    energy_form,
    weak_form,
)
from mlpde.problem import Problem

GAUSS = 4  # points along an increment, for densities that are not quadratic
SYMMETRY_POINTS = 64  # where coefficients that are written differently are compared


@dataclass(frozen=True)
class Density:
    """The energy density on one region ("interior") or boundary ("boundary").

    slots: the entries (component m, alpha) of the jet that it depends on, A of them.
    degree: of the quadrature, where the problem fixes it.
    """

    kind: str
    where: str
    expression: Expr = field(repr=False)
    unknowns: tuple[Unknown, ...] = field(repr=False)
    dim: int
    degree: int | None = None
    slots: tuple[tuple[int, Alpha], ...] = field(init=False)
    quadratic: bool = field(init=False)
    _value: TorchFunction = field(init=False, repr=False)
    _slopes: TorchFunction = field(init=False, repr=False)
    _curvature: TorchFunction = field(init=False, repr=False)

    def __post_init__(self) -> None:
        layout = layout_of(self.unknowns)
        found = sorted(set(entries(self.expression, self.unknowns).values()), key=_order(layout))
        first = partials(self.expression, self.unknowns)
        slopes = [first.get(entry, uc.Zero()) for entry in found]
        second = [partials(slope, self.unknowns) for slope in slopes]
        curvature = [row.get(entry, uc.Zero()) for row in second for entry in found]
        if any(len(entry.directions) > 1 for entry in found):
            raise InputError(
                f"the energy on {self.where!r} contains second derivatives: Deep Ritz takes first derivatives only"
            )
        quadratic = all(
            nonlinear_part(slope, row.values(), self.unknowns) is None
            for slope, row in zip(slopes, second, strict=True)
        )
        slots = tuple((layout[e.terminal].offset + e.component, e.directions) for e in found)
        object.__setattr__(self, "slots", slots)
        object.__setattr__(self, "quadratic", quadratic)
        for name, expressions in (
            ("_value", [self.expression]),
            ("_slopes", slopes),
            ("_curvature", curvature),
        ):
            object.__setattr__(self, name, TorchFunction(expressions, layout, self.dim))

    @property
    def derivatives(self) -> list[Alpha]:
        """The jets that the density needs."""
        return sorted({alpha for _, alpha in self.slots})

    def entries(self, jets: Jets) -> Tensor:
        """The entries (n, A) of the jets on which the density depends."""
        return torch.stack([jets[alpha][:, m] for m, alpha in self.slots], 1)

    def value(self, points: Tensor, normals: Tensor | None, jets: Jets) -> Tensor:
        """e (n,)."""
        return self._value(points, normals, jets)[0]

    def slopes(self, points: Tensor, normals: Tensor | None, jets: Jets) -> Tensor:
        """de/d(entry) (n, A)."""
        return torch.stack(self._slopes(points, normals, jets), 1)

    def curvature(self, points: Tensor, normals: Tensor | None, jets: Jets) -> Tensor:
        """d2e/d(entry)2 (n, A, A)."""
        values = torch.stack(self._curvature(points, normals, jets), 1)
        return values.reshape(len(points), len(self.slots), len(self.slots))

    def difference(self, points: Tensor, normals: Tensor | None, jets: Jets, increment: Jets) -> Tensor:
        """e(u + w) - e(u) (n,) from the jets of u and of the increment w."""
        nodes, weights = np.polynomial.legendre.leggauss(1 if self.quadratic else GAUSS)
        step = self.entries(increment)
        total = points.new_zeros(len(points))
        for node, weight in zip((1 + nodes) / 2, weights / 2, strict=True):
            between = {alpha: jets[alpha] + node * increment[alpha] for alpha in self.derivatives}
            total = total + weight * (self.slopes(points, normals, between) * step).sum(1)
        return total


def energy_densities(problem: Problem) -> tuple[Density, ...]:
    """The densities of a steady problem's energy.

    Raises InputError if the problem has neither an energy nor a weak form that is linear and symmetric.
    """
    for f in problem.fields:
        if f.family != "Lagrange":
            raise InputError(f"field {f.name!r} is {f.family}: Deep Ritz takes Lagrange fields only, use FEM")
    if problem.energy is not None:
        return _given(problem)
    form = weak_form(problem)
    if not form.linear:
        raise InputError(
            "no energy can be derived from a nonlinear weak form: give the problem's energy=..., if it has one, or use "
            "PINN"
        )
    densities = [
        Density("interior", region, _quadratic(form, form.source[region], form.flux[region], problem, region),
                form.unknowns, problem.domain.dim)
        for region in form.source
    ]  # fmt: skip
    for name, source in form.boundary_source.items():
        expression = _quadratic(form, source, None, problem, name)
        if not isinstance(expression, uc.Zero):
            densities.append(Density("boundary", name, expression, form.unknowns, problem.domain.dim))
    return tuple(densities)


def _given(problem: Problem) -> tuple[Density, ...]:
    domain = problem.domain
    omega = abstract_omega(domain)
    unknowns = [abstract_function(domain.dim, f.shape, name=f.name) for f in problem.fields]
    parts = {"cell": tuple(domain.regions), "exterior_facet": tuple(domain.boundaries)}
    integrands: dict[tuple[str, str, int | None], list[Expr]] = {}
    for integral in energy_form(problem, unknowns, omega).integrals():
        kind, degree = integral.integral_type(), integral.metadata().get("quadrature_degree")
        if kind not in parts:
            raise InputError(f"integrals over {kind} are for FEM only: use omega.dx and omega.ds")
        for name in covered(integral, parts[kind]):
            integrands.setdefault((kind, name, degree), []).append(expand(integral.integrand()))
    return tuple(
        Density(
            "interior" if kind == "cell" else "boundary",
            name,
            add_up(summands),
            tuple(unknowns),
            domain.dim,
            degree,
        )
        for (kind, name, degree), summands in integrands.items()
    )


def _quadratic(
    form: WeakForm,
    source: Sequence[Expr],
    flux: Sequence[Sequence[Expr]] | None,
    problem: Problem,
    where: str,
) -> Expr:
    """a(u, u)/2 - l(u) pointwise: each row F_e of the form, which belongs to the entry e of the test function's jet."""
    dim = problem.domain.dim
    rows: dict[Entry, Expr] = {}
    components = [(u, m) for u in form.unknowns for m in range(math.prod(u.ufl_shape))]
    for k, (unknown, m) in enumerate(components):
        rows[Entry(unknown, m, ())] = source[k]
        for j in range(dim if flux is not None else 0):
            rows[Entry(unknown, m, (j,))] = flux[k][j]  # type: ignore[index]
    coefficients = {entry: partials(row, form.unknowns) for entry, row in rows.items()}
    _check_symmetric(coefficients, problem, where)
    half = uc.FloatValue(0.5)
    summands = []
    for entry, row in rows.items():
        affine = half * (row + at_zero(row, form.unknowns))  # the linear part counts half, the load whole
        if not isinstance(affine, uc.Zero):
            summands.append(affine * _symbol(entry))
    return expand(add_up(summands)) if summands else uc.Zero()


def _check_symmetric(coefficients: dict[Entry, dict[Entry, Expr]], problem: Problem, where: str) -> None:
    """InputError unless the coefficient of (v entry, u entry) is that of (u entry, v entry), at every point."""
    domain, zero = problem.domain, uc.Zero()
    inside = where in domain.regions
    points, normals = torch.empty(0), None
    for one, row in coefficients.items():
        for other in row.keys() | {e for e, found in coefficients.items() if one in found}:
            pair = (row.get(other, zero), coefficients.get(other, {}).get(one, zero))
            if pair[0] == pair[1]:
                continue
            if not len(points):
                x = domain.interior(SYMMETRY_POINTS) if inside else domain.boundary(where, SYMMETRY_POINTS)
                points, normals = (
                    (torch.as_tensor(x), None) if inside else (torch.as_tensor(x[0]), torch.as_tensor(x[2]))
                )
            a, b = TorchFunction(pair, {}, domain.dim)(points, normals)
            if not torch.allclose(a, b, rtol=1e-10, atol=1e-12 * float(a.abs().max() + b.abs().max())):
                raise InputError(
                    f"the weak form has no energy: on {where!r} its part with {_name(one)} of the test function and "
                    f"{_name(other)} of the unknown is not symmetric; use PINN, or FEM"
                )


def _symbol(entry: Entry) -> Expr:
    index: list[int] = []
    rest = entry.component
    for n in reversed(entry.terminal.ufl_shape):
        index.insert(0, rest % n)
        rest //= n
    value = entry.terminal[tuple(index)] if index else entry.terminal
    return value.dx(entry.directions[0]) if entry.directions else value


def _name(entry: Entry) -> str:
    scalar = f"{entry.terminal}" + (f"[{entry.component}]" if entry.terminal.ufl_shape else "")
    return f"d({scalar})/dx{entry.directions[0]}" if entry.directions else f"the value {scalar}"


def _order(layout: Any) -> Any:
    return lambda entry: (layout[entry.terminal].offset + entry.component, entry.directions)
