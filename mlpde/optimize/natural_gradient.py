"""Energy natural gradient: Newton's method in function space, in the metric of the energy's second derivative.

Mueller and Zeinhofer, Achieving high accuracy with PINNs via energy natural gradients, 2023, arXiv 2302.13163.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch

from mlpde.optimize.result import Result

GROWTH = 2.0  # of the radius from one trial to the next
ACCEPTABLE = 0.25  # actual over predicted decrease
CORRECTIONS = 10  # simplified Newton corrections of one trial step
CONTRACTION = 0.7  # a correction that shrinks less than this ends the corrections
FLOOR = 1e-13  # singular values below this part of the largest are rounding errors


class Tangent(NamedTuple):
    """What the energy is about theta, in function space: u(theta + p) = u(theta) + J p + ...

    rows R (m, P): R^T R = J^T E'' J.  gradient (P,): J^T E'(u).  pulled_back(new) = J^T E'(u(new)) with theta's J.
    """

    rows: torch.Tensor
    gradient: torch.Tensor
    pulled_back: Callable[[torch.Tensor], torch.Tensor]


class Energy(Protocol):
    """E as a function of theta (P,)."""

    def linearise(self, theta: torch.Tensor) -> Tangent:
        """The tangent space at theta."""
        ...

    def difference(self, theta: torch.Tensor, new: torch.Tensor) -> float:
        """E(new) - E(theta), without cancellation."""
        ...


@dataclass(frozen=True)
class State:
    """Everything that a resumed run needs; decrease: of the energy in the last step."""

    theta: torch.Tensor
    radius: float = 1.0
    iteration: int = 0
    decrease: float = math.nan


def natural_gradient(
    energy: Energy,
    theta0: torch.Tensor,
    *,
    max_iterations: int = 1000,
    callback: Callable[[State], bool | None] | None = None,
    state: State | None = None,
) -> Result[State]:
    """Minimise an energy over theta (P,).

    With R = U S V^T (QR, then the SVD of the triangle, never R^T R) a step p = V c minimises E(theta + p) + lambda
    |p|^2 / 2 approximately, by simplified Newton iterations c <- c - (S^2 + lambda)^-1 (V^T J^T E'(u(theta + V c)) +
    lambda c), which start at the quadratic model's step and follow the curved valley.  Of the radii 2^k the largest is
    kept whose step has an acceptable ratio of the actual to the predicted decrease, as long as the decrease grows from
    one radius to the next.  `callback` receives the state after every step and ends the run by returning True; a saved
    `state` replaces `theta0`.  The run ends by stagnation where no step lowers the energy.

    Raises FloatingPointError where the metric or the gradient at an accepted theta is not finite.
    """
    state = state or State(theta0.detach().clone())
    while state.iteration < max_iterations:
        model = _Model.of(energy, state.theta, state.iteration)
        step = model.largest_acceptable_step(state.radius)
        if step is None:
            return Result(state, "stagnation")
        theta, radius, decrease = step
        state = State(theta, radius, state.iteration + 1, decrease)
        if callback is not None and callback(state):
            return Result(state, "stopped")
    return Result(state, "max_iterations")


@dataclass(frozen=True)
class _Model:
    """The quadratic model of the energy about theta in the coordinates c of p = V c."""

    energy: Energy
    theta: torch.Tensor
    tangent: Tangent
    values: torch.Tensor  # (k,): S
    right: torch.Tensor  # (P, k): V
    slope: torch.Tensor  # (k,): V^T gradient

    @staticmethod
    def of(energy: Energy, theta: torch.Tensor, iteration: int) -> _Model:
        tangent = energy.linearise(theta)
        rows, gradient, _ = tangent
        if not (bool(rows.isfinite().all()) and bool(gradient.isfinite().all())):
            raise FloatingPointError(
                f"the energy's derivatives are not finite at natural-gradient step {iteration}: check the energy at "
                "the starting guess (a division by zero, a root of a negative number, an overflow)"
            )
        triangle = torch.linalg.qr(rows, mode="r")[1]
        _, values, vh = torch.linalg.svd(triangle, full_matrices=False)
        return _Model(energy, theta, tangent, values, vh.T, vh @ gradient)

    @property
    def floor(self) -> float:
        return (FLOOR * max(float(self.values[0]), 1e-100)) ** 2

    def length(self, damping: float) -> float:
        """|p| of the model's step."""
        return float((self.slope / (self.values**2 + damping)).norm())

    def damping(self, radius: float) -> float:
        """The lambda whose step has the length `radius`, by bisection; the floor if all are shorter."""
        lower, upper = math.log(self.floor), math.log(self.floor) + 110.0
        if self.length(math.exp(lower)) <= radius:
            return self.floor
        while upper - lower > 1e-2:
            middle = (lower + upper) / 2
            lower, upper = (middle, upper) if self.length(math.exp(middle)) > radius else (lower, middle)
        return math.exp(upper)

    def attempt(self, radius: float) -> tuple[torch.Tensor, float, float] | None:
        """(new theta, radius, decrease of the energy) if the step is acceptable."""
        value = self.damping(radius)
        metric = self.values**2 + value
        c = -self.slope / metric
        predicted = -float(self.slope @ c) - 0.5 * float((self.values * c).square().sum())
        size = float(c.norm())
        for _ in range(CORRECTIONS):
            gradient = self.right.T @ self.tangent.pulled_back(self.theta + self.right @ c)
            correction = -(gradient + value * c) / metric
            new_size = float(correction.norm())
            if not new_size < CONTRACTION * size:
                break
            c, size = c + correction, new_size
        new = self.theta + self.right @ c
        decrease = -self.energy.difference(self.theta, new)
        acceptable = math.isfinite(decrease) and decrease > 0 and decrease >= ACCEPTABLE * predicted
        return (new, radius, decrease) if acceptable else None

    def largest_acceptable_step(self, radius: float) -> tuple[torch.Tensor, float, float] | None:
        """(new theta, radius, decrease) of the largest acceptable radius; None where no step lowers the energy."""
        smallest = torch.finfo(self.theta.dtype).eps * max(1.0, float(self.theta.norm()))
        longest = self.length(self.floor)
        if longest == 0.0:
            return None
        radius = min(GROWTH * radius, longest)
        best = self.attempt(radius)
        while best is not None and radius < longest:
            larger = self.attempt(GROWTH * radius)
            if larger is None or larger[2] <= best[2]:
                return best
            best, radius = larger, GROWTH * radius
        while best is None and radius > smallest:
            radius /= GROWTH
            best = self.attempt(radius)
        return best
