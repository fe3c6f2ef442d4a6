"""Quasi-Newton methods with a strong Wolfe line search: self-scaled Broyden with a full matrix, and L-BFGS.

Self-scaled Broyden: Al-Baali and Khalfan, SQU J. Sci. 10, 2005; for networks: Urban, Stefanou, Pons, arXiv 2405.04230,
and Kiyani et al., arXiv 2501.16371.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.optimize
import torch

from mlpde.optimize.first_order import LossAndGradient
from mlpde.optimize.result import Result

MEMORY = 50  # pairs that L-BFGS keeps


@dataclass(frozen=True)
class State:
    """Everything that a resumed run needs.

    inverse (P, P): of the second derivative, approximately.  pairs (2K, P): L-BFGS's memory of K steps, each followed
    by the gradient's change.
    """

    theta: torch.Tensor
    iteration: int = 0
    loss: float = float("nan")
    inverse: torch.Tensor | None = None
    pairs: torch.Tensor | None = None


def self_scaled_broyden(
    function: LossAndGradient,
    theta0: torch.Tensor,
    *,
    difference: Callable[[torch.Tensor, torch.Tensor], float] | None = None,
    max_iterations: int = 10_000,
    callback: Callable[[State], bool | None] | None = None,
    state: State | None = None,
) -> Result[State]:
    """Minimise a loss of theta (P,), of which `function` gives the value and the gradient (P,).

    difference(theta, new): loss(new) - loss(theta) without cancellation, if the loss has it: the line search then finds
    smaller steps.  The run ends by stagnation where no step along the direction, nor along the negative gradient,
    satisfies the Wolfe conditions.  `callback` receives the state after every step and ends the run by returning True.

    Raises FloatingPointError if the loss or its gradient at an accepted theta is not finite.
    """
    state = state or State(theta0.detach().clone())
    function = _remembering(function)
    loss, gradient = _checked(function, state.theta, state.iteration)
    inverse = state.inverse
    fresh = inverse is None
    if inverse is None:
        inverse = torch.eye(len(state.theta), dtype=torch.float64) / max(float(gradient.norm()), 1e-300)
    while state.iteration < max_iterations:
        direction = -(inverse @ gradient)
        length = _wolfe(function, difference, state.theta, direction, loss, gradient)
        if length is None:
            if fresh:
                return Result(state, "stagnation")
            inverse, fresh = torch.eye(len(gradient), dtype=torch.float64) / float(gradient.norm()), True
            continue
        step = length * direction
        theta = state.theta + step
        loss, new = _checked(function, theta, state.iteration + 1)
        inverse = updated(inverse, step, new - gradient, length * gradient, first=fresh)
        gradient, fresh = new, False
        state = State(theta, state.iteration + 1, loss, inverse)
        if callback is not None and callback(state):
            return Result(state, "stopped")
    return Result(state, "max_iterations")


def updated(
    inverse: torch.Tensor,
    s: torch.Tensor,
    y: torch.Tensor,
    scaled_gradient: torch.Tensor,
    first: bool = False,
) -> torch.Tensor:
    """The inverse H after the step s with the change y of the gradient, so that H y = s; unchanged unless s.y > 0.

    scaled_gradient: step length times the gradient before the step, which is -H^-1 s.
    """
    curvature = float(s @ y)
    if not curvature > 0:
        return inverse
    if first:  # the size of the first step's curvature, Nocedal and Wright, eq. 6.20
        inverse = torch.eye(len(s), dtype=s.dtype) * (curvature / float(y @ y))
        scaled_gradient = -s * (float(y @ y) / curvature)
    image = inverse @ y
    h = float(y @ image) / curvature
    b = -float(s @ scaled_gradient) / curvature
    a = max(h * b - 1.0, 1e-14)  # not negative, by Cauchy-Schwarz
    lowest = min(1.0, h * (1.0 - math.sqrt(a / (1.0 + a))))
    theta = max((lowest - 1.0) / a, min(1.0 / lowest, (1.0 - b) / b))
    sigma = 1.0 + theta * a
    power = sigma ** (1.0 / (1.0 - len(s))) if len(s) > 1 else 1.0
    tau = min(1.0, 1.0 / b)
    tau = tau * min(power, 1.0 / theta) if theta > 0 else min(tau * power, sigma)
    phi = (1.0 - theta) / sigma
    v = s / curvature - image / (h * curvature)
    scaled = inverse - torch.outer(image, image / (h * curvature)) + phi * h * curvature * torch.outer(v, v)
    return scaled / tau + torch.outer(s, s / curvature)


def lbfgs(
    function: LossAndGradient,
    theta0: torch.Tensor,
    *,
    max_iterations: int = 10_000,
    callback: Callable[[State], bool | None] | None = None,
    state: State | None = None,
) -> Result[State]:
    """As `self_scaled_broyden`, with the last 50 pairs of steps and changes in place of the matrix.

    Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.4.  Its own loop, as SciPy's and PyTorch's cannot go
    on from a saved memory, or leave out pairs once the loss is small.
    """
    state = state or State(theta0.detach().clone())
    function = _remembering(function)
    loss, gradient = _checked(function, state.theta, state.iteration)
    empty = state.theta.new_zeros(0, len(state.theta))
    pairs = empty if state.pairs is None else state.pairs
    while state.iteration < max_iterations:
        direction = -_times_inverse(pairs, gradient)
        length = _wolfe(function, None, state.theta, direction, loss, gradient)
        if length is None:
            if not len(pairs):
                return Result(state, "stagnation")
            pairs = empty
            continue
        theta = state.theta + length * direction
        loss, new = _checked(function, theta, state.iteration + 1)
        step, change = length * direction, new - gradient
        if float(step @ change) > 0:
            pairs = torch.cat([pairs, step[None], change[None]])[-2 * MEMORY :]
        gradient = new
        state = State(theta, state.iteration + 1, loss, pairs=pairs)
        if callback is not None and callback(state):
            return Result(state, "stopped")
    return Result(state, "max_iterations")


def _times_inverse(pairs: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """The inverse that the pairs stand for, times a vector; without pairs the gradient's direction."""
    if not len(pairs):
        return gradient / max(float(gradient.norm()), 1e-300)
    steps, changes = pairs[::2], pairs[1::2]
    curvatures = (steps * changes).sum(1)
    found, parts = gradient.clone(), []
    for s, y, c in zip(steps.flip(0), changes.flip(0), curvatures.flip(0), strict=True):
        parts.append(s @ found / c)
        found = found - parts[-1] * y
    found = found * (curvatures[-1] / (changes[-1] @ changes[-1]))
    for s, y, c, part in zip(steps, changes, curvatures, reversed(parts), strict=True):
        found = found + (part - y @ found / c) * s
    return found


def _remembering(function: LossAndGradient) -> LossAndGradient:
    """The function, evaluated once where the line search asks for a value and a gradient, and the step for both."""
    latest: tuple[torch.Tensor, tuple[float, torch.Tensor]] | None = None

    def at(theta: torch.Tensor) -> tuple[float, torch.Tensor]:
        nonlocal latest
        if latest is None or not torch.equal(latest[0], theta):
            loss, gradient = function(theta)
            latest = theta.clone(), (float(loss), gradient)
        return latest[1]

    return at


def _checked(function: LossAndGradient, theta: torch.Tensor, iteration: int) -> tuple[float, torch.Tensor]:
    loss, gradient = function(theta)
    if not (math.isfinite(float(loss)) and bool(gradient.isfinite().all())):
        raise FloatingPointError(f"the loss or its gradient is not finite at quasi-Newton step {iteration}")
    return float(loss), gradient


def _wolfe(
    function: LossAndGradient,
    difference: Callable[[torch.Tensor, torch.Tensor], float] | None,
    theta: torch.Tensor,
    direction: torch.Tensor,
    loss: float,
    gradient: torch.Tensor,
) -> float | None:
    """A step length that satisfies the strong Wolfe conditions (SciPy's), None if none is found."""

    def value(x: np.ndarray) -> float:
        new = torch.as_tensor(x)
        found = float(function(new)[0]) if difference is None else difference(theta, new)
        return found if math.isfinite(found) else math.inf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that none was found is what None says
        found = scipy.optimize.line_search(
            value,
            lambda x: function(torch.as_tensor(x))[1].numpy(),
            theta.numpy(),
            direction.numpy(),
            gradient.numpy(),
            loss if difference is None else 0.0,
            maxiter=20,
        )
    return None if found[0] is None else float(found[0])
