"""u(0, x0) where the driver is -(a / 2) |z|^2 and nothing else, by the expectation of Hopf and Cole.

w = exp(-a u) solves the linear equation, so that for exact steps X_T = x(W_T) of a Brownian motion W

    u(0, x0) = -(1 / a) ln E exp(-a g(x(W_T))),

which is also the entropic risk of g.  For large a this is an expectation over rare paths.  They are found by raising
the factor from 0 to a in small steps: the samples are weighted, drawn again by their weights, and moved by Metropolis
steps that leave their distribution as it is.  The product of the mean weights is the expectation, up to 1 / samples.
Where g is continuous the mean weights have control variates by Stein's identity; see `stein_controls`.
Moves: Hamiltonian ones that are exact for the Gaussian part, and changes of length, as g may be singular near a point.

Del Moral, Doucet, Jasra 2006, doi:10.1111/j.1467-9868.2006.00553.x; Neal 2011, arXiv:1206.1901, sections 5.2 and 5.5.1;
Liu, Sabatti 2000, doi:10.1093/biomet/87.2.353.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from scipy.optimize import brentq
from scipy.stats import t as student

from mlpde.formulation import stein_controls
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

    samples = [
        _Samples(value, sde.x0, torch.Generator(sde.x0.device).manual_seed(seed * REPLICATES + replicate))
        for replicate in range(REPLICATES)
    ]
    end = _raised(samples, abs(a), continuous=not sde.terminal_jumps)
    if end is None:
        return None
    logarithms, weights = end
    slopes = []
    for one, weight in zip(samples, weights, strict=True):
        slope = gradient_of(partial(value, one.w), sde.x0.expand_as(one.w))[1]
        slopes.append(sign * (weight.to(slope) @ slope))
    found = -logarithms.cpu() / a
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


def _raised(samples: Sequence[_Samples], end: float, continuous: bool) -> tuple[Tensor, Tensor] | None:
    """ln E exp(-end g) over the Gaussian density (r,), and the weights (r, n) that the samples have there.

    continuous: g is, so that Stein's identity holds.
    None where g is not finite at a sample, where a mean weight is not positive, and after STEPS steps.
    """
    logarithms, factor = torch.zeros(len(samples), dtype=torch.float64, device=samples[0].w.device), 0.0
    for _ in range(STEPS):
        g = torch.stack([one.g for one in samples])
        if not bool(g.isfinite().all()):
            return None
        step = _step(g, end - factor)
        exponents = -step * g.double()
        most = exponents.max()
        e = torch.exp(exponents - most)
        if continuous:
            w, slope = (torch.stack([getattr(one, name) for one in samples]) for name in ("w", "slope"))
            mean = stein_controls.means(e, w, g, slope, factor)
        else:
            mean = e.mean(1)
        if not bool((mean > 0).all()):
            return None
        logarithms += mean.log() + most
        factor += step
        weights = exponents.softmax(1)
        if factor >= end:
            return logarithms, weights
        for replicate, one in enumerate(samples):
            one.move(weights[replicate], factor, MOVES * (1 + replicate % 2))
    return None


def _step(g: Tensor, most: float) -> float:
    """The largest step of the factor that leaves the effective share of the samples, at most `most`."""
    g = g.double().flatten()

    def excess(step: float) -> float:
        weights = (-step * g).softmax(0)
        return 1.0 / float((weights**2).sum()) / len(g) - EFFECTIVE

    return most if excess(most) >= 0 else brentq(excess, 0.0, most, rtol=1e-3)


class _Samples:
    """Samples w (n, d) of the density exp(-factor g(w)) times the Gaussian one, for a factor that grows from 0.

    g (n,), slope (n, d): g and its gradient there.
    """

    def __init__(self, value: Callable[[Tensor], Tensor], like: Tensor, generator: torch.Generator):
        self.value, self.generator = value, generator
        self.w = self._normal(PARTICLES, len(like), like=like)
        self.g, self.slope = gradient_of(value, self.w)
        self.factor, self.leap = 0.0, 0.5

    def move(self, weights: Tensor, factor: float, moves: int) -> None:
        """Samples of the density with that factor, drawn by their weights (n,) and moved."""
        self.factor = factor
        drawn = self._drawn(weights)
        self.w, self.g = self.w[drawn], self.g[drawn]
        for _ in range(moves):
            for length in LENGTHS:
                self._change_length(length / math.sqrt(2 * self.w.shape[1]))
            self._hamiltonian()

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
        start = gradient_of(self.value, self.w)[1]
        v = v - kick * start
        w, v = cosine * self.w + sine * v, cosine * v - sine * self.w
        g, slope = gradient_of(self.value, w)
        v = v - kick * slope
        take = self._accept(before - self._energy(w, g) - 0.5 * (v**2).sum(1), w, g)
        self.slope = torch.where(take[:, None], slope, start)
        self.leap = min(self.leap * math.exp(float(take.double().mean()) - ACCEPTED), 1.0)

    def _change_length(self, size: float) -> None:
        change = size * self._normal(PARTICLES, like=self.w)
        w = self.w * change.exp()[:, None]
        g = self.value(w)
        volume = self.w.shape[1] * change
        self._accept(self._energy(self.w, self.g) - self._energy(w, g) + volume, w, g)

    def _energy(self, w: Tensor, g: Tensor) -> Tensor:
        return self.factor * g + 0.5 * (w**2).sum(1)

    def _accept(self, logarithm: Tensor, w: Tensor, g: Tensor) -> Tensor:
        """Metropolis: take the new samples with probability exp(logarithm); which were (n,)."""
        take = self._uniform(PARTICLES) < logarithm.exp()
        self.w = torch.where(take[:, None], w, self.w)
        self.g = torch.where(take, g, self.g)
        return take

    def _normal(self, *shape: int, like: Tensor) -> Tensor:
        return torch.randn(*shape, generator=self.generator, dtype=like.dtype, device=like.device)

    def _uniform(self, n: int) -> Tensor:
        return torch.rand(n, generator=self.generator, device=self.generator.device)
