"""u where the driver is -(a / 2) |z|^2 and nothing else, by the expectation of Hopf and Cole.

w = exp(-a u) solves the linear equation, so that for exact steps X_T = x(W_T) of a Brownian motion W from X_t = x

    u(t, x) = -(1 / a) ln E exp(-a g(x(W_T))),    grad u(t, x) = E' grad_x g(x(W_T)),

with the density of E' in proportion to exp(-a g).  u is also the entropic risk of g.  For large a this is an
expectation over rare paths, which are found by raising the factor from 0 to a in small steps; see `tempered_samples`.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import torch
from scipy.stats import t as student

from mlpde.formulation import stein_controls
from mlpde.formulation.compiled_function import gradient_of
from mlpde.formulation.stochastic import ForwardBackwardSDE
from mlpde.formulation.tempered_samples import TemperedSamples, raised

Tensor = torch.Tensor
REPLICATES = 8  # independent runs, whose spread tells the error; half of them take twice the moves
PARTICLES = 640  # samples of each
MOVES = 1  # of each kind, at every factor, in half of them
AT_ONCE = 64  # points, of `tempered_at`
POINT_REPLICATES, POINT_PARTICLES, POINT_LEAPS = 2, 256, 4
SIZES = (1e-2, 1e2)  # of the random z at which the driver is looked at
SAMPLES = 64
ROUNDING = 256  # units in the last place


class Tempered(NamedTuple):
    """u(0, x0) with half of its 95 % interval, and how far runs with more moves are from the mean of all.

    z0, z0_error (d,): sigma^T grad u(0, x0), and the standard errors.
    """

    value: float
    ci95: float
    apart: float
    z0: Tensor
    z0_error: Tensor


def quadratic(sde: ForwardBackwardSDE) -> float | None:
    """The a of a driver -(a / 2) |z|^2, where the steps of X are exact; else None."""
    if sde.driver_uses != {"z"} or not sde.exact:
        return None
    random = torch.Generator().manual_seed(0)
    low, high = map(math.log, SIZES)
    sizes = torch.exp(low + (high - low) * torch.rand(SAMPLES, 1, generator=random, dtype=torch.float64))
    z = torch.randn(SAMPLES, sde.dim, generator=random, dtype=torch.float64) * sizes
    z = z.to(sde.x0)
    ratio = -2 * sde.driver(0.0, sde.x0.expand_as(z), z.new_zeros(SAMPLES), z) / (z * z).sum(1)
    same = ROUNDING * torch.finfo(z.dtype).eps
    return float(ratio[0]) if torch.allclose(ratio, ratio[0], rtol=same, atol=0.0) else None


def tempered(sde: ForwardBackwardSDE, a: float, seed: int) -> Tempered | None:
    """u(0, x0) for the driver -(a / 2) |z|^2, from independent runs; None where one of them does not get to a."""
    found = _runs(sde, a, 0.0, sde.x0[None], PARTICLES, [MOVES, 2 * MOVES] * (REPLICATES // 2), 1, seed)
    if found is None:
        return None
    values, slopes = found[0][..., 0], found[1][:, 0]
    each = values.diagonal()
    quantile = float(student.ppf(0.975, REPLICATES - 1))
    few, many = each[::2], each[1::2]
    others = torch.stack([_joined(values[torch.arange(REPLICATES) != k, k], a) for k in range(REPLICATES)])
    z0 = sde.z_of_gradient(0.0, sde.x0.expand(REPLICATES, -1), slopes)
    return Tempered(
        float(_joined(each, a)),
        quantile * float(others.std()) * (REPLICATES - 1) / math.sqrt(REPLICATES),  # the jackknife
        abs(float(few.mean() - many.mean())) / 2,
        z0.mean(0),
        z0.std(0) / math.sqrt(REPLICATES),
    )


def tempered_at(sde: ForwardBackwardSDE, a: float, t: float, x: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """(u (n,), grad u (n, d)) at (t, x (n, d)) by fewer samples; g and its gradient at t = T.

    Nan where a run does not get to a.  A point's numbers depend, within their errors, on those it is asked with.
    """
    if t >= sde.horizon:
        return sde.terminal_gradient(x)
    values, slopes = [], []
    for batch in x.split(AT_ONCE):
        found = _runs(sde, a, t, batch, POINT_PARTICLES, [1] * POINT_REPLICATES, POINT_LEAPS, seed)
        if found is not None:
            values.append(_joined(found[0].diagonal().T, a).to(x))
            slopes.append(found[1].mean(0))
        elif len(batch) > 1:  # the others have values
            value, slope = map(
                torch.cat, zip(*(tempered_at(sde, a, t, one[None], seed) for one in batch), strict=True)
            )
            values.append(value)
            slopes.append(slope)
        else:
            values.append(torch.full_like(batch[:, 0], math.nan))
            slopes.append(torch.full_like(batch, math.nan))
    return torch.cat(values), torch.cat(slopes)


def _runs(
    sde: ForwardBackwardSDE,
    a: float,
    t: float,
    x: Tensor,
    particles: int,
    moves: list[int],
    leaps: int,
    seed: int,
) -> tuple[Tensor, Tensor] | None:
    """u (r, r, p), as in `raised`, and its gradient (r, p, d) at (t, x (p, d)) by r runs; None as `raised`."""
    root, sign = math.sqrt(sde.horizon - t), math.copysign(1.0, a)

    def value(w: Tensor, start: Tensor = x[:, None]) -> Tensor:
        ends = sde.step(t, sde.horizon - t, start, root * w)
        return sign * sde.terminal(ends.flatten(0, 1)).unflatten(0, w.shape[:2])

    samples = [
        TemperedSamples(value, (len(x), particles, sde.dim), x, few, leaps, seed * len(moves) + replicate)
        for replicate, few in enumerate(moves)
    ]
    continuous = not sde.terminal_jumps
    end = raised(samples, abs(a), continuous)
    if end is None:
        return None
    logarithms, weights = end
    w = torch.stack([one.w for one in samples])
    at = x[:, None].expand_as(w[0])
    slopes = sign * torch.stack([gradient_of(partial(value, one.w), at)[1] for one in samples])
    if continuous:
        by_w = torch.stack([one.slope for one in samples])
        return -logarithms / a, stein_controls.slopes(slopes, weights.to(w), w, by_w, abs(a))
    return -logarithms / a, torch.einsum("rpn,rpnd->rpd", weights.to(slopes), slopes)


def _joined(each: Tensor, a: float) -> Tensor:
    """u (...) from those (r, ...) of independent runs: the mean of the expectations, which have no bias."""
    middle = each.mean(0)
    return middle - torch.exp(-a * (each - middle)).mean(0).log() / a
