"""Box and Ball in any dimension: moments against closed forms, weights, refusals."""

import math

import numpy as np
import pytest

from geometry import Ball, Box, GeometryError


@pytest.mark.parametrize("dim", [1, 2, 10, 100])
@pytest.mark.parametrize(("rule", "slack"), [("uniform", 4.5), ("sobol", 1.5)])
def test_moments(dim, rule, slack):
    """E x_i = 0, E x_i^2 = 1/3 (box) and r^2 / (d + 2) (ball), in standard errors of independent points."""
    n = 16_384
    for domain, second, fourth in (
        (Box(dim, -1, 1), 1 / 3, 1 / 5),
        (Ball(dim, 2.0), 4 / (dim + 2), 3 * 16 / ((dim + 2) * (dim + 4))),
    ):
        x = domain.interior(n, rule)
        assert x.shape == (n, dim)
        assert domain.contains(x).all()
        assert (np.abs(x.mean(0)) < slack * np.sqrt(second / n)).all()
        assert (np.abs((x**2).mean(0) - second) < slack * np.sqrt((fourth - second**2) / n)).all()
        np.testing.assert_array_equal(x, domain.interior(n, rule))
        assert not np.array_equal(x, domain.interior(n, rule, seed=1))


@pytest.mark.parametrize("dim", [1, 2, 3, 10, 100])
@pytest.mark.parametrize("seed", [None, 5])
def test_divergence_theorem(dim, seed):
    """The flux of x through the boundary is dim times the volume."""
    for domain in (Box(dim, -0.5, 1.0), Ball(dim, 0.9)):
        flux = 0.0
        for name in domain.boundaries:
            x, weights, normals = domain.boundary(name, 64, seed)
            assert x.shape == normals.shape == (64, dim)
            np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-14)
            assert domain.contains(x * (1 - 1e-12)).all()
            assert not domain.contains(x + 1e-9 * normals).any()
            flux += weights @ (x * normals).sum(1)
        assert abs(flux / (dim * domain.volume) - 1) < 1e-12


def test_sphere_points_have_no_preferred_direction():
    x, _, _ = Ball(10).boundary("sphere", 8192)
    np.testing.assert_allclose(x.mean(0), 0, atol=5e-3)
    np.testing.assert_allclose(x.T @ x / len(x), np.eye(10) / 10, atol=5e-3)


def test_volumes():
    assert abs(Ball(3, 2.0).volume - 4 / 3 * math.pi * 8) < 1e-12
    assert abs(Ball(2).volume - math.pi) < 1e-14
    assert Ball(100).volume == pytest.approx(2.3682021018828e-40, rel=1e-10)
    assert Box(3, (0, 0, 1), (1, 2, 4)).volume == 6


def test_box_names_and_sides():
    box = Box(3, (0, 0, 1), (1, 2, 4))
    assert box.boundaries == ("x0-", "x0+", "x1-", "x1+", "x2-", "x2+")
    assert box.regions == ("domain",)
    np.testing.assert_array_equal(box.bounding_box, [[0, 0, 1], [1, 2, 4]])
    x, weights, normals = box.boundary("x1+", 10)
    assert (x[:, 1] == 2).all() and abs(weights.sum() - 3) < 1e-14
    np.testing.assert_array_equal(normals, np.tile([0, 1, 0], (10, 1)))
    assert Box(3) == Box(3, 0.0, 1.0) and hash(Box(3)) == hash(Box(3, 0.0, 1.0))


def test_grid():
    assert abs(len(Box(2, 0, (1, 2)).interior(200, "grid")) - 200) <= 20
    x = Ball(3).interior(4000, "grid")
    assert abs(len(x) / 4000 - 1) < 0.1 and Ball(3).contains(x).all()
    with pytest.raises(
        GeometryError, match="a grid of 1000 points in dimension 10 has fewer than 2 points a direction"
    ):
        Box(10).interior(1000, "grid")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Box(0), "dimension must be a positive whole number, not 0"),
        (lambda: Box(2, 1.0, 0.0), "lower must be less than upper"),
        (lambda: Box(2, (0, 0, 0)), "lower must be a number or 2 numbers"),
        (lambda: Box(2, 0, math.inf), "and finite"),
        (lambda: Ball(2, -1), "radius must be a positive number, not -1"),
        (lambda: Box(2).boundary("x2-", 3), "no boundary 'x2-'; the boundary names are 'x0-', 'x0\\+'"),
        (lambda: Ball(2).boundary("circle", 3), "no boundary 'circle'; the boundary names are 'sphere'"),
        (lambda: Ball(2).interior(3, "halton"), "unknown rule 'halton'"),
        (lambda: Ball(2).interior(-3), "number of points must be a positive whole number, not -3"),
        (lambda: Box(2).contains(np.zeros(2)), r"points must have shape \(n, 2\), not \(2,\)"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(GeometryError, match=message):
        call()
