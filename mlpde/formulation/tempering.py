"""u(0, x0) where the driver is -(a / 2) |z|^2 and nothing else, by the expectation of Hopf and Cole.

w = exp(-a u) solves the linear equation, so that for exact steps X_T = x(W_T) of a Brownian motion W

    u(0, x0) = -(1 / a) ln E exp(-a g(x(W_T))),

which is also the entropic risk of g.  For large a this is an expectation over rare paths.  They are found by raising
the factor from 0 to a in small steps: the samples are weighted, drawn again by their weights, and moved by Metropolis
steps that leave their distribution as it is.  The product of the mean weights is the expectation, up to 1 / samples.
Moves: Hamiltonian ones that are exact for the Gaussian part, and changes of length, as g may be singular near a point.

Del Moral, Doucet, Jasra 2006, doi:10.1111/j.1467-9868.2006.00553.x; Neal 2011, arXiv:1206.1901, sections 5.2 and 5.5.1;
Liu, Sabatti 2000, doi:10.1093/biomet/87.2.353.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from scipy.optimize import brentq
from scipy.stats import t as student

from mlpde.formulation.compiled_function import gradient_of
from mlpde.formulation.stochastic import ForwardBackwardSDE

Tensor = torch.Tensor
REPLICATES = 8  # independent runs, whose spread tells the error; half of them take twice the moves
PARTICLES = 1024  # samples of each
MOVES = 2  # of each kind, at every factor
STEPS = 200  # of the factor, at most: where the expectation is infinite they would never end
EFFECTIVE = 0.7  # share of the samples that the weights of a step may leave
ACCEPTED = 0.8  # share of the Hamiltonian moves that their step length is adapted to
LENGTHS = (2.0, 8.0)  # changes of length, in units of those of a Gaussian vector
SIZES = (1e-2, 1e2)  # of the random z at which the driver is looked at
SAMPLES = 64
ROUNDING = 256  # units in the last place


class Tempered(NamedTuple):
    """u(0, x0) with half of its 95 % interval, and how far runs with more moves are from the others, beyond that.

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
    root, sign = math.sqrt(sde.horizon), math.copysign(1.0, a)

    def value(w: Tensor, x0: Tensor = sde.x0) -> Tensor:
        return sign * sde.terminal(sde.step(0.0, sde.horizon, x0.expand_as(w), root * w))

    values, slopes = [], []
    for replicate in range(REPLICATES):
        generator = torch.Generator(sde.x0.device).manual_seed(seed * REPLICATES + replicate)
        samples = _Samples(value, sde.x0, generator)
        end = samples.raised_to(abs(a), MOVES * (1 + replicate % 2))
        if end is None:
            return None
        logarithm, weights = end
        values.append(-logarithm / a)
        slope = gradient_of(partial(value, samples.w), sde.x0.expand_as(samples.w))[1]
        slopes.append(sign * (weights.to(slope) @ slope))
    found = torch.tensor(values, dtype=torch.float64)
    middle = float(found.mean())
    whole = middle - math.log(float(torch.exp(-a * (found - middle)).mean())) / a
    quantile = float(student.ppf(0.975, REPLICATES - 1))
    few, many = found[::2], found[1::2]
    noise = math.hypot(float(few.std()), float(many.std())) / math.sqrt(len(few))
    z0 = sde.z_of_gradient(0.0, sde.x0.expand(REPLICATES, -1), torch.stack(slopes))
    return Tempered(
        whole,
        quantile * float(found.std()) / math.sqrt(REPLICATES),
        max(abs(float(few.mean() - many.mean())) - quantile * noise, 0.0),
        z0.mean(0),
        z0.std(0) / math.sqrt(REPLICATES),
    )


class _Samples:
    """Samples w (n, d) of the density exp(-factor g(w)) times the Gaussian one, for a factor that grows from 0."""

    def __init__(self, value: Callable[[Tensor], Tensor], like: Tensor, generator: torch.Generator):
        self.value, self.generator = value, generator
        self.w = self._normal(PARTICLES, len(like), like=like)
        self.g = value(self.w)
        self.factor, self.leap = 0.0, 0.5

    def raised_to(self, end: float, moves: int) -> tuple[float, Tensor] | None:
        """ln E exp(-end g) over the Gaussian density, and the weights (n,) that the samples have there.

        None where g is not finite at a sample, and after STEPS steps.
        """
        logarithm = 0.0
        for _ in range(STEPS):
            if not bool(self.g.isfinite().all()):
                return None
            step = self._step(end - self.factor)
            weights = -step * self.g.double()
            logarithm += float(weights.logsumexp(0)) - math.log(PARTICLES)
            self.factor += step
            if self.factor >= end:
                return logarithm, weights.softmax(0)
            drawn = self._drawn(weights.softmax(0))
            self.w, self.g = self.w[drawn], self.g[drawn]
            for _ in range(moves):
                self._hamiltonian()
                for length in LENGTHS:
                    self._change_length(length / math.sqrt(2 * self.w.shape[1]))
        return None

    def _step(self, most: float) -> float:
        """The largest step of the factor that leaves the effective share of the samples."""

        def excess(step: float) -> float:
            weights = (-step * self.g.double()).softmax(0)
            return 1.0 / float((weights**2).sum()) / PARTICLES - EFFECTIVE

        return most if excess(most) >= 0 else brentq(excess, 0.0, most, rtol=1e-3)

    def _drawn(self, weights: Tensor) -> Tensor:
        """Numbers of samples, each as often as its weight says (systematic resampling)."""
        ladder = (torch.arange(PARTICLES).to(weights) + self._uniform(1).to(weights)) / PARTICLES
        return torch.searchsorted(weights.cumsum(0), ladder).clamp_max(PARTICLES - 1)

    def _hamiltonian(self) -> None:
        # rotations of (w, v) are exact for the Gaussian part, whatever the dimension
        v = self._normal(*self.w.shape, like=self.w)
        before = self._energy(self.w, self.g) + 0.5 * (v**2).sum(1)
        cosine, sine = math.cos(self.leap), math.sin(self.leap)
        kick = 0.5 * self.leap * self.factor
        v = v - kick * gradient_of(self.value, self.w)[1]
        w, v = cosine * self.w + sine * v, cosine * v - sine * self.w
        g, slope = gradient_of(self.value, w)
        v = v - kick * slope
        share = self._accept(before - self._energy(w, g) - 0.5 * (v**2).sum(1), w, g)
        self.leap = min(self.leap * math.exp(share - ACCEPTED), 1.0)

    def _change_length(self, size: float) -> None:
        change = size * self._normal(PARTICLES, like=self.w)
        w = self.w * change.exp()[:, None]
        g = self.value(w)
        volume = self.w.shape[1] * change
        self._accept(self._energy(self.w, self.g) - self._energy(w, g) + volume, w, g)

    def _energy(self, w: Tensor, g: Tensor) -> Tensor:
        return self.factor * g + 0.5 * (w**2).sum(1)

    def _accept(self, logarithm: Tensor, w: Tensor, g: Tensor) -> float:
        """Metropolis: take the new samples with probability exp(logarithm); the share that was."""
        take = self._uniform(PARTICLES) < logarithm.exp()
        self.w = torch.where(take[:, None], w, self.w)
        self.g = torch.where(take, g, self.g)
        return float(take.double().mean())

    def _normal(self, *shape: int, like: Tensor) -> Tensor:
        return torch.randn(*shape, generator=self.generator, dtype=like.dtype, device=like.device)

    def _uniform(self, n: int) -> Tensor:
        return torch.rand(n, generator=self.generator, device=self.generator.device)
