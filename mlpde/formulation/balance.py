"""Do the data balance? The constant test function of an equation without Dirichlet values tests nothing but them.

    int_Omega b dx + int_Gamma s ds = 0

with the source b and the boundary source s of the weak form (see `weak_form`), where the unknowns stand in neither.  A
first derivative c.grad w in b, as div u in a flow's continuity, makes int_Gamma c.n w ds for constant c, which the
Dirichlet values of w on the boundary give.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import ufl.classes as uc
from ufl.core.expr import Expr

from mlpde.errors import InputError
from mlpde.formulation.condition_rows import boundary_rows
from mlpde.formulation.symbolic import add_up, at_zero, entries, expand, nonlinear_part, partials
from mlpde.formulation.torch_expression import TorchFunction, layout_of
from mlpde.formulation.weak_form import WeakForm, weak_form
from mlpde.problem import Problem

IMBALANCE = 1e-2  # of the data, relative: more than any mesh's error
DEGREE = 8  # of the quadrature
FEWER = 6  # a second one, for the quadrature's own error

SLANTED = 1e-9  # c.n that is not zero

Fluxes = dict[
    int, dict[int, float]
]  # c_j by direction j, of every component w whose c.grad w stands in a source
Integrands = tuple[dict[str, TorchFunction], dict[str, TorchFunction]]


def check_balance(imbalance: Mapping[str, float]) -> None:
    """InputError if the data of a field, by name, are out of balance by more than a mesh's error."""
    for name, value in imbalance.items():
        if value > IMBALANCE:
            raise InputError(
                f"the data of field {name!r} do not balance: the integral of its sources and boundary fluxes is "
                f"{value:.2g} of their size, so no solution exists; make them balance or add a Dirichlet condition"
            )


def imbalance(problem: Problem) -> dict[str, float]:
    """|int b dx + int s ds| over the integrals of the absolute values, by field, the largest over its components.

    Only of equations that the constant function tests without the unknowns, and only as far as it exceeds the error
    of the quadrature.  In time: the largest at the start, in the middle and at the end.
    """
    form = weak_form(problem)
    given = {name: boundary_rows(problem, form, name) for name in problem.domain.boundaries}
    times = [None] if problem.time is None else np.linspace(*problem.time, 3).tolist()
    found: dict[str, float] = {}
    for k, name in enumerate(f.name for f in problem.fields for _ in range(f.size)):
        fluxes = None if any(k in rows for rows in given.values()) else _fluxes(form, k)
        integrands = None if fluxes is None else _integrands(problem, form, given, k, fluxes)
        if integrands is None:
            continue
        for time in times:
            value, other = (_relative(problem, integrands, degree, time) for degree in (DEGREE, FEWER))
            found[name] = max(found.get(name, 0.0), value - abs(value - other))
    return found


def _fluxes(form: WeakForm, k: int) -> Fluxes | None:
    """c of the terms c.grad w in the sources of equation k; None where the unknowns stand in its data otherwise."""
    terminals = form.terminals()
    if any(entries(expand(rows[k]), terminals) for rows in form.boundary_source.values()):
        return None
    offsets = {u: slot.offset for u, slot in layout_of(form.unknowns).items()}
    every: list[Fluxes] = []
    for rows in form.source.values():
        derivatives = partials(rows[k], terminals)
        if nonlinear_part(rows[k], derivatives.values(), terminals) is not None:
            return None
        every.append({})
        for (unknown, component, directions), c in derivatives.items():
            if unknown not in form.unknowns or len(directions) != 1 or not isinstance(c, uc.ScalarValue):
                return None
            every[-1].setdefault(offsets[unknown] + component, {})[directions[0]] = float(c)
    return every[0] if all(other == every[0] for other in every) else None


def _integrands(
    problem: Problem, form: WeakForm, given: Mapping[str, dict[int, Expr]], k: int, fluxes: Fluxes
) -> Integrands | None:
    """The data of equation k by region and by boundary; None where a flux c.n w is not given on the boundary."""
    terminals, n = form.terminals(), form.omega.n
    dim = problem.domain.dim
    periodic = {name for pair in problem.periodic for name in (pair.first, pair.second)}
    inside = {region: at_zero(rows[k], terminals) for region, rows in form.source.items()}
    outside: dict[str, Expr] = {}
    for name, rows in form.boundary_source.items():
        outside[name] = at_zero(expand(rows[k]), terminals)
        for m, c in fluxes.items() if name not in periodic else ():  # there they cancel
            across = add_up([value * n[j] for j, value in c.items()])
            if m in given[name]:
                outside[name] -= across * at_zero(given[name][m], terminals)
            else:
                _, _, normals = problem.domain.mesh().boundary_quadrature(name, 0)
                if np.abs(normals[:, list(c)] @ np.array(list(c.values()))).max() > SLANTED:
                    return None

    def compiled(parts: Mapping[str, Expr]) -> dict[str, TorchFunction]:
        return {name: TorchFunction([expand(e)], {}, dim) for name, e in parts.items()}

    return compiled(inside), compiled(outside)


def _relative(problem: Problem, integrands: Integrands, degree: int, time: float | None) -> float:
    mesh, total, size = problem.domain.mesh(), 0.0, 0.0
    inside, outside = integrands
    samples = [(f, *mesh.quadrature(degree, region=name), None) for name, f in inside.items()]
    samples += [(f, *mesh.boundary_quadrature(name, degree)) for name, f in outside.items()]
    for function, x, weights, normals in samples:
        points = x if time is None else np.column_stack([x, np.full(len(x), time)])
        outward = None if normals is None else torch.as_tensor(normals)
        values = function(torch.as_tensor(points), outward)[0].numpy()
        total, size = total + weights @ values, size + weights @ np.abs(values)
    return float(abs(total) / size) if size > 0 else 0.0
