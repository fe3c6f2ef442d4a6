"""One way to call the methods that train a network on rows r(theta), and what each keeps to continue later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Protocol

import numpy as np
import torch

from mlpde.optimize import first_order, gauss_newton, natural_gradient, quasi_newton
from mlpde.optimize.result import Result

STATES = {
    "gauss_newton": gauss_newton.State,
    "natural_gradient": natural_gradient.State,
    "broyden": quasi_newton.State,
    "lbfgs": quasi_newton.State,
    "adam": first_order.State,
}
State = gauss_newton.State | quasi_newton.State | first_order.State

LARGEST_FACTORISATION = 4e10  # N P min(N, P): some ten seconds on one core


class Rows(Protocol):
    """r(theta) (N,), its Jacobian (N, P), and 1/2 |r|^2 with its gradient (P,)."""

    def residual(self, theta: torch.Tensor) -> torch.Tensor: ...

    def residual_and_jacobian(self, theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]: ...

    def loss_and_gradient(self, theta: torch.Tensor) -> tuple[float, torch.Tensor]: ...


def affordable(rows: int, parameters: int) -> str:
    """The method for so many rows and parameters: Gauss-Newton where its factorisation takes seconds, or L-BFGS."""
    work = float(rows) * parameters * min(rows, parameters)
    return "gauss_newton" if work <= LARGEST_FACTORISATION else "lbfgs"


def minimise(
    method: str,
    rows: Rows,
    theta: torch.Tensor,
    max_iterations: int,
    callback: Callable[[Any], bool | None],
    state: Any = None,
    learning_rate: float = 1e-3,
) -> Result[Any]:
    """Minimise 1/2 |r(theta)|^2 by a method of STATES; see there for what they do with the arguments."""
    if method == "gauss_newton":

        def residual(theta: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                return rows.residual(theta)

        return gauss_newton.gauss_newton(
            rows.residual_and_jacobian,
            residual,
            theta,
            max_iterations=max_iterations,
            callback=callback,
            state=state,
        )
    if method == "adam":
        return first_order.first_order(
            rows.loss_and_gradient,
            theta,
            learning_rate=learning_rate,
            schedule="cosine",
            max_iterations=max_iterations,
            callback=callback,
            state=state,
        )
    quasi = {"broyden": quasi_newton.self_scaled_broyden, "lbfgs": quasi_newton.lbfgs}[method]
    return quasi(rows.loss_and_gradient, theta, max_iterations=max_iterations, callback=callback, state=state)


def saved(method: str, state: State | natural_gradient.State) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """A state as arrays and settings."""
    arrays, settings = {}, {"method": method}
    for f in fields(state):
        value = getattr(state, f.name)
        if isinstance(value, torch.Tensor):
            arrays[f.name] = value.numpy().copy()
        elif isinstance(value, Mapping):
            arrays |= {f"{f.name}.{key}": tensor.numpy().copy() for key, tensor in value.items()}
        else:
            settings[f.name] = value
    return arrays, settings


def restored(arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> Any:
    """The state that `saved` described."""
    values = {name: value for name, value in settings.items() if name != "method"}
    for name, array in arrays.items():
        key, _, entry = name.partition(".")
        if entry:
            values.setdefault(key, {})[entry] = torch.as_tensor(array)
        else:
            values[key] = torch.as_tensor(array)
    return STATES[settings["method"]](**values)
