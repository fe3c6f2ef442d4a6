"""The published Deep BSDE algorithm written out in plain torch, for one problem at a time: a ruler for DeepBSDE.

E, Han, Jentzen 2017, doi:10.1007/s40304-017-0117-6, section 4.1, and the code of the authors: one module for each time
step, batch normalisation after every product, a loop in time, torch's Adam as it comes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

Tensor = torch.Tensor


@dataclass(frozen=True)
class ByHand:
    """What a problem needs.  paths(n) -> X, dW, each (N + 1 or N, n, d); driver(y, z) and terminal(x) -> (n,)."""

    dim: int
    steps: int
    horizon: float
    paths: Callable[[int], tuple[Tensor, Tensor]]
    driver: Callable[[Tensor, Tensor], Tensor]
    terminal: Callable[[Tensor], Tensor]


def hjb(dim: int = 100, steps: int = 20) -> ByHand:
    """u_t + Lap u - |grad u|^2 = 0 with u(T) = log((1 + |x|^2) / 2), from x0 = 0."""

    def paths(n: int) -> tuple[Tensor, Tensor]:
        dw = math.sqrt(1 / steps) * torch.randn(steps, n, dim)
        return torch.cat([torch.zeros(1, n, dim), math.sqrt(2) * dw.cumsum(0)]), dw

    return ByHand(
        dim,
        steps,
        1.0,
        paths,
        lambda y, z: -z.square().sum(1) / 2,
        lambda x: ((1 + x.square().sum(1)) / 2).log(),
    )


def default_risk(dim: int = 100, steps: int = 40) -> ByHand:
    """The claim on the smallest of the assets, from x0 = 100."""

    def paths(n: int) -> tuple[Tensor, Tensor]:
        dw = math.sqrt(1 / steps) * torch.randn(steps, n, dim)
        growth = ((0.02 - 0.02) / steps + 0.2 * dw).exp()
        return 100 * torch.cat([torch.ones(1, n, dim), growth.cumprod(0)]), dw

    def driver(y: Tensor, z: Tensor) -> Tensor:
        intensity = torch.relu(torch.relu(y - 50) * (0.02 - 0.2) / 20 + 0.2 - 0.02) + 0.02
        return -(intensity / 3 + 0.02) * y

    return ByHand(dim, steps, 1.0, paths, driver, lambda x: x.amin(1))


def _network(dim: int) -> torch.nn.Sequential:
    def norm(n: int) -> torch.nn.BatchNorm1d:
        layer = torch.nn.BatchNorm1d(n, eps=1e-6, momentum=0.01)
        torch.nn.init.normal_(layer.bias, 0, 0.1)
        torch.nn.init.uniform_(layer.weight, 0.1, 0.5)
        return layer

    layers: list[torch.nn.Module] = [norm(dim)]
    for n, m in ((dim, dim + 10), (dim + 10, dim + 10), (dim + 10, dim)):
        linear = torch.nn.Linear(n, m, bias=False)
        torch.nn.init.xavier_uniform_(linear.weight)
        layers += [linear, norm(m), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


class Plain(torch.nn.Module):
    """y0, z0, the networks, and Adam."""

    def __init__(self, problem: ByHand, y0: float, learning_rate: float):
        super().__init__()
        self.problem = problem
        self.y0 = torch.nn.Parameter(torch.tensor(y0))
        self.z0 = torch.nn.Parameter(torch.empty(1, problem.dim).uniform_(-0.1, 0.1))
        self.networks = torch.nn.ModuleList(_network(problem.dim) for _ in range(problem.steps - 1))
        self.optimizer = torch.optim.Adam(self.parameters(), lr=learning_rate)

    def advance(self, batch: int) -> float:
        """One step; the loss before it."""
        p = self.problem
        dt = p.horizon / p.steps
        x, dw = p.paths(batch)
        y, z = self.y0.expand(batch), self.z0.expand(batch, -1)
        for k in range(p.steps):
            if k:
                z = self.networks[k - 1](x[k]) / p.dim
            y = y - dt * p.driver(y, z) + (z * dw[k]).sum(1)
        error = p.terminal(x[-1]) - y
        loss = torch.where(error.abs() < 50, error**2, 100 * error.abs() - 2500).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())
