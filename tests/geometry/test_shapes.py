"""Ready-made shapes: names, refusals, and plates with random holes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry import (
    Domain,
    GeometryError,
    annulus,
    ball,
    box_with_cavities,
    channel,
    cuboid,
    disk,
    gear,
    hole_cluster,
    interval,
    l_shape,
    plate_with_holes,
    rectangle,
    slit_square,
    torus,
)


def test_names(shape):
    assert set(shape.domain.boundaries) == set(shape.boundaries)
    assert shape.domain.regions == ("domain",)


@pytest.mark.parametrize(
    ("domain", "sides"),
    [
        (interval(-1, 2), {"left": (0, -1), "right": (0, 2)}),
        (rectangle(1, 2, 4, 6), {"left": (0, 1), "right": (0, 4), "bottom": (1, 2), "top": (1, 6)}),
        (plate_with_holes(3, 2, []), {"left": (0, 0), "right": (0, 3), "bottom": (1, 0), "top": (1, 2)}),
        (channel(3, 2), {"inlet": (0, 0), "outlet": (0, 3)}),
        (
            cuboid(0, 1, 2, 3, 5, 7),
            {
                "left": (0, 0),
                "right": (0, 3),
                "front": (1, 1),
                "back": (1, 5),
                "bottom": (2, 2),
                "top": (2, 7),
            },
        ),
    ],
)
def test_sides_are_where_their_names_say(domain, sides):
    assert set(domain.boundaries) - {"walls"} == set(sides)
    for name, (axis, value) in sides.items():
        x, _, normals = domain.boundary(name, 9)
        np.testing.assert_allclose(x[:, axis], value, atol=1e-14)
        np.testing.assert_allclose(np.abs(normals[:, axis]), 1, atol=1e-14)


def test_reentrant_sides_meet_at_the_origin():
    x, _, _ = l_shape(2.0).boundary("reentrant", 10)
    np.testing.assert_allclose(np.sort(np.abs(x).max(1)), np.repeat(np.arange(0.2, 2, 0.4), 2), atol=1e-14)
    assert (x[:, 0] >= 0).all() and (x[:, 1] <= 0).all()
    assert not l_shape(2.0).contains(np.array([[0.5, -0.5]])).any()
    assert l_shape(2.0).contains(np.array([[0.5, 0.5], [-0.5, -0.5], [-0.5, 0.5], [0.0, 0.0]])).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: interval(1, 1), "interval: a must be less than b, not 1 and 1"),
        (lambda: interval(0, float("nan")), "interval: b must be a finite number, not nan"),
        (lambda: rectangle(0, 2, 1, 1), "rectangle: y0 must be less than y1, not 2 and 1"),
        (lambda: l_shape(-1), "l_shape: size must be positive, not -1"),
        (lambda: disk(0), "disk: radius must be positive, not 0"),
        (lambda: disk(1, (0, 0, 0)), "disk: center needs 2 coordinates, not 3"),
        (lambda: disk("1"), "disk: radius must be a finite number, not '1'"),
        (lambda: annulus(1, 0.5), "annulus: inner must be less than outer, not 1 and 0.5"),
        (
            lambda: annulus(0.99999, 1.0),
            "annulus: the width of the ring is 1e-05 of its outer radius, less than 0.001",
        ),
        (lambda: annulus(0, 0.5), "annulus: inner must be positive, not 0"),
        (lambda: cuboid(z1=-1), "cuboid: z0 must be less than z1"),
        (lambda: slit_square(0), "slit_square: size must be positive, not 0"),
        (lambda: channel(0, 1), "channel: length must be positive, not 0"),
        (lambda: channel(1, 1, [(0.1, 0.5, 0.2)]), "channel: obstacle 0 .* does not lie inside"),
        (lambda: hole_cluster(2, 2, 0.2, 0), "hole_cluster: gap must be positive, not 0"),
        (lambda: hole_cluster(2, 2, 0.2, 0.1, 1.5), "hole_cluster: rings must be a whole number from 0 on"),
        (lambda: hole_cluster(2, 2, 0.2, 0.1, 2), "hole_cluster: hole 0 .* does not lie inside"),
        (lambda: box_with_cavities((0, 0), (1, 1, 1), []), "lower needs 3 coordinates, not 2"),
        (lambda: box_with_cavities((0, 0, 0), (1, 0, 1), []), "y of lower must be less than y of upper"),
        (
            lambda: box_with_cavities((0, 0, 0), (1, 1, 1), [(0.5, 0.5, 0.2)]),
            r"cavity 0 must be \(x, y, z, radius\), not \(0.5, 0.5, 0.2\)",
        ),
        (
            lambda: box_with_cavities((0, 0, 0), (2, 2, 2), [(0.5, 1, 1, 0.4), (1.2, 1, 1, 0.4)]),
            "cavity 0 .* and cavity 1 .* overlap or touch; their centres must be more than 0.8 apart",
        ),
        (lambda: torus(0.3, 0.3), "torus: minor must be less than major, not 0.3 and 0.3"),
        (lambda: torus(center=(0, 0)), "torus: center needs 3 coordinates, not 2"),
        (lambda: gear(5), "gear: teeth must be a whole number from 6 on, not 5"),
        (lambda: gear(12.0), "gear: teeth must be a whole number from 6 on, not 12.0"),
        (lambda: gear(bore=0.5), "gear: bore must be less than the root radius, not 0.5 and 0.475"),
        (lambda: gear(pressure_angle=50), "gear: pressure_angle must be less than 45 degrees, not 50 and 45"),
        (
            lambda: gear(6, bore=0.1, pressure_angle=35),
            "gear: 6 teeth with a pressure angle of 35 degrees cross",
        ),
        (lambda: ball(-2), "ball: radius must be positive, not -2"),
        (lambda: plate_with_holes(-2, 1, []), "plate_with_holes: width must be positive, not -2"),
        (lambda: plate_with_holes(2, 1, [(0.5, 0.5)]), r"hole 0 must be \(x, y, radius\), not \(0.5, 0.5\)"),
        (
            lambda: plate_with_holes(2, 1, [(0.5, 0.5, -0.1)]),
            "the radius of hole 0 must be positive, not -0.1",
        ),
        (
            lambda: plate_with_holes(2, 1, [(0.5, 0.5, 0.2), (0.1, 0.5, 0.2)]),
            r"hole 1 \(0.1, 0.5, 0.2\) does not lie inside \(0, 2\) x \(0, 1\)",
        ),
        (
            lambda: plate_with_holes(2, 1, [(0.5, 0.5, 0.2), (1.0, 0.5, 0.2), (0.5, 0.7, 0.1)]),
            "hole 0 .* and hole 2 .* overlap or touch; their centres must be more than 0.3 apart",
        ),
    ],
)
def test_refusals(make, message):
    with pytest.raises(GeometryError, match=message):
        make()


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        (
            interval(0, 1e-9),
            "Could not create line; if it is for small lengths: OpenCASCADE takes .* choose a unit",
        ),
        (rectangle(0, 0, 1e-9, 1e-9), "Could not create line; if it is for small lengths: OpenCASCADE takes"),
        (cuboid(0, 0, 0, 1e-9, 1e-9, 1e-9), "failed: .*; if it is for small lengths: OpenCASCADE takes"),
        (ball(1e-6), "the domain is too small: its bounding box has the diagonal 3.464e-06, but OpenCASCADE"),
        (ball(1e9), "could not mesh the domain .* The domain has the diagonal 3.464e.09.* choose a unit"),
    ],
)
def test_lengths_out_of_range(domain, message):
    """Where the unit must be another; 10^-5 and 10^6 are in range."""
    with pytest.raises(GeometryError, match=message):
        domain.mesh()


@st.composite
def _plates(draw):
    """A plate of random size with up to six holes that do not overlap, some of them nearly touching."""
    width, height = draw(st.floats(0.5, 3.0)), draw(st.floats(0.5, 3.0))
    holes = []
    for _ in range(draw(st.integers(1, 6))):
        x, y = draw(st.floats(0.05, 0.95)) * width, draw(st.floats(0.05, 0.95)) * height
        room = [x, y, width - x, height - y] + [np.hypot(x - p, y - q) - r for p, q, r in holes]
        largest = min(room)
        if largest > 0.02:
            holes.append((x, y, draw(st.floats(0.3, 0.98)) * largest))
    return width, height, holes


@settings(max_examples=15, deadline=None, derandomize=True)
@given(_plates())
def test_plates_with_random_holes(plate):
    width, height, holes = plate
    domain = plate_with_holes(width, height, holes)
    mesh = domain.mesh()
    assert mesh.scaled_jacobians().min() > 0.05
    removed = np.pi * sum(r * r for _, _, r in holes)
    # 16 quadratic edges around a circle have its area to 1.1e-4
    assert abs(mesh.volumes.sum() - (width * height - removed)) < 1.2e-4 * removed + 1e-13
    if holes:
        _, weights, _ = domain.boundary("holes", 100)
        assert abs(weights.sum() - 2 * np.pi * sum(r for _, _, r in holes)) < 1e-12
        assert (mesh.facet_boundaries == mesh.boundaries.index("holes")).sum() >= 16 * len(holes)
    x = domain.interior(300, "sobol")
    for p, q, r in holes:
        assert (np.hypot(x[:, 0] - p, x[:, 1] - q) > r - 2 * mesh.facet_gaps.max()).all()


@pytest.mark.parametrize("inner", [0.9, 0.99])
def test_a_thin_ring_is_resolved(inner):
    """Elements no longer than the ring is wide, at every size of a sequence."""
    ring = annulus(2 * inner, 2.0, (1.0, 3.0))
    for size in (None, ring.default_size / 2):
        mesh = ring.mesh(size)
        assert mesh.scaled_jacobians().min() > 0.4
        assert abs(mesh.volumes.sum() / (4 * np.pi * (1 - inner**2)) - 1) < 1e-6


def test_a_thin_gap_is_resolved():
    """Two holes 0.002 apart: curved elements stay valid, and the gap is crossed by more than one."""
    mesh = plate_with_holes(2.0, 1.0, [(0.7, 0.5, 0.2), (1.102, 0.5, 0.2)]).mesh()
    assert mesh.scaled_jacobians().min() > 0.1
    assert len(mesh.cells) < 5000
    near = np.linalg.norm(mesh.points - [0.901, 0.5], axis=1) < 1.2e-3
    assert near.sum() > 5


@pytest.mark.parametrize(("rings", "count"), [(0, 1), (1, 7), (2, 19)])
def test_a_cluster_is_hexagonal(rings, count):
    """As many holes as hexagonal numbers say, and gaps of 2 % of the radius without an inverted element."""
    domain = hole_cluster(8.0, 8.0, 0.5, 0.01, rings)
    mesh = domain.mesh()
    assert mesh.scaled_jacobians().min() > 0.05
    assert abs(mesh.volumes.sum() - (64 - count * np.pi / 4)) < 1e-4 * count
    x, weights, _ = domain.boundary("holes", 400 * count)
    assert abs(weights.sum() - count * np.pi) < 1e-10
    height = 0.5 + rings * 1.01 * np.sqrt(0.75)
    np.testing.assert_allclose(
        [x.min(0), x.max(0)],
        [[3.5 - 1.01 * rings, 4 - height], [4.5 + 1.01 * rings, 4 + height]],
        atol=1e-4,
    )


def test_sides_of_a_box_with_cavities():
    domain = Domain(3, box_with_cavities((0, 1, 2), (3, 5, 7), [(1, 2, 3, 0.5)]).build, size=2.0)
    sides = {
        "left": (0, 0),
        "right": (0, 3),
        "front": (1, 1),
        "back": (1, 5),
        "bottom": (2, 2),
        "top": (2, 7),
    }
    for name, (axis, value) in sides.items():
        np.testing.assert_allclose(domain.boundary(name, 9)[0][:, axis], value, atol=1e-14)
    x, _, normals = domain.boundary("cavities", 50)
    np.testing.assert_allclose((x - [1, 2, 3]) / 0.5, -normals, atol=1e-12)


def test_nearly_touching_cavities():
    """A gap of 5 % of the radius is graded; elements stay valid."""
    mesh = box_with_cavities((0, 0, 0), (2, 1, 1), [(0.6, 0.5, 0.5, 0.2), (1.01, 0.5, 0.5, 0.2)]).mesh()
    assert mesh.scaled_jacobians().min() > 1e-3
    near = np.linalg.norm(mesh.points - [0.805, 0.5, 0.5], axis=1) < 0.02
    assert near.sum() > 10


@pytest.mark.parametrize(("teeth", "angle"), [(12, 20.0), (25, 14.5), (42, 20.0)])
def test_a_gear_has_involute_teeth(teeth, angle):
    """Normals of an involute touch its base circle; teeth and gaps are equally wide on the pitch circle."""
    domain = gear(teeth, module=0.1, bore=0.2, pressure_angle=angle)
    pitch = 0.05 * teeth
    base = pitch * np.cos(np.radians(angle))
    assert set(domain.boundaries) == {"teeth", "bore"}
    assert domain.mesh().scaled_jacobians().min() > 0.1
    np.testing.assert_allclose(domain.bounding_box[1, 0], pitch + 0.1, atol=1e-9)
    assert abs(domain.boundary("bore", 1)[1].sum() - 0.4 * np.pi) < 1e-12

    x, _, normals = domain.boundary("teeth", 100 * teeth)
    radius = np.linalg.norm(x, axis=1)
    flank = (radius > max(base, pitch - 0.1) + 0.01) & (radius < pitch + 0.1 - 1e-6)
    distance = np.abs(x[:, 0] * normals[:, 1] - x[:, 1] * normals[:, 0])
    assert flank.mean() > 0.3
    np.testing.assert_allclose(distance[flank], base, rtol=2e-3)

    around = np.linspace(0, 2 * np.pi, 300 * teeth, endpoint=False)
    inside = domain.contains(pitch * np.stack([np.cos(around), np.sin(around)], axis=1))
    assert abs(inside.mean() - 0.5) < 5e-3 and inside[0]
