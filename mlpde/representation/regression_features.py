"""What u(t_n, .) is regressed on, and the regression as a function of x on a grid of times.

    u(t, x) ~ c_0 + c_1.x~ + sum_k (c_k b~_k + c_kk b~_k^2),    b_k: psi and the user's own

where ~ is scaled to mean 0 and deviation 1 over the samples of each time.  psi is the terminal value at the mean flow,
g(E[X_T | X_t = x]), or smoothed, E[g(X_T) | X_t = x] over a few Brownian increments that are the same for all x.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch

from mlpde.formulation.compiled_function import gradient_of
from mlpde.formulation.feynman_kac import antithetic
from mlpde.formulation.stochastic import ForwardBackwardSDE

Tensor = torch.Tensor
SAMPLES = 256  # of the choice of psi
CONSTANT = 0.1  # deviation of psi over that of g(X_T), below which psi is constant
SMOOTHING = 8  # increments, in antithetic pairs
CHUNK = 2**22  # numbers that the smoothed terminal value may hold at once
CLAMP = 4.0  # deviations beyond which a base stays what it is
REACH = 5.0  # deviations beyond which no sample was
TINY = 1e-12


Psi = Callable[[float, Tensor], tuple[Tensor, Tensor]]


class Bases(NamedTuple):
    """The bases b at x: values (n, k), and a gradient (n, d) for each."""

    values: Tensor
    gradients: tuple[Tensor, ...]


@dataclass(frozen=True)
class RegressionFeatures:
    """The bases b_k(t, x).

    psi: (t, x) -> value (n,), gradient (n, d); None: g at the mean flow.
    own: the user's features, a function of (t, x) with values (n, k).
    """

    sde: ForwardBackwardSDE
    psi: Psi | None = None
    own: Callable[[float, Tensor], Tensor] | None = None

    def bases(self, t: float, x: Tensor) -> Bases:
        """Values and gradients at x (n, d)."""
        parts = [self._terminal(t, x)]
        if self.own is not None:
            own = self.own
            count = own(t, x[:1]).shape[1]
            parts += [gradient_of(lambda y, k=k: own(t, y)[:, k], x) for k in range(count)]  # type: ignore[misc]
        return Bases(torch.stack([value for value, _ in parts], 1), tuple(slope for _, slope in parts))

    def _terminal(self, t: float, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.psi is not None:
            return self.psi(t, x)
        sde, rest = self.sde, self.sde.horizon - t
        return gradient_of(lambda y: sde.terminal(sde.mean_step(t, rest, y)), x)


def smoothed_terminal(sde: ForwardBackwardSDE, increments: Tensor) -> Psi:
    """E[g(X_T) | X_t = x] over standard normal numbers (s, d) that are the same for all x."""

    def psi(t: float, x: Tensor) -> tuple[Tensor, Tensor]:
        rest = sde.horizon - t
        dw = increments * math.sqrt(rest)

        def smoothed(y: Tensor) -> Tensor:
            ends = sde.step(t, rest, y.repeat_interleave(len(dw), 0), dw.repeat(len(y), 1))
            return sde.terminal(ends).reshape(len(y), -1).mean(1)

        parts = [gradient_of(smoothed, part) for part in x.split(max(1, CHUNK // dw.numel()))]
        values, slopes = zip(*parts, strict=True)
        return torch.cat(values), torch.cat(slopes)

    return psi


def needed_smoothing(sde: ForwardBackwardSDE, generator: torch.Generator) -> int:
    """The increments without which psi does not tell x apart, 0 for none.

    They are needed where g at the mean flow is constant over samples of x, or has no gradient at x0.
    """
    plain, half = RegressionFeatures(sde), sde.horizon / 2
    x = sde.x0.expand(SAMPLES, -1)
    middle = sde.step(0.0, half, x, antithetic(generator, SAMPLES, sde.x0) * math.sqrt(half))
    end = sde.step(half, half, middle, antithetic(generator, SAMPLES, sde.x0) * math.sqrt(half))
    psi, start = plain.bases(half, middle).values[:, 0], plain.bases(0.0, sde.x0[None]).gradients[0]
    constant = bool(psi.std() < CONSTANT * sde.terminal(end).std())
    return SMOOTHING if constant or not bool(start.isfinite().all()) else 0


class Scale(NamedTuple):
    """Mean and deviation at one time: of x (d,) each, of the bases (k,) each."""

    mean: Tensor
    deviation: Tensor
    base_mean: Tensor
    base_deviation: Tensor


class Row(NamedTuple):
    """The features phi (n, K) at x, and what their gradients need."""

    phi: Tensor
    bases: Bases
    inside: Tensor  # (n, k): where the bases are not clamped


def scale_of(x: Tensor, bases: Bases) -> Scale:
    """The scale of samples x (n, d)."""
    return Scale(x.mean(0), x.std(0) + TINY, bases.values.mean(0), bases.values.std(0) + TINY)


def row_of(x: Tensor, bases: Bases, scale: Scale) -> Row:
    """1, x~, b~, b~^2."""
    b = (bases.values - scale.base_mean) / scale.base_deviation
    clamped = b.clamp(-CLAMP, CLAMP)
    one = torch.ones(len(x), 1, dtype=x.dtype, device=x.device)
    phi = torch.cat([one, (x - scale.mean) / scale.deviation, clamped, clamped**2], 1)
    return Row(phi, bases, b == clamped)


def gradient(row: Row, scale: Scale, coefficients: Tensor) -> Tensor:
    """grad u (n, d) for coefficients (K,)."""
    d, k = len(scale.mean), len(scale.base_mean)
    linear, first, second = coefficients[1:].split([d, k, k])
    weights = (first + 2 * second * row.phi[:, 1 + d : 1 + d + k]) * row.inside / scale.base_deviation
    total = (linear / scale.deviation).expand_as(row.bases.gradients[0])
    for j, slope in enumerate(row.bases.gradients):
        total = torch.addcmul(total, weights[:, j : j + 1], slope)
    return total


@dataclass(frozen=True)
class Regression:
    """u on the times t_n = n T / N: scales and coefficients (K,) for n = 1 ... N - 1, and u(0, x0) = y0.

    Between them, each time takes the nearest coefficients; at t = 0, where all samples are x0, those of t_1, moved to
    y0 at x0.
    """

    features: RegressionFeatures
    scales: tuple[Scale, ...]
    coefficients: Tensor  # (N - 1, K)
    y0: float

    def value_and_gradient(self, t: float, x: Tensor) -> tuple[Tensor, Tensor]:
        """(u (n,), grad u (n, d)) at a time t < T."""
        last = len(self.scales)
        k = min(max(round(t / self.features.sde.horizon * (last + 1)), 1), last)
        value, slope = self._by(k, t, x)
        return (value + self._move, slope) if t == 0.0 else (value, slope)

    def between(self, t: float, x: Tensor) -> tuple[Tensor, Tensor]:
        """The same for every t up to T, continuous in time."""
        sde, steps = self.features.sde, len(self.scales) + 1
        place = t / sde.horizon * steps
        before = min(int(place), steps - 1)
        share = place - before
        if share == 1.0:
            return sde.terminal_gradient(x)
        if before == 0:
            return self._at_the_start(share, t, x)
        value, slope = self._by(before, t, x)
        if before == steps - 1:
            end, end_slope = sde.terminal_gradient(x)
            value, slope = torch.lerp(value, end, share), torch.lerp(slope, end_slope, share)
        else:
            next_value, next_slope = self._by(before + 1, t, x)
            value, slope = torch.lerp(value, next_value, share), torch.lerp(slope, next_slope, share)
        return value, slope

    def _at_the_start(self, share: float, t: float, x: Tensor) -> tuple[Tensor, Tensor]:
        """Before t_1, at share t / t_1: the bases are moved so that x0 is in the middle of them, as the samples are.

        Without noise on the way there the bases at x0 may be far from those of all samples, as |x|^2 in d = 50.
        """
        scale, coefficients, bases = self.scales[0], self.coefficients[0], self.features.bases
        x0 = self.features.sde.x0[None]
        at_x0 = bases(0.0, x0)
        start = scale._replace(base_mean=at_x0.values[0])
        middle = scale._replace(base_mean=torch.lerp(start.base_mean, scale.base_mean, share))
        row = row_of(x, bases(t, x), middle)
        move = self.y0 - row_of(x0, at_x0, start).phi @ coefficients
        return row.phi @ coefficients + (1 - share) * move, gradient(row, middle, coefficients)

    def reached(self, t: float, x: Tensor) -> Tensor:
        """Which of the x (n, d) lie where the samples were at that time (n,); all at T, where u = g."""
        sde, steps = self.features.sde, len(self.scales) + 1
        place = t / sde.horizon * steps
        if place >= steps:
            return torch.ones(len(x), dtype=torch.bool, device=x.device)
        scale = self.scales[min(max(round(place), 1), steps - 1) - 1]
        x_off = (x - scale.mean) / scale.deviation
        if place < 1:  # the first samples lie around x0, yet the bases may be far from theirs there
            return (x_off.abs() <= REACH).all(1)
        b_off = (self.features.bases(t, x).values - scale.base_mean) / scale.base_deviation
        return (x_off.abs() <= REACH).all(1) & (b_off.abs() <= CLAMP).all(1)

    @property
    def _move(self) -> Tensor:
        return self.y0 - self._by(1, 0.0, self.features.sde.x0[None])[0]

    def _by(self, k: int, t: float, x: Tensor) -> tuple[Tensor, Tensor]:
        scale, coefficients = self.scales[k - 1], self.coefficients[k - 1]
        row = row_of(x, self.features.bases(t, x), scale)
        return row.phi @ coefficients, gradient(row, scale, coefficients)
