"""min over theta, max over eta, by alternating first-order steps: Adam for theta, Adagrad for eta, by torch.optim.

As in weak adversarial networks, arXiv:1907.08272.  Adam: Kingma and Ba, arXiv:1412.6980.  Adagrad: Duchi, Hazan,
Singer, J. Mach. Learn. Res. 12, 2011.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from mlpde.optimize.first_order import cosine

Loss = Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor]  # of a batch, theta and eta


@dataclass(frozen=True)
class State:
    """Everything that a resumed run needs to continue to the same result, as arrays by name.

    moments: what the two optimisers remember, by "theta.name" and "eta.name".  loss: that of theta's last step.
    """

    theta: torch.Tensor
    eta: torch.Tensor
    iteration: int = 0
    loss: float = float("nan")
    moments: Mapping[str, torch.Tensor] = field(default_factory=dict)


def min_max(
    batch: Callable[[int], Any],
    loss: Loss,
    adversary_loss: Loss,
    state: State,
    *,
    learning_rate: float,
    adversary_rate: float,
    max_iterations: int,
    callback: Callable[[State], bool | None] | None = None,
) -> State:
    """Minimise `adversary_loss` in eta and then `loss` in theta, one step each, on the batch of every iteration.

    Adam's learning rate falls to zero as a cosine: at a constant one theta goes on swinging about its limit.
    `callback` receives the state after every iteration and ends the run by returning True.

    Raises FloatingPointError if a loss is not finite, with the step named.
    """
    players = {"theta": state.theta.clone().requires_grad_(), "eta": state.eta.clone().requires_grad_()}
    optimizers: dict[str, torch.optim.Optimizer] = {
        "theta": torch.optim.Adam([players["theta"]], lr=learning_rate),
        "eta": torch.optim.Adagrad([players["eta"]], lr=adversary_rate),
    }
    for name, optimizer in optimizers.items():
        known = {
            key.split(".")[1]: value.clone()
            for key, value in state.moments.items()
            if key.startswith(name + ".")
        }
        if known:
            optimizer.state[players[name]] = known
    while state.iteration < max_iterations:
        data = batch(state.iteration)
        value = 0.0
        for name, function in (("eta", adversary_loss), ("theta", loss)):
            other = {n: p if n == name else p.detach() for n, p in players.items()}
            found = function(data, other["theta"], other["eta"])
            value = float(found.detach())
            if not torch.isfinite(found):
                raise FloatingPointError(
                    f"the loss of {'the adversary' if name == 'eta' else 'the network'} is not finite at step "
                    f"{state.iteration + 1}: a smaller learning rate may help"
                )
            if name == "theta":
                optimizers[name].param_groups[0]["lr"] = learning_rate * cosine(
                    state.iteration, max_iterations
                )
            (players[name].grad,) = torch.autograd.grad(found, players[name])
            optimizers[name].step()
        moments = {
            f"{name}.{key}": value
            for name, optimizer in optimizers.items()
            for key, value in optimizer.state[players[name]].items()
        }
        now = {name: player.detach().clone() for name, player in players.items()}
        state = State(now["theta"], now["eta"], state.iteration + 1, value, moments)
        if callback is not None and callback(state):
            break
    return state
