"""Integrals, point values and pointwise outputs of a solution, written in UFL, evaluated from its jets.

`jets(points (n, D) array, derivatives) -> {alpha: (n, M) array}` is the only thing asked of a solution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
import ufl

from mlpde.errors import InputError, call_user
from mlpde.formulation.symbolic import tensor
from mlpde.formulation.torch_expression import Alpha, TorchFunction, layout_of
from mlpde.formulation.weak_form import abstract_function, abstract_omega, covered, unpacked
from mlpde.language import At

JetsFunction = Callable[[np.ndarray, Iterable[Alpha]], Mapping[Alpha, np.ndarray]]
# of a functional whose integrand is no polynomial anyway; exact for P2 energies on curved cells
QUADRATURE_DEGREE = 8


def pointwise(
    output: Callable, problem: Any, points: np.ndarray, jets: JetsFunction, normals: Any = None
) -> np.ndarray:
    """A pointwise output `output(u, omega)` at points (n, D): an array (n, *shape).

    Raises InputError if it is no UFL expression.
    """
    omega, unknowns = _symbols(problem)
    expression = _pointwise_expression(output, omega, unknowns, "output")
    return _evaluate(expression, unknowns, problem, points, jets, normals)


def integrate(quantity: Any, problem: Any, jets: JetsFunction, mesh: Any, time: float | None = None) -> float:
    """An integral `quantity(u, omega)` over the mesh, or the value of an `At`; for problems in time at `time`.

    Raises InputError if the quantity is no integral.
    """

    def spacetime(points: np.ndarray) -> np.ndarray:
        return points if time is None else np.column_stack([points, np.full(len(points), time)])

    if isinstance(quantity, At):
        point = spacetime(np.asarray(quantity.point, float).reshape(1, -1))
        return float(pointwise(quantity.expression, problem, point, jets)[0])
    omega, unknowns = _symbols(problem)
    form = _integral_form(quantity, omega, unknowns, "quantity")
    total = 0.0
    for integral in form.integrals():
        degree = integral.metadata().get("quadrature_degree", QUADRATURE_DEGREE)
        inside = integral.integral_type() == "cell"
        for name in covered(integral, problem.domain.regions if inside else problem.domain.boundaries):
            if inside:
                (points, weights), normals = mesh.quadrature(degree, region=name), None
            else:
                points, weights, normals = mesh.boundary_quadrature(name, degree)
            values = _evaluate(integral.integrand(), unknowns, problem, spacetime(points), jets, normals)
            total += float(weights @ values)
    return total


def check_measured(case: Any) -> None:
    """Refuse quantities and outputs of a Problem on a mesh that cannot be evaluated: before anything is solved."""
    problem = case.problem
    omega, unknowns = _symbols(problem)
    for name, output in case.outputs.items():
        _pointwise_expression(output, omega, unknowns, f"output {name!r}")
    for name, quantity in case.quantities.items():
        what = f"quantity {name!r}"
        if not isinstance(quantity, At):
            _integral_form(quantity, omega, unknowns, what)
            continue
        shape = _pointwise_expression(quantity.expression, omega, unknowns, what).ufl_shape
        if shape:
            raise InputError(f"{what} at the point {quantity.point} must be a scalar, not of shape {shape}")
        if not problem.domain.contains(np.asarray(quantity.point, float).reshape(1, -1))[0]:
            raise InputError(f"{what}: the point {quantity.point} lies outside the domain: give one inside")


def _pointwise_expression(output: Callable, omega: Any, unknowns: list, what: str) -> Any:
    value = call_user(output, (unpacked(unknowns), omega), what)
    wrong = f"{what} must be a UFL expression or a tuple of them"
    if isinstance(value, ufl.Form):
        raise InputError(f"{wrong}, without a measure, not an integral")
    try:
        return ufl.as_tensor(value) if isinstance(value, tuple | list) else ufl.as_ufl(value)
    except (ValueError, TypeError) as error:
        raise InputError(f"{wrong}, not {value!r}") from error


def _integral_form(quantity: Callable, omega: Any, unknowns: list, what: str) -> ufl.Form:
    form = call_user(quantity, (unpacked(unknowns), omega), what)
    if not isinstance(form, ufl.Form):
        raise InputError(
            f"{what} must be an integral such as ... * omega.dx or an At(...), not {type(form).__name__}"
        )
    for integral in form.integrals():
        if (kind := integral.integral_type()) not in ("cell", "exterior_facet"):
            raise InputError(f"{what} must be an integral over omega.dx or omega.ds, not over {kind}")
    return form


def _symbols(problem: Any) -> tuple[Any, list]:
    time = getattr(problem, "time", None) is not None
    dim = problem.domain.dim
    unknowns = [abstract_function(dim, f.shape, 2 if time else 0, f.name) for f in problem.fields]
    return abstract_omega(problem.domain, time), unknowns


def _evaluate(
    expression: Any,
    unknowns: list,
    problem: Any,
    points: np.ndarray,
    jets: JetsFunction,
    normals: np.ndarray | None,
) -> np.ndarray:
    function = TorchFunction([tensor(expression)], layout_of(unknowns), problem.domain.dim)
    # data alone (a load tested with a given function) ask nothing of the solution
    known = jets(points, function.derivatives) if function.derivatives else {}
    values = {alpha: torch.as_tensor(v) for alpha, v in known.items()}
    n = None if normals is None else torch.as_tensor(normals)
    return function(torch.as_tensor(points), n, values)[0].numpy()
