"""Partition of unity on a regular grid of cells: the windows psi_b of the random feature method.

In one direction, with t = (x - x_n) / r_n in [-1, 1] on cell n, the hat is 1 for |t| < 3/4, falls as (1 - sin
2 pi |t|)/2 and is 0 from |t| = 5/4; at the ends of the box it stays 1. In d directions it is the product
(Chen, Chi, E, Yang, J. Machine Learning 1(3), 2022, doi:10.4208/jml.220726). Neighbouring hats sum to 1, so
on a full grid nothing is normalised.

A domain that does not fill its box leaves cells with too few points. Merged cells form one subdomain whose
psi is the sum of their hats. A dropped cell's share goes to the other hats at the point: they are divided by
their sum. So the psi sum to 1 at every point of the box, whatever is merged or dropped (`adapted_partition`
decides that).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
import torch

from mlpde.errors import InputError

Alpha = tuple[int, ...]  # the directions of a derivative: () value, (i,) first, (i, j) with i <= j second

# Where the remaining hats sum to less, a point is deep inside a dropped cell: it is left to the heir, not normalised.
DEEP = 0.1


class Cover(NamedTuple):
    """Points with the same subdomains: `rows` (n,) are their indices.

    `segments`: in each direction 2 i on the plateau of cell i, 2 i + 1 on the ramp between the cells i and i
    + 1; None deep in a dropped cell, where the single subdomain has psi = 1.
    """

    subdomains: tuple[int, ...]
    rows: torch.Tensor
    segments: tuple[int, ...] | None


@dataclass(frozen=True)
class PartitionOfUnity:
    """Windows psi_s on the box [lower, upper], cut into `cells` = (n1, ..., nD) equal cells.

    owner: (cells,) the subdomain of each cell, -1 where it is dropped; heir: (cells,) the subdomain that
    stands in deep inside a dropped cell; centres, radii: (subdomains, D), so that (x - centre)/radius is in
    [-1, 1] on the subdomain.
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    cells: tuple[int, ...]
    owner: np.ndarray
    heir: np.ndarray
    centres: np.ndarray
    radii: np.ndarray
    sharp: bool = False  # psi_a: 1 on the own cells, 0 elsewhere

    @classmethod
    def grid(cls, lower: Sequence[float], upper: Sequence[float], cells: Sequence[int]) -> "PartitionOfUnity":
        """Every cell its own subdomain, numbered in C order."""
        if not len(lower) == len(upper) == len(cells):
            raise InputError(
                f"a partition needs one number a direction: lower {lower}, upper {upper}, cells {cells}"
            )
        low, high, counts = np.array(lower, float), np.array(upper, float), np.array(cells, int)
        if not (np.isfinite([low, high]).all() and (low < high).all()):
            raise InputError(
                f"a partition needs lower < upper in every direction: got lower {lower}, upper {upper}"
            )
        if (counts < 1).any():
            raise InputError(f"a partition needs at least one cell in every direction: got {tuple(cells)}")
        radii = (high - low) / counts / 2
        index = np.array(list(np.ndindex(*counts)))
        number = np.arange(len(index))
        centres = low + (2 * index + 1) * radii
        return cls(
            tuple(low.tolist()),
            tuple(high.tolist()),
            tuple(counts.tolist()),
            number,
            number,
            centres,
            np.broadcast_to(radii, centres.shape).copy(),
        )

    @property
    def dim(self) -> int:
        return len(self.cells)

    @property
    def subdomains(self) -> int:
        return len(self.centres)

    def covers(self, points: torch.Tensor) -> list[Cover]:
        """The points (n, D), grouped by the subdomains whose psi is not 0; every point is in exactly one
        group."""
        if points.ndim != 2 or points.shape[1] != self.dim:
            raise InputError(f"points of shape (n, {self.dim}) are needed, got {tuple(points.shape)}")
        if not torch.isfinite(points).all():
            raise InputError("points must be finite numbers")
        counts = torch.tensor(self.cells, device=points.device)
        offset = (points - points.new_tensor(self.lower)) / points.new_tensor(self._width)
        cell = torch.minimum(offset.floor().long().clamp(min=0), counts - 1)
        if self.sharp:
            number = np.ravel_multi_index(tuple(cell.T.cpu().numpy()), self.cells)
            owner = torch.as_tensor(
                np.where(self.owner < 0, self.heir, self.owner)[number], device=points.device
            )
            return [Cover((s,), torch.nonzero(owner == s)[:, 0], None) for s in owner.unique().tolist()]
        inside = offset - cell
        ramps = 2 * counts - 1  # segments in each direction
        segment = torch.minimum(
            (2 * cell + (inside >= 7 / 8).long() - (inside < 1 / 8).long()).clamp(min=0), ramps - 1
        )
        key = torch.zeros_like(segment[:, 0])
        for axis in range(self.dim):
            key = key * ramps[axis] + segment[:, axis]
        order = torch.argsort(key, stable=True)
        keys, sizes = torch.unique_consecutive(key[order], return_counts=True)
        shape = tuple(2 * n - 1 for n in self.cells)
        covers = []
        for value, rows in zip(keys.tolist(), order.split(sizes.tolist()), strict=True):
            segments = tuple(int(s) for s in np.unravel_index(value, shape))
            covers += self._cover(points, rows, segments, cell[rows])
        return covers

    def weights(
        self, points: torch.Tensor, cover: Cover, alphas: Collection[Alpha]
    ) -> list[dict[Alpha, torch.Tensor]]:
        """D^alpha psi_s (n,) at the points (n, D) of one cover, for each of its subdomains.

        A derivative that vanishes identically (the plateau) is left out. `alphas` holds with (i, j) also
        (i,), (j,), ().
        """
        if cover.segments is None:
            return [{(): points.new_ones(len(points))}]
        hats, complete = self._hats(points, cover.segments, alphas)
        if complete:
            return [hats[s] for s in cover.subdomains]
        if len(hats) == 1:
            return [{(): points.new_ones(len(points))}]
        total: dict[Alpha, torch.Tensor] = {}
        for hat in hats.values():
            for alpha, value in hat.items():
                total[alpha] = total[alpha] + value if alpha in total else value
        return [_quotient(hats[s], total) for s in cover.subdomains]

    @property
    def _width(self) -> np.ndarray:
        return (np.array(self.upper) - np.array(self.lower)) / np.array(self.cells)

    def _corners(self, segments: tuple[int, ...]) -> list[tuple[tuple[int, ...], int]]:
        """The cells whose hats are not 0 on a segment: which side of the ramp in each direction, and the
        cell's number."""
        sides = product(*((0, 1) if s % 2 else (0,) for s in segments))
        return [
            (
                side,
                int(
                    np.ravel_multi_index(
                        [s // 2 + k for s, k in zip(segments, side, strict=True)], self.cells
                    )
                ),
            )
            for side in sides
        ]

    def _cover(
        self, points: torch.Tensor, rows: torch.Tensor, segments: tuple[int, ...], cells: torch.Tensor
    ) -> list[Cover]:
        owners = [int(self.owner[cell]) for _, cell in self._corners(segments)]
        present = tuple(sorted(set(owners) - {-1}))
        if -1 not in owners:
            return [Cover(present, rows, segments)]
        deep = torch.ones_like(rows, dtype=torch.bool)
        if present:
            hats, _ = self._hats(points[rows], segments, [()])
            deep = sum((hat[()] for hat in hats.values()), start=points.new_zeros(len(rows))) < DEEP
        covers = [] if deep.all() else [Cover(present, rows[~deep], segments)]
        number = np.ravel_multi_index(tuple(cells[deep].T.cpu().numpy()), self.cells)
        heirs = torch.as_tensor(self.heir[number], device=rows.device)
        return covers + [Cover((heir,), rows[deep][heirs == heir], None) for heir in heirs.unique().tolist()]

    def _hats(
        self, points: torch.Tensor, segments: tuple[int, ...], alphas: Collection[Alpha]
    ) -> tuple[dict[int, dict[Alpha, torch.Tensor]], bool]:
        """D^alpha of the sum of the hats of each subdomain, not normalised; and whether they sum to 1."""
        ramps = {}
        for axis, segment in enumerate(segments):
            if segment % 2:
                radius = self._width[axis] / 2
                angle = (
                    2
                    * torch.pi
                    * (points[:, axis] - self.lower[axis] - (segment // 2 * 2 + 1) * radius)
                    / radius
                )
                sine, cosine = torch.sin(angle), torch.cos(angle)
                fall = (-sine / 2, -torch.pi * cosine / radius, 2 * torch.pi**2 * sine / radius**2)
                ramps[axis] = [(0.5 + fall[0], *fall[1:]), (0.5 - fall[0], -fall[1], -fall[2])]
        corners = self._corners(segments)
        owned = [(side, int(self.owner[c])) for side, c in corners if self.owner[c] >= 0]
        complete = len(owned) == len(corners)
        needed = [a for a in alphas if all(axis in ramps for axis in a)]
        if len({owner for _, owner in owned}) == 1 and complete:
            return {owned[0][1]: {(): points.new_ones(len(points))}}, True
        hats: dict[int, dict[Alpha, torch.Tensor]] = {}
        for side, owner in owned:
            hat = hats.setdefault(owner, {})
            for alpha in needed:
                value = points.new_ones(len(points))
                for axis, ramp in ramps.items():
                    value = value * ramp[side[axis]][alpha.count(axis)]
                hat[alpha] = hat[alpha] + value if alpha in hat else value
        return hats, complete


def _quotient(hat: dict[Alpha, torch.Tensor], total: dict[Alpha, torch.Tensor]) -> dict[Alpha, torch.Tensor]:
    """D^alpha (hat / total), from D^alpha (q total) = D^alpha hat by the product rule, lower orders first."""
    q: dict[Alpha, torch.Tensor] = {(): hat[()] / total[()]}
    for alpha in sorted(hat, key=len):
        if len(alpha) == 1:
            q[alpha] = (hat[alpha] - q[()] * total[alpha]) / total[()]
        elif alpha:
            i, j = (alpha[0],), (alpha[1],)
            q[alpha] = (hat[alpha] - q[i] * total[j] - q[j] * total[i] - q[()] * total[alpha]) / total[()]
    return q
