"""Relative errors of one solution against another, on the quadrature points of the other: see `Solution.error`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlpde.errors import InputError
from mlpde.problem import SemilinearParabolic
from mlpde.start_report import value_of

if TYPE_CHECKING:
    from mlpde.solution import Solution

TIME_NODES = 8  # of the errors in L2(0, T): Gauss-Legendre
MEASURES = ("l2", "max", "h1")

Array = NDArray[np.float64]
Errors = dict[str, dict[str, Any]]  # by name, by measure


def errors_of_fields(own: Solution, known: Solution) -> Errors:
    """Of every field, as `Solution.error` says; InputError if the two have other fields."""
    if [(f.name, f.shape) for f in own.fields] != [(f.name, f.shape) for f in known.fields]:
        raise InputError(
            f"the solution by {own.solver} has the fields {[f.name for f in own.fields]}, the reference by "
            f"{known.solver} has {[f.name for f in known.fields]} (or other shapes)"
        )
    if own.is_eigen:
        return _worst_of_modes(own, known)
    start = _at_start(own, known)
    whole_space = isinstance(known.problem, SemilinearParabolic) and known.problem.domain is None
    if whole_space or getattr(own.model, "local", False):
        return {own.fields[0].name: start}
    points, weights, values, gradients = known.samples
    _, _, own_values, own_gradients = own.sampled(points, weights)
    errors: Errors = {}
    for f, columns in own.columns:
        difference, size = own_values[:, columns] - values[:, columns], values[:, columns]
        if f.mean_zero:
            difference, size = (_shifted(v, weights) for v in (difference, size))
        slope = own_gradients[:, columns] - gradients[:, columns]
        errors[f.name] = relative(weights, difference, size, slope, gradients[:, columns])
    if own.time and known.time:
        for name, value in _over_time(own, known).items():
            errors[name]["l2_time"] = value
    if not start.get("absolute"):  # which would be said of the others too
        errors[own.fields[0].name] |= start
    return errors


def errors_of_outputs(own: Solution, known: Solution) -> Errors:
    """Relative l2 and max errors of the case's outputs; of eigenmodes none, as their signs are arbitrary."""
    if own.is_eigen or not getattr(known.case, "outputs", {}):
        return {}
    points, weights, *_ = known.samples
    pair = [one.pointwise_outputs(points) for one in (own, known)]
    flat = {name: [one[name].reshape(len(points), -1) for one in pair] for name in pair[1]}
    return {name: relative(weights, value - size, size) for name, (value, size) in flat.items()}


def relative(
    weights: Array, e: Array, r: Array, grad_e: Array | None = None, grad_r: Array | None = None
) -> dict[str, Any]:
    """l2, max, with gradients (n, M, d) h1, of the error e (n, M) relative to r, or absolute where r is zero."""

    def measures(values: Array, gradients: Array | None) -> dict[str, float]:
        squares = np.sum(values**2, axis=1)
        found = {"l2": math.sqrt(weights @ squares), "max": math.sqrt(squares.max())}
        if gradients is not None:
            found["h1"] = math.sqrt(weights @ (squares + np.sum(gradients**2, axis=(1, 2))))
        return found

    absolute, size = measures(e, grad_e), measures(r, grad_r)
    if size["l2"] == 0:
        return {**absolute, "absolute": True}
    return {key: absolute[key] / size[key] for key in absolute}


def _shifted(values: Array, weights: Array) -> Array:
    return values - weights @ values / weights.sum()


def _at_start(own: Solution, known: Solution) -> dict[str, Any]:
    """{"y0": error}; empty unless both know the value at (0, x0)."""
    value, exact = (value_of(one.quantities.get("y0")) for one in (own, known))
    if value is None or exact is None or not isinstance(own.problem, SemilinearParabolic):
        return {}
    return {"y0": abs(value - exact) / abs(exact)} if exact else {"y0": abs(value), "absolute": True}


def _worst_of_modes(own: Solution, known: Solution) -> Errors:
    points, weights, values, gradients = known.samples
    one = own.aligned(known)
    _, _, own_values, own_gradients = one.sampled(points, weights)
    worst: Errors = {}
    for f, columns in own.columns:
        errors = []
        for k in range(len(one.eigenvalues)):
            size, slope = values[:, k, columns], gradients[:, k, columns]
            difference = own_values[:, k, columns] - size
            errors.append(relative(weights, difference, size, own_gradients[:, k, columns] - slope, slope))
        worst[f.name] = {measure: max(error[measure] for error in errors) for measure in MEASURES}
    return worst


def _over_time(own: Solution, known: Solution) -> dict[str, float]:
    """In L2(0, T; L2), by field."""
    start, end = known.time or (0.0, 0.0)
    nodes, factors = np.polynomial.legendre.leggauss(TIME_NODES)
    points, weights, *_ = known.samples
    squares = {f.name: np.zeros(2) for f in own.fields}
    for t, factor in zip((start + end) / 2 + (end - start) / 2 * nodes, factors, strict=True):
        values, exact = (one.jets(points, [()], t)[()] for one in (own, known))
        for f, columns in own.columns:
            pair = [values[:, columns] - exact[:, columns], exact[:, columns]]
            if f.mean_zero:
                pair = [_shifted(v, weights) for v in pair]
            squares[f.name] += factor * np.array([weights @ np.sum(v**2, axis=1) for v in pair])
    return {name: math.sqrt(e / s if s > 0 else e) for name, (e, s) in squares.items()}
