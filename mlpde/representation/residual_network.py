"""A network for what the features of a regression miss, trained on the residuals that sample paths leave.

v is known, R_n is what is left of a path from t_n on: the sum of

    v(t_(k+1), X_(k+1)) - v(t_k, X_k) + dt/2 (F_k + F_(k+1)) - zeta_k.dW_k,   k >= n,   zeta = sigma^T grad v,

with F and the drift of `backward_regression.py`.  The network w minimises

    sum_n E |R_n - w(t_n, X_n) - sum_(k >= n) sigma^T grad w(t_k, X_k).dW_k|^2

by Adam, as the coefficients of the regression do; F is stationary at v, and kept.
"""

from __future__ import annotations

import math

import torch
from torch.nn import Linear, Sequential, Tanh

from mlpde.formulation.feynman_kac import Known, antithetic, linearised_steps
from mlpde.formulation.stochastic import ForwardBackwardSDE

Tensor = torch.Tensor
WIDTH = 32
STEPS, BATCH, RATE = 800, 128, 5e-3  # of Adam; the rate falls to zero as a cosine


def corrected(
    sde: ForwardBackwardSDE, known: Known, steps: int, paths: int, generator: torch.Generator
) -> Known:
    """v + w at the times of the grid, for v = known."""
    dt = sde.horizon / steps
    x, dw, residuals = _residuals(sde, known, steps, paths, generator)
    size = residuals.std()
    if not bool(torch.isfinite(size)) or float(size) == 0.0:
        return known
    mean, deviation = x.mean(1), x.std(1)
    deviation[0] = deviation[1]  # all paths start at x0
    network = _Network(sde, mean, deviation, generator.initial_seed())
    optimizer = torch.optim.Adam(network.layers.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        chosen = torch.randint(paths, (BATCH,), generator=generator, device=x.device)
        value, gradient = network.value_and_gradient(x[:, chosen], differentiable=True)
        z = torch.stack([sde.z_of_gradient(n * dt, x[n, chosen], gradient[n]) for n in range(steps)])
        gain = (z * dw[:, chosen]).sum(2)
        ahead = gain.flip(0).cumsum(0).flip(0)
        loss = (residuals[:, chosen] / size - value - ahead).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()

    def both(t: float, x: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = known(t, x)
        n = round(t / dt)
        more, slope = network.value_and_gradient(x[None], slice(n, n + 1))
        return value + size * more[0], gradient + size * slope[0]

    return both


def _residuals(
    sde: ForwardBackwardSDE, known: Known, steps: int, paths: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """X (N, n, d), dW (N, n, d) and R (N, n) at the times t_0 ... t_(N - 1)."""
    root = math.sqrt(sde.horizon / steps)
    dw = [antithetic(generator, paths, sde.x0) * root for _ in range(steps)]
    along = list(linearised_steps(sde, known, dw))
    total, residuals = torch.zeros_like(along[-1].gain), []
    for step in reversed(along):
        growth = 1.0 if step.growth is None else step.growth
        total = step.gain - step.martingale + growth * total
        residuals.append(total)
    return torch.stack([step.x for step in along]), torch.stack(dw), torch.stack(residuals[::-1])


class _Network:
    """(x standardised at its time, t / T) -> 32 -> 32 -> 1, tanh."""

    def __init__(self, sde: ForwardBackwardSDE, mean: Tensor, deviation: Tensor, seed: int):
        self.mean, self.deviation = mean[:, None], deviation[:, None].clamp_min(torch.finfo(mean.dtype).tiny)
        self.time = (torch.arange(len(mean)).to(mean) / len(mean))[:, None, None]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = Sequential(
                Linear(sde.dim + 1, WIDTH), Tanh(), Linear(WIDTH, WIDTH), Tanh(), Linear(WIDTH, 1)
            ).to(mean)

    def value_and_gradient(
        self, x: Tensor, which: slice = slice(None), differentiable: bool = False
    ) -> tuple[Tensor, Tensor]:
        """w (k, n) and its gradient (k, n, d) at x (k, n, d) at the times `which`, as functions of the parameters."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            time = self.time[which].expand(*x.shape[:2], 1)
            value = self.layers(torch.cat([(x - self.mean[which]) / self.deviation[which], time], 2))[..., 0]
            (gradient,) = torch.autograd.grad(value.sum(), x, create_graph=differentiable)
        return (value, gradient) if differentiable else (value.detach(), gradient)
