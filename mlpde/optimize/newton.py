"""Damped Gauss-Newton for residuals whose linearised least squares are solved directly.

Every step solves min |r(x) + J(x) d| and goes to x + s d, s the first of 1, 1/2, 1/4, ... that lowers |r|, measured
with the row scaling of this step.  (Nocedal and Wright, Numerical Optimization, 2006, chapters 3 and 10.)
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from mlpde.errors import InputError

MAX_STEPS = 30
SHORTEST = 2.0**-6  # step length
ARMIJO = 1e-4
STALLED = 0.9  # a step that leaves more than this of the residual gains nothing
PATIENCE = 5  # such steps in a row
STATIONARY = (
    0.2  # relative decrease of |r|^2 in the linear model: if none is made, x is the least squares' minimiser
)
ROUNDING = (
    20 * torch.finfo(torch.float64).eps
)  # of |J| |x|: a residual below is rounding, which no step lowers


class NewtonFailure(InputError):
    """The iteration came to no solution; the sentence names the step and the residual."""


class Linearised(NamedTuple):
    """The scaled problem about x.  solve() -> (d, |r + J d|, facts); norm(x') = |r(x')|; size = |J x|,
    bound = |J| |x|.
    """

    solve: Callable[[], tuple[torch.Tensor, float, dict[str, Any]]]
    norm: Callable[[torch.Tensor], float]
    size: float
    bound: float


def newton(
    linearise: Callable[[torch.Tensor], Linearised], x: torch.Tensor
) -> tuple[torch.Tensor, dict[str, Any], list[dict[str, float]]]:
    """Minimise |r(x)| from x on: the minimiser, the facts of the last solve, and step, residual, length of each step.

    The residuals of the history are relative to that of the start, each measured with its own step's scaling.
    Raises NewtonFailure if no step length lowers the residual, if five in a row hardly do, if it rests where the
    residual exceeds the terms of the equations, or after MAX_STEPS.
    """
    history: list[dict[str, float]] = []
    idle = 0
    for step in range(1, MAX_STEPS + 1):
        problem = linearise(x)
        before = problem.norm(x)
        direction, predicted, facts = problem.solve()
        if before == 0.0:
            return x, facts, history
        length, after = 1.0, problem.norm(x + direction)
        while not after <= (1 - ARMIJO * length) * before and length > SHORTEST:
            length /= 2
            after = problem.norm(x + length * direction)
        lowered = after <= (1 - ARMIJO * length) * before
        if lowered:
            x = x + length * direction
            history.append({"step": step, "residual": after / before, "length": length})
        stalls = not lowered or after > STALLED * before
        gain = 1 - (predicted / before) ** 2  # of |r|^2 in the linear model
        rounding = before <= ROUNDING * problem.bound
        if stalls and (rounding or (gain <= STATIONARY and before <= problem.size)):
            return x, facts, history
        idle = idle + 1 if stalls else 0
        if lowered and idle < PATIENCE:
            continue
        raise NewtonFailure(
            f"Newton's method stalled in step {step}: steps of full length down to {length:.2g} of it hardly lower the "
            f"residual, {_in_terms(before, problem.size)}; use more features, or start from an easier problem"
        )
    raise NewtonFailure(
        f"Newton's method did not converge in {MAX_STEPS} steps: the last one left {history[-1]['residual']:.1e} of "
        f"the residual with a step of length {history[-1]['length']:.1e}; use more features, or start from an easier "
        "problem"
    )


def _in_terms(residual: float, size: float) -> str:
    if size == 0.0:
        return "which is all of the data: the function is still zero"
    return f"which is {residual / size:.1e} of the terms of the equations"
