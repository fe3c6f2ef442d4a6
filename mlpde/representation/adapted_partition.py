"""Which cells of a partition of unity become subdomains, when the domain does not fill its box.

A subdomain with fewer points than about 1.3 times its features makes the least squares singular or wrong by
orders of magnitude. Such a cell is dropped where the hats of its neighbours reach all its points, else it is
merged with a neighbour.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import scipy.sparse
import torch

from mlpde.errors import InputError
from mlpde.representation.partition_of_unity import DEEP, PartitionOfUnity


class Adaptation(NamedTuple):
    """A cell with too few points: its index in the grid, its points, the cell it was merged with (None:
    dropped)."""

    cell: tuple[int, ...]
    points: float
    into: tuple[int, ...] | None


def adapted_partition(
    grid: PartitionOfUnity, points: torch.Tensor, minimum: float
) -> tuple[PartitionOfUnity, tuple[Adaptation, ...]]:
    """The partition without subdomains of fewer than `minimum` of the points (n, D), and what was done to
    which cell.

    The points of a subdomain are counted as the sum of its psi over all points. A poor cell is merged with
    the neighbour of the largest common face, of equal ones the closest to its points; the subdomain's box
    then is the richest cell's, extended over the points in the others. If all points are fewer than
    `minimum`, one subdomain remains.
    """
    if not np.array_equal(grid.owner, np.arange(np.prod(grid.cells))):
        raise InputError("a partition is adapted once: pass the full grid and all the points")
    if len(points) == 0:
        raise InputError("a partition cannot be adapted to no points")
    hats = _hats(grid, points)
    counts = np.asarray(hats.sum(axis=0)).ravel()
    kept, rest = (
        np.ones(len(counts), dtype=bool),
        np.ones(len(points)),
    )  # rest: the sum of the kept hats at each point
    for cell in np.argsort(counts, kind="stable"):
        column = hats[:, [cell]]
        if counts[cell] < minimum and (rest[column.indices] - column.data >= DEEP).all():
            kept[cell] = False
            rest[column.indices] -= column.data
    shares = scipy.sparse.diags_array(1 / rest) @ hats
    positions = points.cpu().numpy()
    groups = _merged(grid, kept, shares, positions, minimum)
    cells = np.array(list(np.ndindex(*grid.cells)))
    heads = [max(group, key=lambda c: (counts[c], -c)) for group in groups]
    name = [tuple(int(i) for i in cells[c]) for c in range(len(cells))]
    done = [Adaptation(name[c], float(counts[c]), None) for c in np.flatnonzero(~kept)]
    done += [
        Adaptation(name[c], float(counts[c]), name[head])
        for group, head in zip(groups, heads, strict=True)
        for c in sorted(group - {head})
    ]
    owner = np.full(len(cells), -1)
    for subdomain, group in enumerate(groups):
        owner[list(group)] = subdomain
    alive = np.flatnonzero(kept)
    nearest = alive[((cells[:, None] - cells[alive]) ** 2).sum(axis=-1).argmin(axis=1)]
    boxes = [_box(grid, group, head, positions) for group, head in zip(groups, heads, strict=True)]
    centres, radii = (np.array(part) for part in zip(*boxes, strict=True))
    return replace(grid, owner=owner, heir=owner[nearest], centres=centres, radii=radii), tuple(sorted(done))


def _hats(grid: PartitionOfUnity, points: torch.Tensor) -> scipy.sparse.csc_array:
    """The hat of every cell (column) at every point (row)."""
    rows, columns, values = [], [], []
    for cover in grid.covers(points):
        for cell, weight in zip(cover.subdomains, grid.weights(points[cover.rows], cover, [()]), strict=True):
            rows.append(cover.rows.cpu().numpy())
            columns.append(np.full(len(cover.rows), cell))
            values.append(weight[()].cpu().numpy())
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return scipy.sparse.csc_array(entries, shape=(len(points), grid.subdomains))


def _merged(
    grid: PartitionOfUnity,
    kept: np.ndarray,
    shares: scipy.sparse.csc_array,
    points: np.ndarray,
    minimum: float,
) -> list[set[int]]:
    """The kept cells in groups of at least `minimum` points, the poorest group merged first."""
    counts = shares.sum(axis=0)
    moments = shares.T @ points
    width = 2 * grid.radii[0]
    group = {int(c): {int(c)} for c in np.flatnonzero(kept)}  # of every cell; merged cells share one set
    while True:
        distinct = {min(cells): cells for cells in group.values()}
        poor = min(distinct.values(), key=lambda cells: (counts[list(cells)].sum(), min(cells)))
        if len(distinct) == 1 or counts[list(poor)].sum() >= minimum:
            return [distinct[first] for first in sorted(distinct)]
        faces = dict.fromkeys(distinct, 0.0)
        for cell in poor:
            index = np.array(np.unravel_index(cell, grid.cells))
            for axis in range(grid.dim):
                for step in (-1, 1):
                    index[axis] += step
                    if 0 <= index[axis] < grid.cells[axis]:
                        beside = int(np.ravel_multi_index(index, grid.cells))
                        if beside in group:
                            faces[min(group[beside])] += np.prod(np.delete(width, axis))
                    index[axis] -= step
        del faces[min(poor)]
        middle = moments[list(poor)].sum(axis=0) / counts[list(poor)].sum()

        largest = max(faces.values())
        reach = {
            first: (((grid.centres[list(distinct[first])] - middle) / width) ** 2).sum(axis=1).min()
            for first, face in faces.items()
            if face >= largest * (1 - 1e-9)
        }
        union = poor | distinct[min((d, first) for first, d in reach.items())[1]]
        group.update(dict.fromkeys(union, union))


def _box(
    grid: PartitionOfUnity, group: set[int], head: int, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Centre and radii of the box of cell `head`, extended over the points that lie in the other cells of its
    group."""
    low, high = grid.centres[head] - grid.radii[head], grid.centres[head] + grid.radii[head]
    for cell in group - {head}:
        inside = points[(np.abs(points - grid.centres[cell]) <= grid.radii[cell]).all(axis=1)]
        low, high = np.vstack([low[None], inside]).min(axis=0), np.vstack([high[None], inside]).max(axis=0)
    return (low + high) / 2, (high - low) / 2
