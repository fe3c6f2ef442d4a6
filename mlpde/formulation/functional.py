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
from mlpde.formulation.residual import layout_of, tensor
from mlpde.formulation.torch_expression import Alpha, TorchFunction
from mlpde.formulation.weak_form import abstract_function, abstract_omega, unpacked
from mlpde.language import At

JetsFunction = Callable[[np.ndarray, Iterable[Alpha]], Mapping[Alpha, np.ndarray]]
QUADRATURE_DEGREE = (
    8  # of a functional whose integrand is no polynomial anyway; exact for P2 energies on curved cells
)


def pointwise(
    output: Callable, problem: Any, points: np.ndarray, jets: JetsFunction, normals: Any = None
) -> np.ndarray:
    """A pointwise output `output(u, omega)` at points (n, D): an array (n, *shape)."""
    omega, unknowns = _symbols(problem)
    expression = ufl.as_ufl(call_user(output, (unpacked(unknowns), omega), "output"))
    return _evaluate(expression, unknowns, problem, points, jets, normals)


def integrate(quantity: Any, problem: Any, jets: JetsFunction, mesh: Any, time: float | None = None) -> float:
    """An integral `quantity(u, omega)` over the mesh, or the value of an `At`, as a number; at `time` for problems in time.

    Raises InputError if the quantity is no scalar integral.
    """
    omega, unknowns = _symbols(problem)

    def spacetime(points: np.ndarray) -> np.ndarray:
        return points if time is None else np.column_stack([points, np.full(len(points), time)])

    if isinstance(quantity, At):
        point = spacetime(np.asarray(quantity.point, float).reshape(1, -1))
        return float(pointwise(quantity.expression, problem, point, jets).reshape(()))
    form = call_user(quantity, (unpacked(unknowns), omega), "quantity")
    if not isinstance(form, ufl.Form):
        raise InputError(
            f"a quantity must be an integral such as ... * omega.dx or an At(...), not {type(form).__name__}"
        )
    total = 0.0
    for integral in form.integrals():
        degree = integral.metadata().get("quadrature_degree", QUADRATURE_DEGREE)
        kind, ids = integral.integral_type(), integral.subdomain_id()
        ids = ids if isinstance(ids, tuple) else (ids,)
        names = problem.domain.regions if kind == "cell" else problem.domain.boundaries
        for k, name in enumerate(names):
            if "everywhere" in ids or "otherwise" in ids or k + 1 in ids:
                if kind == "cell":
                    (points, weights), normals = mesh.quadrature(degree, region=name), None
                else:
                    points, weights, normals = mesh.boundary_quadrature(name, degree)
                values = _evaluate(integral.integrand(), unknowns, problem, spacetime(points), jets, normals)
                total += float(weights @ values)
    return total


def _symbols(problem: Any) -> tuple[Any, list]:
    time = getattr(problem, "time", None) is not None
    unknowns = [abstract_function(problem.domain.dim, f.shape, 2 if time else 0) for f in problem.fields]
    return abstract_omega(problem.domain, time), unknowns


def _evaluate(
    expression: Any, unknowns: list, problem: Any, points: np.ndarray, jets: Any, normals: Any
) -> np.ndarray:
    function = TorchFunction([tensor(expression)], layout_of(unknowns), problem.domain.dim)
    values = {alpha: torch.as_tensor(v) for alpha, v in jets(points, function.derivatives).items()}
    n = None if normals is None else torch.as_tensor(normals)
    return function(torch.as_tensor(points), n, values)[0].numpy()
