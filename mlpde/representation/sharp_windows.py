"""The sharp windows psi_a of the random feature method: 1 on a subdomain, 0 elsewhere, joined by rows on the faces.

On a face between two subdomains u_m is continuous where its equations are of first order at least, and its normal
derivative where they are of second order (C0 and C1 rows of Chen, Chi, E, Yang, J. Machine Learning 1(3), 2022).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np
import torch

from mlpde.optimize.least_squares import RowGroup
from mlpde.representation.collocation import Side, joined_rows
from mlpde.representation.partition_of_unity import Alpha, Cover
from mlpde.representation.random_features import RandomFeatures

SCALE = 100.0  # of the rows, as in `assembled`


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
    """Rows [u_m] = 0 and [d u_m / dn] = 0 on all faces between subdomains, at per_direction^(D-1) points of each face.

    order(m, direction): of the derivatives of u_m in a direction, 0, 1 or 2.  inside: which points are in the domain.
    """
    grid = features.partition
    owner = np.where(grid.owner < 0, grid.heir, grid.owner).reshape(grid.cells)
    lower = np.array(grid.lower)
    width = (np.array(grid.upper) - lower) / np.array(grid.cells)
    along = (np.arange(per_direction) + 0.5) / per_direction
    groups = []
    for axis, cell in product(range(grid.dim), np.ndindex(*grid.cells)):
        if cell[axis] + 1 == grid.cells[axis]:
            continue
        beside = tuple(k + (i == axis) for i, k in enumerate(cell))
        first, second = int(owner[cell]), int(owner[beside])
        if first == second:
            continue
        place = [np.array([1.0]) if i == axis else along for i in range(grid.dim)]
        face = np.stack(np.meshgrid(*place, indexing="ij"), -1).reshape(-1, grid.dim)
        points = lower + (np.array(cell) + face) * width
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
