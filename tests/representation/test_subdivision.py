"""Subdomains of different size: leaves tile the box, neighbours differ by one level, poor ones join a neighbour."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from geometry import rectangle
from mlpde.representation.sharp_windows import _faces
from mlpde.representation.subdivision import Subdivision


def square(cells=(2, 3)):
    return Subdivision.grid(np.zeros(2), np.ones(2), cells)


@given(st.lists(st.integers(0, 10**6), max_size=6))
def test_leaves_tile_the_box_and_neighbours_differ_by_one_level(choices):
    subdivision = square()
    for choice in choices:
        subdivision = subdivision.divided([choice % len(subdivision.leaves)])
    owner = subdivision.owner
    shares = np.bincount(owner.ravel()) / owner.size
    assert np.allclose(shares, subdivision.shares) and np.isclose(shares.sum(), 1)
    level = np.array([level for level, _ in subdivision.leaves])[owner]
    for axis in (0, 1):
        assert np.abs(np.diff(level, axis=axis)).max(initial=0) <= 1
    low, widths = subdivision.corners
    middle = low + widths / 2
    assert np.array_equal(subdivision.leaf(middle), np.arange(len(low)))


def test_a_leaf_with_few_points_joins_a_neighbour():
    subdivision = square((2, 2)).divided([0])
    low, widths = subdivision.corners
    random = np.random.default_rng(0)
    points = np.concatenate(
        [
            a + random.random((3 if i == 4 else 50, 2)) * w
            for i, (a, w) in enumerate(zip(low, widths, strict=True))
        ]
    )
    partition = subdivision.partition(points, 10)
    assert partition.subdomains == len(low) - 1
    covers = partition.covers(torch.from_numpy(points))
    assert min(len(cover.rows) for cover in covers) >= 10
    assert sum(len(cover.rows) for cover in covers) == len(points)


def test_faces_have_the_points_of_the_smaller_side():
    points = rectangle().interior(4000, seed=0)
    partition = square((2, 1)).divided([1]).partition(points, 1)
    faces = {(axis, a, b): len(x) for axis, a, b, x in _faces(partition, 4)}
    between_levels = [n for (axis, a, _), n in faces.items() if axis == 0 and a == 0]
    assert between_levels == [4, 4]
    for axis, a, b, x in _faces(partition, 4):
        step = 1e-6 * np.eye(2)[axis]
        for side, owner in ((x - step, a), (x + step, b)):
            for cover in partition.covers(torch.from_numpy(side)):
                assert cover.subdomains == (owner,)
