"""E[g(X_T) | X_t = x] where g depends on the largest (or the least) component alone, up to a Gauss quadrature.

With g(x) = h(max_i x_i) and components of X that are independent, each with a normal or lognormal law,

    E[g(X_T) | X_t = x] = h(a) + int_a^inf h'(m) (1 - P(m)) dm,    P(m) = P(max_i X_i <= m) = prod_i Phi(alpha_i(m)),

alpha_i = (m - E X_i) / sd X_i, of logarithms where the law is lognormal, and a below all that happens.  With the least
component P(min_i X_i > m) = prod_i Phi(-alpha_i(m)) takes the place of 1 - P.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from mlpde.formulation.compiled_function import gradient_of
from mlpde.formulation.feynman_kac import antithetic
from mlpde.formulation.stochastic import ForwardBackwardSDE

Tensor = torch.Tensor
SAMPLES = 1024  # of X_T: is g a function of the extreme, and where does that lie
ROUNDING = 64  # units in the last place by which equal values may differ
FINE = 1024  # places at which kinks of h are looked for
MARGIN = 0.5  # of the range of the samples, beyond both its ends
PANEL = 1 / 16  # longest panel, as a share of that
ORDER = 4  # Gauss points a panel
KINK = 100.0  # a second difference so much above the median is a kink
CHUNK = 2**21  # numbers (points, nodes, d) at one time
LEAST = 1e-30  # a probability that is as good as zero


@dataclass(frozen=True)
class ExtremeValue:
    """The conditional expectation as a function of (t, x).

    extreme: 1 or -1, the largest or the least component.  nodes m_k (K,), weights w_k h'(m_k) (K,), start h(a).
    """

    sde: ForwardBackwardSDE
    extreme: int
    nodes: Tensor
    weights: Tensor
    start: Tensor

    @classmethod
    def of(cls, sde: ForwardBackwardSDE, generator: torch.Generator) -> ExtremeValue | None:
        """None if g depends on more than one of these, or the components are not independent."""
        if not sde.independent or (sde.law == "geometric" and not bool((sde.x0 > 0).all())):
            return None
        dw = math.sqrt(sde.horizon) * antithetic(generator, SAMPLES, sde.x0)
        ends = sde.step(0.0, sde.horizon, sde.x0.expand_as(dw), dw)
        value, found = sde.terminal(ends), {1: ends.amax(1), -1: ends.amin(1)}
        size = float(value.abs().max()) * ROUNDING * torch.finfo(value.dtype).eps
        alone = [e for e, m in found.items() if torch.allclose(value, _along(sde, m)[0], rtol=0, atol=size)]
        if not alone or sde.dim == 1:
            return None
        extreme, seen = alone[0], found[alone[0]]
        low, high = float(seen.min()), float(seen.max())
        low, high = low - MARGIN * (high - low), high + MARGIN * (high - low)
        if sde.law == "geometric":
            low = max(low, 0.1 * float(seen.min()))
        edges = _panels(lambda m: _along(sde, m)[0], low, high, sde.x0)
        points, weights = np.polynomial.legendre.leggauss(ORDER)
        half = np.diff(edges) / 2
        m = torch.as_tensor(((edges[:-1] + half)[:, None] + half[:, None] * points).ravel()).to(sde.x0)
        slope = _along(sde, m)[1] * torch.as_tensor((half[:, None] * weights).ravel()).to(sde.x0)
        kept = slope != 0
        return cls(sde, extreme, m[kept], slope[kept], _along(sde, sde.x0.new_tensor([low]))[0][0])

    def __call__(self, t: float, x: Tensor) -> tuple[Tensor, Tensor]:
        """Value (n,) and gradient (n, d) at x (n, d), t < T."""
        chunk = max(1, CHUNK // (max(len(self.nodes), 1) * x.shape[1]))
        values, slopes = zip(*(self._part(t, y) for y in x.split(chunk)), strict=True)
        return torch.cat(values), torch.cat(slopes)

    def increment(self, t: float, dt: float, x: Tensor, dw: Tensor) -> Tensor:
        """What the conditional expectation gains (n,) over a step without control from x (n, d): its mean is 0."""
        end = self.sde.step(t, dt, x, dw)
        last = t + 1.5 * dt > self.sde.horizon
        return (self.sde.terminal(end) if last else self(t + dt, end)[0]) - self(t, x)[0]

    def _part(self, t: float, x: Tensor) -> tuple[Tensor, Tensor]:
        centre, spread, slope = self._law(t, x)
        nodes = self.nodes.log() if self.sde.law == "geometric" else self.nodes
        alpha = self.extreme * (nodes[:, None] - centre[:, None, :]) / spread  # (n, K, d)
        phi = torch.special.ndtr(alpha).clamp_min(LEAST)
        parts = self.weights * phi.log().sum(2).exp()  # (n, K)
        density = torch.exp(-0.5 * alpha * alpha) / (math.sqrt(2 * math.pi) * phi)
        gradient = torch.einsum("nk,nkd->nd", parts, density) * slope / spread
        total = parts.sum(1)
        return self.start + (self.weights.sum() - total if self.extreme > 0 else total), gradient

    def _law(self, t: float, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean (n, d) and deviation (d,) of X_T, or of its logarithm, and the slope of the mean by x."""
        rest = self.sde.horizon - t
        zero, one = torch.zeros_like(x[:1]), torch.ones_like(x[:1])
        middle, moved = self.sde.step(t, rest, x, zero), self.sde.step(t, rest, x[:1], one)
        if self.sde.law == "geometric":
            return middle.log(), (moved[0] / middle[0]).log().abs() * math.sqrt(rest), 1 / x
        return middle, (moved[0] - middle[0]).abs() * math.sqrt(rest), torch.ones_like(x)


def _along(sde: ForwardBackwardSDE, m: Tensor) -> tuple[Tensor, Tensor]:
    """h (k,) and h' (k,) at m (k,): of g where all components are equal."""
    value, gradient = gradient_of(sde.terminal, m[:, None].expand(-1, sde.dim))
    return value, gradient.sum(1)


def _panels(h: Callable[[Tensor], Tensor], low: float, high: float, like: Tensor) -> np.ndarray:
    """Edges between which h is smooth: at its kinks, and no longer than PANEL."""
    grid = np.linspace(low, high, FINE)
    values = h(torch.as_tensor(grid).to(like)).double().cpu().numpy()
    bend = np.abs(np.diff(values, 2))
    scale = max(np.median(bend), 1e-6 * np.abs(np.diff(values)).max() / KINK)
    kinks = []
    for k in np.flatnonzero(bend > KINK * scale) + 1:
        if 2 <= k < FINE - 2:  # where the straight lines on both sides meet
            left, right = values[k - 1] - values[k - 2], values[k + 2] - values[k + 1]
            if left != right:
                at = (values[k + 1] - values[k - 1] - 2 * right) / (left - right)  # in cells from k - 1
                kinks.append(grid[k - 1] + np.clip(at, 0, 2) * (grid[1] - grid[0]))
    edges = np.unique(np.concatenate([[low, high], np.clip(kinks, low, high)]))
    parts = [
        np.linspace(a, b, 1 + math.ceil((b - a) / (PANEL * (high - low))))[:-1]
        for a, b in itertools.pairwise(edges)
    ]
    return np.append(np.concatenate(parts), high)
