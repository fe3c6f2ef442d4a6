"""Bounds of u(0, x0) from both sides where the driver is the larger, or the smaller, of two linear functions.

f(y, z) = max_k (a_k y + b_k.z), k = 0, 1, makes u the value of a control problem: at every time one chooses k, and

    u(0, x0) = sup E[D_T g(X_T)],    dX = (mu + sigma b_k) dt + sigma dW,    D = exp int a_k dt.

From below: any policy, here the larger function at a known v, kept over each step of an exact law.
From above: for a path of W let the choice foresee it, at the price of the martingale of v (information relaxation),

    u(0, x0) <= E sup_k [D_T g(X_T) - sum_n D_n dM_n],  dM_n = zeta(t_n, X_n).(W_{n+1} - W_n),  zeta = sigma^T grad v,

or with any other dM_n of mean 0 for given X_n.  Both drifts only move X, by an amount that the time s spent with k = 1
decides: the supremum is a recursion over s on a grid, with dM_n interpolated in s, which leaves its mean 0.  A choice
that changes within a step is left out, an error of second order in the step; at the last step, where g has kinks, it
is not.  Neither bound needs v to be near u, but the gap does.
Rogers 2002, doi:10.1111/1467-9965.02010; Brown, Smith, Sun 2010, doi:10.1287/opre.1090.0796.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch

from mlpde.formulation.feynman_kac import NORMAL_95, antithetic, linear_level, pair_means
from mlpde.formulation.stochastic import ForwardBackwardSDE

Tensor = torch.Tensor
Known = Callable[[float, Tensor], tuple[Tensor, Tensor]]  # (t, x (m, d)) -> v (m,), grad v (m, d), t < T
# (t, dt, x (m, d), dw (m, d)) -> (m,), of mean 0 for given x: what the martingale part of v gains over a step
Increment = Callable[[float, float, Tensor, Tensor], Tensor]
SAMPLES = 256  # of (y, z), at which a driver is found to have two pieces
ROUNDING = 64  # units in the last place by which equal slopes may differ
LINEAR_POINTS = 8192  # of each replicate of the first piece alone
FINE = 8  # choices within the last step


class Pieces(NamedTuple):
    """f = sign * max_k sign * (a_k y + b_k.z): slopes a (2,), b (2, d); sign = 1 for a maximum, -1 for a minimum."""

    by_y: Tensor
    by_z: Tensor
    sign: int


class Bounds(NamedTuple):
    """u(0, x0) lies between; each holds with the probability of a one-sided interval of 97.5 %."""

    lower: float
    upper: float


def two_pieces(sde: ForwardBackwardSDE) -> Pieces | None:
    """The two linear functions, if the driver is made of them and their drifts only move the paths; else None."""
    if not {"y", "z"} >= sde.driver_uses or not _moves(sde):
        return None
    random = torch.Generator().manual_seed(0)
    y = torch.randn(SAMPLES, generator=random, dtype=torch.float64).to(sde.x0)
    z = torch.randn(SAMPLES, sde.dim, generator=random, dtype=torch.float64).to(sde.x0)
    x = sde.x0.expand(SAMPLES, -1)
    f, by_y, by_z = sde.driver_slopes(0.0, x, y, z)
    a = torch.zeros_like(y) if by_y is None else by_y
    b = torch.zeros_like(z) if by_z is None else by_z
    slopes = torch.cat([a[:, None], b], 1)
    size = float(slopes.abs().max())
    same = ROUNDING * torch.finfo(slopes.dtype).eps
    other = (slopes - slopes[0]).abs().amax(1) > same * size
    if size == 0 or not bool(other.any()):
        return None
    pair = torch.stack([slopes[0], slopes[other][0]])
    values = torch.cat([y[:, None], z], 1) @ pair.T
    for sign in (1, -1):
        if torch.allclose(
            f, sign * (sign * values).amax(1), rtol=same, atol=same * float(values.abs().max())
        ):
            return Pieces(pair[:, 0], pair[:, 1:], sign)
    return None


def _moves(sde: ForwardBackwardSDE) -> bool:
    # whether drifts add up along a path: coefficients of an exact law that time does not change
    if not sde.exact:
        return False
    x, w = sde.x0[None], torch.ones_like(sde.x0[None])
    early, late = (sde.step(t, 0.0, x, w) for t in (0.0, 0.75 * sde.horizon))
    return torch.allclose(early, late, rtol=ROUNDING * torch.finfo(x.dtype).eps)


def control_bounds(
    sde: ForwardBackwardSDE,
    pieces: Pieces,
    known: Known,
    increment: Increment,
    steps: int,
    paths: int,
    generator: torch.Generator,
) -> Bounds:
    """The bounds from `paths` antithetic paths on `steps` steps.

    Both are found as differences to the first piece alone on the same paths, whose value has its own, small error.
    """
    alone = _alone(sde, pieces, generator)
    achieved = _achieved(sde, pieces, known, steps, paths, generator)
    relaxed = _relaxed(sde, pieces, increment, steps, paths, generator)
    inner, outer = (_mean(pieces.sign * values) for values in (achieved, relaxed))
    low = inner[0] - NORMAL_95 * math.hypot(inner[1], alone[1])
    high = outer[0] + NORMAL_95 * math.hypot(outer[1], alone[1])
    low, high = sorted((pieces.sign * low, pieces.sign * high))
    return Bounds(alone[0] + low, alone[0] + high)


def _alone(sde: ForwardBackwardSDE, pieces: Pieces, generator: torch.Generator) -> tuple[float, float]:
    """E D_T g(X_T) with the first piece alone, and its standard error."""
    mean, error = linear_level(sde, LINEAR_POINTS, 1, generator.initial_seed() + 1, pieces.by_z[0])
    factor = math.exp(float(pieces.by_y[0]) * sde.horizon)
    return factor * mean, factor * error


def _achieved(
    sde: ForwardBackwardSDE, pieces: Pieces, known: Known, steps: int, paths: int, generator: torch.Generator
) -> Tensor:
    """Value of the policy of v on each path, less that of the first piece."""
    dt = sde.horizon / steps
    x = first = sde.x0.expand(paths, -1)
    log_d = torch.zeros(paths, dtype=x.dtype, device=x.device)
    for n in range(steps):
        v, slope = known(n * dt, x)
        z = sde.z_of_gradient(n * dt, x, slope)
        values = torch.cat([v[:, None], z], 1) @ torch.cat([pieces.by_y[:, None], pieces.by_z], 1).T
        choice = (pieces.sign * values).argmax(1)
        w = math.sqrt(dt) * antithetic(generator, paths, sde.x0)
        x = sde.step(n * dt, dt, x, w, pieces.by_z[choice])
        first = sde.step(n * dt, dt, first, w, pieces.by_z[0])
        log_d = log_d + dt * pieces.by_y[choice]
    return log_d.exp() * sde.terminal(x) - torch.exp(sde.horizon * pieces.by_y[0]) * sde.terminal(first)


def _relaxed(
    sde: ForwardBackwardSDE,
    pieces: Pieces,
    increment: Increment,
    steps: int,
    paths: int,
    generator: torch.Generator,
) -> Tensor:
    """Value of the choice that foresees each path, less that of the first piece, both less the martingale."""
    dt, sign = sde.horizon / steps, pieces.sign
    apart, (a_0, a_1) = pieces.by_z[1] - pieces.by_z[0], pieces.by_y.tolist()
    dw = [math.sqrt(dt) * antithetic(generator, paths, sde.x0) for _ in range(steps)]
    x = [sde.x0.expand(paths, -1)]
    for n in range(steps):
        x.append(sde.step(n * dt, dt, x[n], dw[n], pieces.by_z[0]))

    def at(
        n: int, k: float
    ) -> tuple[float, Tensor]:  # (D, X) at t_n after k steps' time with the second piece
        return math.exp(dt * (a_0 * (n - k) + a_1 * k)), sde.step(n * dt, 0.0, x[n], (k * dt * apart)[None])

    ends = []
    for k in range(steps * FINE + 1):
        discount, end = at(steps, k / FINE)
        ends.append(sign * discount * sde.terminal(end))
    first = ends[0]
    best = torch.stack([torch.stack(ends[FINE * k : FINE * (k + 1) + 1]).amax(0) for k in range(steps)])
    for n in range(steps - 1, -1, -1):
        if n < steps - 1:
            best = torch.maximum(best[:-1], best[1:])
        prices = []
        for knot in sorted({0.0, n / 2, float(n)}):
            discount, place = at(n, knot)
            prices.append(sign * discount * increment(n * dt, dt, place, dw[n]))
        price = _interpolated(torch.stack(prices), n)
        best, first = best - price, first - price[0]
    return sign * (best[0] - first)


def _interpolated(knots: Tensor, n: int) -> Tensor:
    """Values (n + 1, m) at 0, 1, ..., n of the polynomial through those at 0, n / 2, n, or at 0 alone (n = 0)."""
    if n == 0:
        return knots
    s = torch.linspace(0, 1, n + 1, dtype=knots.dtype, device=knots.device)[:, None]
    return knots[0] * (1 - s) * (1 - 2 * s) + knots[1] * 4 * s * (1 - s) + knots[2] * s * (2 * s - 1)


def _mean(values: Tensor) -> tuple[float, float]:
    """(mean, standard error) over antithetic pairs."""
    pairs = pair_means(values.double())
    return float(pairs.mean()), float(pairs.std()) / math.sqrt(len(pairs))
