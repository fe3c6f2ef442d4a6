"""First-order methods, by torch.optim: Adam with a schedule, and Adagrad.

Adam: Kingma and Ba, arXiv 1412.6980.  Adagrad: Duchi, Hazan, Singer, J. Mach. Learn. Res. 12, 2011.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from mlpde.optimize.result import Result

WARM_UP = 0.1  # of the steps, in which the rate of a guarded run rises
LONGEST = 2.0  # gradient of a guarded run, over the running mean of their lengths
FORGETS = 0.02  # of that mean in a step
LOST = 30.0  # times that mean: the step before went too far
GUARDS = ("length", "before")  # remembered beside the moments: that mean, and theta before the step

LossAndGradient = Callable[[torch.Tensor], tuple[float | torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class State:
    """Everything that a resumed run needs to continue to bitwise the same result (with `loss` for information).

    loss: at the parameters before the last step.  moments: what the method remembers of past gradients, by name.
    taken_back: how many steps a guarded run has taken back.
    """

    theta: torch.Tensor
    iteration: int = 0
    loss: float = float("nan")
    moments: Mapping[str, torch.Tensor] = field(default_factory=dict)
    taken_back: int = 0


def first_order(
    function: LossAndGradient,
    theta0: torch.Tensor,
    *,
    method: Literal["adam", "adagrad"] = "adam",
    learning_rate: float = 1e-3,
    schedule: Literal["constant", "cosine"] = "constant",
    guarded: bool = False,
    max_iterations: int = 10_000,
    callback: Callable[[State], bool | None] | None = None,
    state: State | None = None,
) -> Result[State]:
    """Minimise a loss of theta (P,), of which `function` gives the value and the gradient (P,), perhaps at random.

    schedule: "cosine" lets the learning rate fall to zero as (1 + cos(pi k / max_iterations)) / 2.
    guarded: Adam for losses so steep that a step may leave all that was found: the rate rises in the first tenth of the
    steps, a gradient longer than twice the running mean of their lengths is shortened to that, and where it is not
    finite, or longer than thirty times, the last step is taken back and the momentum is dropped (the squares of the
    gradients stay).
    `callback` receives the state after every step and ends the run by returning True.  A saved `state` replaces
    `theta0`.

    Raises FloatingPointError if the loss or its gradient is not finite, with the step named.
    """
    state = state or State(theta0.detach().clone())
    parameter = state.theta.clone().requires_grad_()
    kinds: dict[str, Any] = {"adam": torch.optim.Adam, "adagrad": torch.optim.Adagrad}
    optimizer = kinds[method]([parameter], lr=learning_rate)
    guards = {name: state.moments.get(name) for name in GUARDS}
    if state.moments:
        optimizer.state[parameter] = {k: v.clone() for k, v in state.moments.items() if k not in GUARDS}
    while state.iteration < max_iterations:
        loss, gradient = function(parameter.detach())
        norm, length, before = gradient.norm(), guards["length"], guards["before"]
        finite = math.isfinite(float(loss)) and bool(norm.isfinite())
        taken_back = state.taken_back
        if before is not None and length is not None and not (finite and bool(norm <= LOST * length)):
            loss, guards["before"], taken_back = state.loss, None, taken_back + 1
            with torch.no_grad():
                parameter.copy_(before)
            optimizer.state[parameter]["exp_avg"].zero_()
        elif not finite:
            raise FloatingPointError(
                f"the loss or its gradient is not finite at step {state.iteration + 1} of {method}: a smaller learning "
                "rate may help"
            )
        else:
            rate = learning_rate * (cosine(state.iteration, max_iterations) if schedule == "cosine" else 1.0)
            parameter.grad = gradient
            if guarded:
                rate *= min(1.0, (state.iteration + 1) / (WARM_UP * max_iterations))
                longest = LONGEST * (norm if length is None else length)
                torch.nn.utils.clip_grad_norm_(parameter, float(longest))
                taken = norm.clamp(max=float(longest))
                guards["length"] = taken if length is None else (1 - FORGETS) * length + FORGETS * taken
                guards["before"] = parameter.detach().clone()
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()
        moments = optimizer.state[parameter] | {k: v for k, v in guards.items() if v is not None}
        state = State(parameter.detach().clone(), state.iteration + 1, float(loss), moments, taken_back)
        if callback is not None and callback(state):
            return Result(state, "stopped")
    return Result(state, "max_iterations")


def cosine(iteration: int, iterations: int) -> float:
    """(1 + cos(pi k / n)) / 2, from 1 at the first step to 0 at the last."""
    return (1 + math.cos(math.pi * iteration / iterations)) / 2
