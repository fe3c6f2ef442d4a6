"""Samples of the densities exp(-factor g(w)) times the Gaussian one, for a factor that grows from 0.

The samples are weighted, drawn again by their weights, and moved by Metropolis steps that leave their distribution as
it is.  The product of the mean weights is E exp(-factor g), up to 1 / samples.  Where g is continuous the mean weights
have control variates by Stein's identity; see `stein_controls`.
Moves: Hamiltonian ones that are exact for the Gaussian part, and changes of length, as g may be singular near a point.

Del Moral, Doucet, Jasra 2006, doi:10.1111/j.1467-9868.2006.00553.x; Neal 2011, arXiv:1206.1901, sections 5.2 and 5.5.1;
Liu, Sabatti 2000, doi:10.1093/biomet/87.2.353.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from scipy.optimize import brentq

from mlpde.formulation import stein_controls
from mlpde.formulation.compiled_function import gradient_of

Tensor = torch.Tensor
STEPS = (
    200  # of the factor, at most: where the expectation is infinite they would never end; 8 to 50 are usual
)
# share of the samples that the weights of a step may leave: controls take more of the variance of many small steps
EFFECTIVE = 0.9
ACCEPTED = 0.8  # share of the Hamiltonian moves that their step length is adapted to
LENGTHS = (2.0, 8.0)  # changes of length, in units of those of a Gaussian vector


def raised(samples: Sequence[TemperedSamples], end: float, continuous: bool) -> tuple[Tensor, Tensor] | None:
    """ln E exp(-end g) over the Gaussian density (r, r, p), and the weights (r, p, n) that the samples have there.

    [i, k] by the samples i, with controls found without k; see `stein_controls.means`.
    samples: r independent ones.  continuous: g is, so that Stein's identity holds.
    None where g is not finite at a sample, where a mean weight is not positive, and after STEPS steps.
    """
    first = samples[0].g
    r = len(samples)
    logarithms = torch.zeros(r, r, len(first), dtype=torch.float64, device=first.device)
    factor = 0.0
    for _ in range(STEPS):
        g = torch.stack([one.g for one in samples]).double()
        if not bool(g.isfinite().all()):
            return None
        step = min(_step(g[:, k], end - factor) for k in range(len(first)))
        exponents = -step * g
        most = exponents.amax((0, 2))
        e = torch.exp(exponents - most[:, None])
        if continuous:
            w, slope = (torch.stack([getattr(one, name) for one in samples]) for name in ("w", "slope"))
            mean = torch.stack(
                [
                    stein_controls.means(e[:, k], w[:, k], g[:, k], slope[:, k], factor)
                    for k in range(len(first))
                ],
                2,
            )
        else:
            mean = e.mean(2)[:, None].expand_as(logarithms)
        if not bool((mean > 0).all()):
            return None
        logarithms += mean.log() + most
        factor += step
        weights = exponents.softmax(2)
        if factor >= end:
            return logarithms, weights
        for replicate, one in enumerate(samples):
            one.move(weights[replicate], factor)
    return None


def _step(g: Tensor, most: float) -> float:
    """The largest step of the factor that leaves the effective share of the samples, at most `most`."""
    g = g.flatten()

    def excess(step: float) -> float:
        weights = (-step * g).softmax(0)
        return 1.0 / float((weights**2).sum()) / len(g) - EFFECTIVE

    return most if excess(most) >= 0 else brentq(excess, 0.0, most, rtol=1e-3)


class TemperedSamples:
    """Samples w (p, n, d) for p functions g.

    value: g (p, n) at w.  moves, leaps: at every factor, so many times a change of length, then Hamiltonian moves.
    g (p, n), slope (p, n, d): g and its gradient at w.  square (p, n): |w|^2.
    """

    def __init__(
        self,
        value: Callable[[Tensor], Tensor],
        shape: tuple[int, int, int],
        like: Tensor,
        moves: int,
        leaps: int,
        seed: int,
    ):
        self.value, self.moves, self.leaps, self.like = value, moves, leaps, like
        self.generator = torch.Generator(like.device).manual_seed(seed)
        self.w = self._normal(*shape)
        self.g, self.slope = gradient_of(value, self.w)
        self.square = (self.w * self.w).sum(2)
        self.factor, self.leap = 0.0, like.new_full((shape[0], 1, 1), 0.5)

    def move(self, weights: Tensor, factor: float) -> None:
        """Samples of the densities with that factor, drawn by their weights (p, n) and moved."""
        self.factor = factor
        drawn = self._drawn(weights)
        self.w, self.slope, self.g, self.square = (
            v.flatten(0, 1).index_select(0, drawn).view_as(v)
            for v in (self.w, self.slope, self.g, self.square)
        )
        for _ in range(self.moves):
            self._change_length()
            for _ in range(self.leaps):
                self._hamiltonian()

    def _drawn(self, weights: Tensor) -> Tensor:
        """Numbers (p n,) of samples among all, each as often as its weight says (systematic resampling)."""
        p, n = weights.shape
        ladder = (torch.arange(n).to(weights) + self._uniform(p, 1).to(weights)) / n
        drawn = torch.searchsorted(weights.cumsum(1), ladder).clamp_max(n - 1)
        return (drawn + n * torch.arange(p).to(drawn)[:, None]).flatten()

    def _hamiltonian(self) -> None:
        # rotations of (w, v) are exact for the Gaussian part, whatever the dimension, and keep |w|^2 + |v|^2
        v = self._normal(*self.w.shape)
        before = self.factor * self.g + 0.5 * (self.square + (v * v).sum(2))
        cosine, sine = self.leap.cos(), self.leap.sin()
        kick = 0.5 * self.factor * self.leap
        v.addcmul_(kick, self.slope, value=-1)
        w = torch.addcmul(cosine * self.w, sine, v)
        v = torch.addcmul(cosine * v, sine, self.w, value=-1)
        g, slope = gradient_of(self.value, w)
        v.addcmul_(kick, slope, value=-1)
        square = (w * w).sum(2)
        take = self._accept(before - self.factor * g - 0.5 * (square + (v * v).sum(2)), w, g, slope, square)
        share = take.to(self.leap).mean(1)[:, None, None]
        self.leap = (self.leap * torch.exp(share - ACCEPTED)).clamp_max(1.0)

    def _change_length(self) -> None:
        """By one of LENGTHS, drawn for each sample."""
        d = self.w.shape[2]
        size = torch.where(self._uniform(*self.g.shape) < 0.5, *LENGTHS) / math.sqrt(2 * d)
        change = size * self._normal(*self.g.shape)
        scale = change.exp()
        w, square = self.w * scale[..., None], self.square * scale**2
        g, slope = gradient_of(self.value, w)
        self._accept(
            self.factor * (self.g - g) + 0.5 * (self.square - square) + d * change, w, g, slope, square
        )

    def _accept(self, logarithm: Tensor, w: Tensor, g: Tensor, slope: Tensor, square: Tensor) -> Tensor:
        """Metropolis: take the new samples with probability exp(logarithm); which were (p, n)."""
        take = self._uniform(*logarithm.shape) < logarithm.exp()
        stay = ~take  # the fewer
        w[stay], slope[stay] = self.w[stay], self.slope[stay]
        self.w, self.slope = w, slope
        self.g, self.square = torch.where(take, g, self.g), torch.where(take, square, self.square)
        return take

    def _normal(self, *shape: int) -> Tensor:
        like = self.like
        return torch.randn(*shape, generator=self.generator, dtype=like.dtype, device=like.device)

    def _uniform(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.generator, device=self.generator.device)
