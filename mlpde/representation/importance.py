"""Points of a box where a function is large: Sobol points of a product density that follows the function's marginals.

G. P. Lepage, A new algorithm for adaptive multidimensional integration, J. Comput. Phys. 27, 1978.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry.sampling import sobol

BINS = 24  # of each marginal
UNIFORM = 0.1  # part of the density that stays uniform: no weight is unbounded


@dataclass(frozen=True)
class ProductDensity:
    """A density on a box (2, d), constant on the bins of each direction: probabilities (d, BINS)."""

    box: np.ndarray
    probabilities: np.ndarray

    @staticmethod
    def uniform(box: np.ndarray) -> ProductDensity:
        """The uniform one."""
        return ProductDensity(box, np.full((box.shape[1], BINS), 1 / BINS))

    def sample(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, d) and weights (n,): the integral of f is about weights @ f(points)."""
        lower, width = self.box[0], self.box[1] - self.box[0]
        cube = sobol(n, len(width), seed)
        points, density = np.empty_like(cube), np.ones(n)
        for i, p in enumerate(self.probabilities):
            edges = np.concatenate([[0.0], np.cumsum(p)]) / p.sum()
            k = np.minimum(np.searchsorted(edges, cube[:, i], side="right") - 1, BINS - 1)
            within = (cube[:, i] - edges[k]) / (edges[k + 1] - edges[k])
            points[:, i] = lower[i] + width[i] * (k + within) / BINS
            density *= p[k] * BINS / width[i]
        return points, 1 / (n * density)

    def adapted(self, points: np.ndarray, weights: np.ndarray) -> ProductDensity:
        """Half way towards the marginals of a sample with weights (n,) >= 0."""
        marginals = [
            np.histogram(x, BINS, (a, b), weights=weights)[0]
            for x, a, b in zip(points.T, *self.box, strict=True)
        ]
        mixed = 0.5 * self.probabilities + 0.5 * np.stack(marginals) / weights.sum()
        return ProductDensity(self.box, (1 - UNIFORM) * mixed + UNIFORM / BINS)
