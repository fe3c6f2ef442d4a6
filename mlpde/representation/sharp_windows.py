"""The sharp windows psi_a of the random feature method: 1 on a subdomain, 0 elsewhere, joined by rows on the faces.

On a face between two subdomains u_m is continuous where its equations are of first order at least, and its normal
derivative where they are of second order (C0 and C1 rows of Chen, Chi, E, Yang, J. Machine Learning 1(3), 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from mlpde.optimize.least_squares import RowGroup
from mlpde.representation.collocation import Side, joined_rows
from mlpde.representation.partition_of_unity import Alpha, Cover, PartitionOfUnity
from mlpde.representation.random_features import RandomFeatures

SCALE = 100.0  # of the rows, as in `assembled`
JUDGES = 7  # points in each direction of a face that judge the jumps


class _Term(NamedTuple):
    equation: int
    component: int
    derivative: Alpha
    coefficient: torch.Tensor


def continuity(
    features: RandomFeatures,
    order: Callable[[int, int], int],
    components: int,
    per_direction: int,
    inside: Callable[[np.ndarray], np.ndarray],
) -> list[RowGroup]:
    """Rows [u_m] = 0 and [d u_m / dn] = 0 on all faces between subdomains.

    per_direction: points in each direction along the side of a subdomain, of the smaller one where two differ.
    order(m, direction): of the derivatives of u_m in a direction, 0, 1 or 2.  inside: which points are in the domain.
    """
    groups = []
    for axis, first, second, points in _faces(features.partition, per_direction):
        points = points[inside(points)]
        jumps: list[tuple[int, Alpha]] = []
        for m in range(components):
            jumps += [(m, ()), (m, (axis,))][: order(m, axis)]
        if not len(points) or not jumps:
            continue
        x = torch.as_tensor(points)
        sides = [
            Side(
                features,
                x,
                [
                    _Term(k, m, a, torch.full((len(x),), sign, dtype=x.dtype))
                    for k, (m, a) in enumerate(jumps)
                ],
            )
            for sign in (1.0, -1.0)
        ]
        covers = [Cover((s,), torch.arange(len(x)), None) for s in (first, second)]
        blocks, matrix = joined_rows(sides, covers, len(jumps), components)
        matrix *= SCALE / matrix.abs().amax(dim=1, keepdim=True)
        groups.append(RowGroup(blocks, matrix, matrix.new_zeros(len(matrix))))
    return groups


def relative_jump(
    features: RandomFeatures,
    coefficients: torch.Tensor,
    order: Callable[[int, int], int],
    inside: Callable[[np.ndarray], np.ndarray],
    sizes: Sequence[torch.Tensor],
) -> float:
    """The largest over the components of rms [u_m] / size(u_m) and rms [d u_m / dn] / size(grad u_m) on all faces.

    sizes: (M,) of the values and of the gradients.  [d u_m / dn] counts where `continuity` has rows of it.
    """
    local, _ = features.split(coefficients)
    squares, areas = (
        torch.zeros(2, len(local), dtype=torch.float64),
        torch.zeros(2, len(local), dtype=torch.float64),
    )
    for axis, first, second, points in _faces(features.partition, JUDGES):
        x = torch.as_tensor(points[inside(points)])
        if not len(x):
            continue
        radii = np.minimum(*features.partition.radii[[first, second]])
        area = float(np.prod(np.delete(radii, axis)))  # of a point
        sides = []
        for subdomain in (first, second):
            cover = Cover((subdomain,), torch.arange(len(x)), None)
            basis = features.derivatives(x, cover, subdomain, [(), (axis,)])
            sides.append(torch.stack([basis[alpha] @ local[:, subdomain].T for alpha in ((), (axis,))]))
        has = torch.tensor([[order(m, axis) > k for m in range(len(local))] for k in (0, 1)])
        squares += area * has * (sides[0] - sides[1]).square().sum(1)
        areas += area * has * len(x)
    rms = (squares / areas.clamp_min(torch.finfo(areas.dtype).tiny)).sqrt()
    size = torch.stack(list(sizes[:2]))
    return float(torch.where(size > 0, rms / size, 0.0).max())


def _faces(grid: PartitionOfUnity, per_direction: int) -> Iterator[tuple[int, int, int, np.ndarray]]:
    """Direction of the normal, the two subdomains, and points (n, D) on every face between two subdomains."""
    owner = np.where(grid.owner < 0, grid.heir, grid.owner).reshape(grid.cells)
    lower = np.array(grid.lower)
    width = (np.array(grid.upper) - lower) / np.array(grid.cells)
    for axis in range(grid.dim):
        ahead = np.arange(1, grid.cells[axis])
        before, after = owner.take(ahead - 1, axis), owner.take(ahead, axis)
        cells = np.argwhere(before != after)  # before a face
        if not len(cells):
            continue
        pairs = np.column_stack([before[tuple(cells.T)], after[tuple(cells.T)], cells[:, axis]])
        faces, number = np.unique(pairs, axis=0, return_inverse=True)
        order = np.argsort(number, kind="stable")
        for (first, second, plane), which in zip(
            faces, np.split(order, np.flatnonzero(np.diff(number[order])) + 1), strict=True
        ):
            here = cells[which]
            start, size = here.min(0), np.ptp(here, axis=0) + 1
            spacing = 2 * np.minimum(grid.radii[first], grid.radii[second]) / per_direction
            counts = np.rint(size * width / spacing).astype(int).clip(min=1)
            place = [
                np.array([plane + 1.0]) if i == axis else start[i] + (np.arange(n) + 0.5) / n * size[i]
                for i, n in enumerate(counts)
            ]
            face = np.stack(np.meshgrid(*place, indexing="ij"), -1).reshape(-1, grid.dim)
            on = face.astype(int)
            on[:, axis] = plane
            present = np.isin(_flat(on, grid), _flat(here, grid))
            yield axis, int(first), int(second), lower + face[present] * width


def _flat(cells: np.ndarray, grid: PartitionOfUnity) -> np.ndarray:
    return np.ravel_multi_index(tuple(cells.T), grid.cells)
