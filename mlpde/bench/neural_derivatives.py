"""What the derivatives of a network cost; one thread, CPU-seconds.

The loss of a 3 x 64 network with a Laplacian, and its gradient, beside nested automatic differentiation; a step whose
residual comes from the weak form beside one that is written by hand.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from mlpde.bench import print_table

POINTS = 4096
REPETITIONS = 9


def fastest(functions: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """The least CPU milliseconds of each function, of several calls in turns, so that a loaded machine counts less."""
    best = dict.fromkeys(functions, float("inf"))
    for _ in range(REPETITIONS):
        for name, function in functions.items():
            start = time.process_time()
            function()
            best[name] = min(best[name], 1e3 * (time.process_time() - start))
    return best


def derivative_costs() -> dict[str, float]:
    """Milliseconds of the loss mean (Lap u)^2 and its parameter gradient, 3 x 64 tanh on the plane."""
    import torch

    from mlpde.representation.jets import laplacian
    from mlpde.representation.networks import MLP

    network = MLP(2, 1, (0.0, 0.0), (1.0, 1.0), width=64, depth=3)
    theta = network.initial(0).requires_grad_()
    points = torch.rand(POINTS, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    trace = laplacian(2)

    def forward(theta: torch.Tensor) -> torch.Tensor:
        return network.jets(theta, points, [trace])[trace].square().mean()

    def nested(theta: torch.Tensor) -> torch.Tensor:
        x = points.detach().requires_grad_()
        *hidden, (weight, bias) = network._layers(theta)
        u = 2 * x - 1
        for inner, shift in hidden:
            u = torch.tanh(u @ inner.T + shift)
        u = u @ weight.T + bias
        (gradient,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        second = [torch.autograd.grad(gradient[:, i].sum(), x, create_graph=True)[0][:, i] for i in range(2)]
        return (second[0] + second[1]).square().mean()

    losses = {"nested": nested, "jets": forward, "jets, torch.compile": torch.compile(forward)}
    values = {name: (f(theta), *torch.autograd.grad(f(theta), theta)) for name, f in losses.items()}
    for found in values.values():
        for one, other in zip(found, values["nested"], strict=True):
            assert torch.allclose(one, other, rtol=1e-9, atol=1e-12)

    def gradient(loss: Callable[[torch.Tensor], torch.Tensor]) -> Any:
        return torch.autograd.grad(loss(theta), theta)

    return fastest({name: partial(gradient, loss) for name, loss in losses.items()})


def step_costs() -> dict[str, float]:
    """Milliseconds of loss and gradient, residual and Jacobian, of the smooth square: by the weak form and by hand."""
    import torch

    from mlpde.case_files import load
    from mlpde.formulation.residual import strong_form
    from mlpde.formulation.sampling import collocate
    from mlpde.representation.network_rows import NetworkRows, network_rows
    from mlpde.representation.networks import MLP

    problem = load("square_poisson").problem
    form = strong_form(problem)
    network = MLP(2, 1, (0.0, 0.0), (1.0, 1.0), width=16, depth=3)
    theta = network.initial(0)
    located = collocate(form, problem.domain, problem.domain.interior(POINTS, rule="sobol"))
    inside = [part for part in located if part.rows.kind == "interior"]
    compiled = network_rows(network, theta, inside, problem.domain)
    (group,) = compiled.groups
    x, weight = group.located.points, group.weights
    f = 2 * torch.pi**2 * torch.sin(torch.pi * x).prod(1, keepdim=True)
    alphas = [(0, 0), (1, 1)]

    class ByHand(NetworkRows):
        def residual(self, theta: torch.Tensor) -> torch.Tensor:
            return self.equation(network.jets(theta, x, alphas)).flatten()

        def residual_and_jacobian(self, theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            r, jacobian = network.jacobian(theta, x, alphas, self.equation)
            return r.flatten(), jacobian

        def equation(self, jets: Any) -> torch.Tensor:
            return (-(jets[(0, 0)] + jets[(1, 1)]) - f) * weight

    hand = ByHand(network, compiled.groups)
    assert torch.allclose(hand.residual(theta), compiled.residual(theta), rtol=1e-10, atol=1e-12)
    return fastest(
        {
            f"{what}, {who}": partial(getattr(rows, what), theta)
            for who, rows in (("UFL", compiled), ("by hand", hand))
            for what in ("loss_and_gradient", "residual_and_jacobian")
        }
    )


def main() -> None:
    """Print the tables."""
    costs = derivative_costs()
    rows: list[list[Any]] = [
        [name, asked, milliseconds, costs["nested"] / milliseconds]
        for (name, milliseconds), asked in zip(costs.items(), ("", ">= 1.3", ">= 2"), strict=True)
    ]
    print_table("Laplacian and gradient, 3 x 64, 4096 points", ["how", "asked", "ms", "times faster"], rows)
    costs = step_costs()
    rows = [
        [what, "<= 1.15", costs[f"{what}, UFL"], costs[f"{what}, UFL"] / costs[f"{what}, by hand"]]
        for what in ("loss_and_gradient", "residual_and_jacobian")
    ]
    print_table("a step by UFL beside one by hand", ["what", "asked", "ms", "ratio"], rows)
