"""Gauss-Newton with a trust radius, by the singular values of the Jacobian."""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, isfinite, log

import numpy as np
import torch
from scipy.optimize import brentq

from mlpde.optimize.result import Result

ACCEPTABLE = 0.25  # actual over predicted reduction of the loss
GROWTH = 2.0  # of the radius from one trial to the next
CORRECTIONS = 10  # simplified Newton corrections of one trial step
CONTRACTION = 0.7  # a correction that shrinks less than this ends the corrections
DAMPED = 1e-10  # lambda over s_1^2 from which J^T J, wrong by some 1e-15 s_1^2, does and takes half the time
IDLE_DECREASE = 1e-4  # relative decrease of the loss below which an iteration counts as idle
IDLE_ITERATIONS = 5


@dataclass(frozen=True)
class State:
    """Everything that a resumed run needs to continue to bitwise the same result (with `loss` for information).

    damped: lambda was large enough for J^T J.
    """

    theta: torch.Tensor
    radius: float
    iteration: int
    loss: float
    idle: int = 0
    damped: bool = True


def gauss_newton(
    residual_and_jacobian: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
    residual: Callable[[torch.Tensor], torch.Tensor],
    theta0: torch.Tensor,
    *,
    max_iterations: int = 1000,
    tolerance: float = 0.0,
    callback: Callable[[State], bool | None] | None = None,
    state: State | None = None,
) -> Result[State]:
    """Minimise the loss 1/2 |r(theta)|^2 over theta of shape (P,); r has shape (N,), its Jacobian (N, P).

    With J = U S V^T every step p = V c within a trust radius is the solution of the regularised problem
    min |r(theta + p)|^2 + lambda |p|^2, found by simplified Newton iterations
    c <- c - (S^2 + lambda)^-1 (S U^T r(theta + V c) + lambda c), which start at the linear model's solution and cost
    one residual each: they follow the curved valley, so that the radius stays large where a plain Gauss-Newton step
    would have to shrink it. Of the radii 2^k the iteration keeps the largest one whose step has an acceptable
    reduction ratio (the idea of controlling regularisation and step length together: arXiv 2607.02194; steps corrected
    along the valley: Transtrum and Sethna, arXiv 1201.5885), as long as the loss falls from one to the next: longer
    first steps saturate a network, which it never recovers from. S and V are those of J^T J = V S^2 V^T as long as
    lambda is far above its rounding errors, else of QR (of J^T if there are more parameters than rows) and the SVD
    of R.

    `residual_and_jacobian` is called once an iteration, `residual` about ten to twenty times. `callback` receives the
    state after every step, may keep it (a checkpoint), and ends the run by returning True. A saved `state` replaces
    `theta0`. The run ends when |r| <= `tolerance`, after `max_iterations` in all, or by stagnation: no step lowers
    the loss any more, or five in a row lower it by less than 1e-4 of itself.

    Raises FloatingPointError where the residual or its Jacobian at an accepted theta is not finite.
    """
    if state is None:
        state = State(theta0.detach().clone(), radius=1.0, iteration=0, loss=float("nan"))
    while True:
        r, jacobian = residual_and_jacobian(state.theta)
        _check_finite("residual", r, state.iteration)
        _check_finite("Jacobian", jacobian, state.iteration)
        loss = 0.5 * float(r @ r)
        if (2.0 * loss) ** 0.5 <= tolerance:
            return Result(_with_loss(state, loss), "tolerance")
        if state.iteration >= max_iterations:
            return Result(_with_loss(state, loss), "max_iterations")
        if state.idle >= IDLE_ITERATIONS:
            return Result(_with_loss(state, loss), "stagnation")
        step = None
        if state.damped and len(jacobian) >= jacobian.shape[1]:
            model = _Model.of_normal_equations(r, jacobian)
            step = _largest_acceptable_step(model, residual, state.theta, loss, state.radius)
        if step is None or step[1] >= model.longest(DAMPED):
            model = _Model.of(r, jacobian)
            step = _largest_acceptable_step(model, residual, state.theta, loss, state.radius)
        if step is None:
            return Result(_with_loss(state, loss), "stagnation")
        theta, radius, new_loss = step
        idle = state.idle + 1 if loss - new_loss < IDLE_DECREASE * loss else 0
        state = State(theta, radius, state.iteration + 1, new_loss, idle, radius < model.longest(DAMPED))
        if callback is not None and callback(state):
            return Result(state, "stopped")


@dataclass(frozen=True)
class _Model:
    """The linear model r + J p in the coordinates c of p = V c."""

    jacobian: torch.Tensor  # (N, P)
    squares: torch.Tensor  # (k,), k = min(N, P): S^2
    right: torch.Tensor  # (P, k): V
    slope: torch.Tensor  # (k,): S U^T r
    accuracy: float  # squares below this part of the largest are rounding errors

    @staticmethod
    def of(r: torch.Tensor, jacobian: torch.Tensor) -> "_Model":
        count, size = jacobian.shape
        accuracy = torch.finfo(r.dtype).eps ** 2
        if count < size:
            q, triangle = torch.linalg.qr(jacobian.T)
            u, values, vh = torch.linalg.svd(triangle, full_matrices=False)
            return _Model(jacobian, values**2, q @ u, values * (vh @ r), accuracy)
        # the triangle of (J, r) has Q^T r as its last column: Q, as costly as the triangle, need not be known
        triangle = torch.linalg.qr(torch.cat([jacobian, r[:, None]], 1), mode="r").R[:size]
        u, values, vh = torch.linalg.svd(triangle[:, :size], full_matrices=False)
        return _Model(jacobian, values**2, vh.T, values * (u.T @ triangle[:, size]), accuracy)

    @staticmethod
    def of_normal_equations(r: torch.Tensor, jacobian: torch.Tensor) -> "_Model":
        squares, right = torch.linalg.eigh(jacobian.T @ jacobian)
        return _Model(jacobian, squares.clamp(min=0.0), right, right.T @ (jacobian.T @ r), DAMPED)

    @property
    def floor(self) -> float:
        """The smallest lambda."""
        return self.accuracy * max(float(self.squares.max()), 1e-200)

    def longest(self, part: float) -> float:
        """The length of the linear model's step for lambda = part s_1^2."""
        return float((self.slope / (self.squares + part * max(float(self.squares.max()), 1e-200))).norm())

    def regularisation(self, radius: float) -> float:
        """The lambda at which the step of the linear model has length `radius` (its floor where that is shorter)."""
        squares, slope = self.squares.cpu().numpy(), self.slope.cpu().numpy()

        def excess(log_value: float) -> float:
            return float(np.linalg.norm(slope / (squares + exp(log_value)))) / radius - 1.0

        lower, upper = (
            log(self.floor),
            log(self.floor) + 110.0,
        )  # the upper end gives a step |g| / s_1 times 1e-16
        if excess(lower) <= 0.0:
            return self.floor
        return exp(upper if excess(upper) >= 0.0 else float(brentq(excess, lower, upper, xtol=1e-2)))

    def step(
        self, residual: Callable[[torch.Tensor], torch.Tensor], theta: torch.Tensor, value: float
    ) -> tuple[torch.Tensor, float, float]:
        """theta + p, its loss, and the reduction that the linear model predicts for regularisation `value`."""
        damping = self.squares + value
        c = -self.slope / damping
        predicted = 0.5 * float((c**2 * (damping + value)).sum())
        r, size = residual(theta + self.right @ c), float(c.norm())
        for _ in range(CORRECTIONS):
            correction = -(self.right.T @ (self.jacobian.T @ r) + value * c) / damping
            new_size = float(correction.norm())
            if not new_size < CONTRACTION * size:
                break
            c, size = c + correction, new_size
            r = residual(theta + self.right @ c)
        return theta + self.right @ c, 0.5 * float(r @ r), predicted


def _largest_acceptable_step(
    model: _Model,
    residual: Callable[[torch.Tensor], torch.Tensor],
    theta: torch.Tensor,
    loss: float,
    radius: float,
) -> tuple[torch.Tensor, float, float] | None:
    """(theta, radius, loss) after the step of the largest acceptable radius; None where no step lowers the loss."""

    def attempt(radius: float) -> tuple[torch.Tensor, float, float] | None:
        new, new_loss, predicted = model.step(residual, theta, model.regularisation(radius))
        acceptable = isfinite(new_loss) and new_loss < loss and loss - new_loss >= ACCEPTABLE * predicted
        return (new, radius, new_loss) if acceptable else None

    smallest = torch.finfo(theta.dtype).eps * max(1.0, float(theta.norm()))
    longest = model.longest(model.accuracy)
    if longest == 0.0:
        return None
    radius = min(GROWTH * radius, longest)
    best = attempt(radius)
    while best is not None and radius < longest:
        larger = attempt(GROWTH * radius)
        if larger is None or larger[2] >= best[2]:
            return best
        best, radius = larger, GROWTH * radius
    while best is None and radius > smallest:
        radius /= GROWTH
        best = attempt(radius)
    return best


def _with_loss(state: State, loss: float) -> State:
    return State(state.theta, state.radius, state.iteration, loss, state.idle)


def _check_finite(what: str, values: torch.Tensor, iteration: int) -> None:
    if bool(values.sum().isfinite()):  # looking at each entry takes twenty times as long
        return
    bad = int((~torch.isfinite(values)).sum())
    if bad:  # else the sum alone overflowed
        raise FloatingPointError(
            f"The {what} is not finite at Gauss-Newton iteration {iteration}: {bad} of {values.numel()} entries are "
            "nan or infinite. Check the equation at the starting guess (a division by zero, a root of a negative "
            "number, an overflow)."
        )
