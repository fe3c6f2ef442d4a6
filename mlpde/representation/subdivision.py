"""Subdomains of different size: the cells of a grid, some of them divided into 2^D, and some of these again.

Neighbours differ by one level at most, so that no side is joined to a much finer one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from mlpde.formulation.sampling import lattice
from mlpde.representation.partition_of_unity import PartitionOfUnity

FINEST = 2**20  # cells of the finest grid, at most

Leaf = tuple[int, tuple[int, ...]]  # level, and place in the grid whose cells were all divided so often


@dataclass(frozen=True)
class Subdivision:
    """The box [lower, upper] in `cells` = (n1, ..., nD), divided down to the `leaves`."""

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    cells: tuple[int, ...]
    leaves: tuple[Leaf, ...]

    @classmethod
    def grid(cls, lower: np.ndarray, upper: np.ndarray, cells: tuple[int, ...]) -> Subdivision:
        """Nothing is divided yet."""
        leaves = tuple((0, place) for place in np.ndindex(*cells))
        return cls(tuple(lower.tolist()), tuple(upper.tolist()), cells, leaves)

    @property
    def levels(self) -> int:
        """How often the smallest leaves were divided."""
        return max(level for level, _ in self.leaves)

    @property
    def divisible(self) -> bool:
        """Whether the smallest leaves may be divided once more."""
        return np.prod(self.cells) * 2 ** (len(self.cells) * (self.levels + 1)) <= FINEST

    @property
    def shares(self) -> np.ndarray:
        """The volume (leaves,) of each leaf in that of the box."""
        return np.array([2.0 ** (-len(self.cells) * level) for level, _ in self.leaves]) / np.prod(self.cells)

    @property
    def corners(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower corners and widths (leaves, D)."""
        box = (np.array(self.upper) - np.array(self.lower)) / np.array(self.cells)
        widths = box * np.array([[0.5**level] for level, _ in self.leaves])
        return np.array(self.lower) + np.array([place for _, place in self.leaves]) * widths, widths

    @property
    def boxes(self) -> list[dict[str, list[float]]]:
        """Lower and upper corner of every leaf."""
        low, widths = self.corners
        both = zip(low.tolist(), (low + widths).tolist(), strict=True)
        return [{"lower": lower, "upper": upper} for lower, upper in both]

    def divided(self, marked: Collection[int]) -> Subdivision:
        """The leaves with these numbers divided, and larger neighbours that this makes necessary."""
        leaves = set(self.leaves)
        waiting = [self.leaves[i] for i in marked]
        while waiting:
            level, place = leaf = waiting.pop()
            if leaf not in leaves:
                continue
            larger = [n for n in self._around(level - 1, tuple(k // 2 for k in place)) if n in leaves]
            if level and larger:
                waiting += [leaf, *larger]
                continue
            leaves.remove(leaf)
            leaves |= {
                (level + 1, tuple(2 * k + step for k, step in zip(place, steps, strict=True)))
                for steps in product((0, 1), repeat=len(place))
            }
        return Subdivision(self.lower, self.upper, self.cells, tuple(sorted(leaves)))

    def _around(self, level: int, place: tuple[int, ...]) -> list[Leaf]:
        """The places beside one, across its sides and corners, on the same level."""
        return [
            (level, tuple(k + step for k, step in zip(place, steps, strict=True)))
            for steps in product((-1, 0, 1), repeat=len(place))
            if any(steps)
        ]

    @property
    def owner(self) -> np.ndarray:
        """The number of the leaf of every cell of the finest grid."""
        fine = 2**self.levels
        owner = np.empty([n * fine for n in self.cells], dtype=int)
        for number, (level, place) in enumerate(self.leaves):
            size = fine >> level
            owner[tuple(slice(k * size, (k + 1) * size) for k in place)] = number
        return owner

    def leaf(self, points: np.ndarray) -> np.ndarray:
        """The number of the leaf of each of the points (n, D)."""
        owner = self.owner
        low, high = np.array(self.lower), np.array(self.upper)
        cell = ((points - low) / (high - low) * owner.shape).astype(int)
        return owner[tuple(cell.clip(0, np.array(owner.shape) - 1).T)]

    def points(self, domain: Any, per_leaf: float) -> np.ndarray:
        """About `per_leaf` points (n, D) of the domain in each leaf, on lattices."""
        found = []
        for level in sorted({level for level, _ in self.leaves}):
            places = np.array([place for at, place in self.leaves if at == level])
            found.append(lattice(domain, [n * 2**level for n in self.cells], per_leaf, places))
        return np.concatenate(found)

    def partition(self, points: np.ndarray, minimum: float) -> PartitionOfUnity:
        """The leaves as sharp windows; one with fewer than `minimum` of the points is part of a neighbour.

        It joins the one with which it shares the largest face; the box of the largest member, extended over the points
        in the others, scales the features of both.
        """
        owner, leaf = self.owner, self.leaf(points)
        counts = np.bincount(leaf, minlength=len(self.leaves)).astype(float)
        group = np.arange(len(self.leaves))
        faces = _faces(owner, len(self.leaves))
        while len(alive := np.unique(group)) > 1:
            poor = alive[np.argmin(counts[alive])]
            if counts[poor] >= minimum:
                break
            into = int(np.argmax(faces[poor]))
            group[group == poor] = into
            counts[into] += counts[poor]
            faces[into] += faces[poor]
            faces[:, into] += faces[:, poor]
            faces[poor] = faces[:, poor] = faces[into, into] = 0.0
        heads, number = np.unique(group, return_inverse=True)
        low, widths = self.corners
        high = low + widths
        for i in np.flatnonzero(group != np.arange(len(group))):
            if len(inside := points[leaf == i]):
                low[group[i]] = np.minimum(low[group[i]], inside.min(0))
                high[group[i]] = np.maximum(high[group[i]], inside.max(0))
        whole = number[owner].ravel()
        return PartitionOfUnity(
            self.lower,
            self.upper,
            owner.shape,
            whole,
            whole,
            ((low + high) / 2)[heads],
            ((high - low) / 2)[heads],
            sharp=True,
        )

    def coarser(self) -> Callable[[np.ndarray], np.ndarray]:
        """How often less than the smallest leaves the leaves at points (n, D) were divided, (n,)."""
        levels = self.levels - np.array([level for level, _ in self.leaves])
        return lambda points: levels[self.leaf(points)]


def _faces(owner: np.ndarray, count: int) -> np.ndarray:
    """The area of the common face of every pair of leaves, (count, count), in faces of the finest cells."""
    areas = np.zeros((count, count))
    for axis in range(owner.ndim):
        layers = np.moveaxis(owner, axis, 0)
        first, second = layers[:-1].ravel(), layers[1:].ravel()
        np.add.at(areas, (first, second), first != second)
    return areas + areas.T
