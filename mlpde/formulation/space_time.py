"""The cylinder Omega x (start, end) with the interface of a Domain: time as one more direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

GOLDEN = (5**0.5 - 1) / 2  # multiples of it, modulo 1, are evenly spread, however many are taken


@dataclass(frozen=True)
class SpaceTime:
    """Points are (n, d + 1), time last; normals (n, d) in space; boundaries and regions are those of `domain`.

    Volumes are measured as if the time span were as long as the domain: units of time do not matter.
    """

    domain: Any
    start: float
    end: float

    @property
    def dim(self) -> int:
        """d + 1."""
        return self.domain.dim + 1

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the regions."""
        return self.domain.regions

    @property
    def boundaries(self) -> tuple[str, ...]:
        """Names of the boundaries."""
        return self.domain.boundaries

    @property
    def bounding_box(self) -> NDArray:
        """Lower and upper corner (2, d + 1)."""
        return np.column_stack([self.domain.bounding_box, [self.start, self.end]])

    @property
    def length(self) -> float:
        """The longest extent of the domain, for which the time span counts."""
        lower, upper = self.domain.bounding_box
        return float((upper - lower).max())

    def quadrature(self, degree: int) -> tuple[NDArray, NDArray]:
        """Points of the domain, at the start, with weights that sum to the volume."""
        points, weights = self.domain.quadrature(degree)
        return self.at(points, self.start), weights * self.length

    def contains(self, points: NDArray) -> NDArray:
        """Whether each of the points (n, d + 1) lies in the cylinder."""
        inside = (points[:, -1] >= self.start) & (points[:, -1] <= self.end)
        inside[inside] = self.domain.contains(points[inside, :-1])
        return inside

    def interior(self, n: int, rule: str = "uniform", seed: int = 0) -> NDArray:
        """Points (n, d + 1): those of `Domain.interior`, at evenly spread times in random order."""
        x = self.domain.interior(n, rule=rule, seed=seed)
        order = np.random.default_rng(seed).permutation(len(x))
        return self.at(x, self._times((order + 0.5) / len(x)))

    def boundary(self, name: str, n: int, seed: int | None = None) -> tuple[NDArray, NDArray, NDArray]:
        """Points (n, d + 1), weights (n,) and outward normals (n, d) on a boundary, at all times."""
        x, weights, normals = self.domain.boundary(name, n, seed=seed)
        if self.domain.dim == 1:  # the end points themselves, however many are asked for
            repeats = -(-n // len(x))
            x, weights, normals = (np.repeat(part, repeats, axis=0) for part in (x, weights, normals))
            weights = weights / repeats
        share = np.arange(1, len(x) + 1) * GOLDEN % 1
        if seed is not None:
            share = np.random.default_rng(seed).random(len(x))
        return self.at(x, self._times(share)), weights * self.length, normals

    def between(self, first: str, second: str, n: int, seed: int | None = None) -> tuple[NDArray, NDArray]:
        """Points (n, d + 1) where two regions meet, and normals (n, d) from `first` to `second`, at all times."""
        x, normals = self.domain.between(first, second, n, seed)
        if self.domain.dim == 1 and len(x):  # the points themselves, however many are asked for
            repeats = -(-n // len(x))
            x, normals = (np.repeat(part, repeats, axis=0) for part in (x, normals))
        share = np.arange(1, len(x) + 1) * GOLDEN % 1
        if seed is not None:
            share = np.random.default_rng(seed).random(len(x))
        return self.at(x, self._times(share)), normals

    def section(self, t: float, n: int, seed: int | None = None) -> NDArray:
        """About n points (n, d + 1) at one time: a regular lattice, or spread by `seed`."""
        rule = "grid" if seed is None else "sobol"
        return self.at(self.domain.interior(n, rule=rule, seed=seed or 0), t)

    def at(self, points: NDArray, t: Any) -> NDArray:
        """The points (n, d) at a time, or at n times."""
        return np.column_stack([points, np.broadcast_to(t, len(points))])

    def _times(self, share: NDArray) -> NDArray:
        return self.start + share * (self.end - self.start)
