"""Meshes with matching nodes on periodic boundaries."""

import numpy as np
import pytest

from geometry import Domain, GeometryError, cuboid, plate_with_holes, rectangle
from geometry.periodic import matched

SQUARE = [("left", "right"), ("bottom", "top")]
CUBE = [*SQUARE, ("front", "back")]


def boundary_points(mesh, name):
    facets = mesh.facets[mesh.facet_boundaries == mesh.boundaries.index(name)]
    return mesh.points[np.unique(facets)]


@pytest.mark.parametrize(
    ("domain", "pairs"), [(rectangle(), SQUARE), (cuboid(), CUBE)], ids=["square", "cube"]
)
@pytest.mark.parametrize("order", [2, 3])
def test_the_nodes_of_a_pair_are_the_same_up_to_a_translation(domain, pairs, order):
    mesh = matched(domain, pairs).mesh(0.3, order=order)
    for first, second in pairs:
        x, y = boundary_points(mesh, first), boundary_points(mesh, second)
        shift = y.min(0) - x.min(0)
        distances = np.linalg.norm((x + shift)[:, None] - y[None], axis=-1)
        assert len(x) == len(y)
        assert distances.min(0).max() < 1e-12


def test_a_mesh_without_the_pairs_is_another_one():
    """Faces may differ where all edges agree, so the name in the cache must know the pairs."""
    plain = cuboid().mesh(0.3)
    periodic = matched(cuboid(), CUBE).mesh(0.3)
    again = cuboid().mesh(0.3)
    assert not np.array_equal(plain.points, periodic.points)
    assert np.array_equal(plain.points, again.points)


def bent(model):
    """A strip whose right end is an arc."""
    occ = model.occ
    corners = [occ.addPoint(*p, 0) for p in ((0, 0), (1, 0), (1, 1), (0, 1))]
    middle = occ.addPoint(1.2, 0.5, 0)
    lines = [
        occ.addLine(corners[0], corners[1]),
        occ.addCircleArc(corners[1], middle, corners[2], center=False),
    ]
    lines += [occ.addLine(corners[2], corners[3]), occ.addLine(corners[3], corners[0])]
    occ.addPlaneSurface([occ.addCurveLoop(lines)])
    occ.synchronize()
    for name, line in zip(("bottom", "right", "top", "left"), lines, strict=True):
        model.addPhysicalGroup(1, [line], name=name)


@pytest.mark.parametrize(
    ("domain", "pair"),
    [
        (rectangle(), ("left", "top")),
        (plate_with_holes(1.0, 1.0, [(0.5, 0.5, 0.2)]), ("left", "holes")),
        (Domain(2, bent), ("left", "right")),
    ],
    ids=["rotated", "a hole", "an arc"],
)
def test_a_pair_that_is_no_translation_is_refused(domain, pair):
    with pytest.raises(GeometryError, match=f"'{pair[1]}' is not '{pair[0]}' translated"):
        matched(domain, [pair]).mesh(0.3)
