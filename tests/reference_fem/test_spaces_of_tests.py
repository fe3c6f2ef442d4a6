"""Test functions at quadrature points: what a finite element code would assemble, by products of sparse matrices."""

import numpy as np
import pytest
from scipy.sparse.linalg import spsolve

import reference_fem
from geometry import annulus, cuboid, interval, rectangle

DOMAINS = {1: interval(0.0, 2.0), 2: rectangle(0.0, 0.0, 2.0, 1.0), 3: cuboid(0, 0, 0, 2, 1, 1)}


def polynomial(x, degree):
    """(x_0 + 2 x_1 + ...)^degree and its gradient."""
    direction = 1.0 + np.arange(x.shape[1])
    s = x @ direction
    return s**degree, degree * s[:, None] ** (degree - 1) * direction


@pytest.mark.parametrize("dim", DOMAINS)
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_polynomials_of_the_degree_are_reproduced_with_their_gradients(dim, degree):
    space = reference_fem.test_space(DOMAINS[dim], degree, 40, 2 * degree + 2)
    part = space.regions["domain"]
    value, gradient = polynomial(part.points, degree)
    c = spsolve(space.mass.tocsc(), part.values.T @ (part.weights * value))
    np.testing.assert_allclose(part.values @ c, value, rtol=0, atol=1e-11 * np.abs(value).max())
    for j in range(dim):
        np.testing.assert_allclose(
            part.gradients[j] @ c, gradient[:, j], rtol=0, atol=1e-10 * np.abs(gradient).max()
        )
    for wall in space.boundaries.values():
        on_wall = polynomial(wall.points, degree)[0]
        np.testing.assert_allclose(wall.values @ c, on_wall, rtol=0, atol=1e-10 * np.abs(value).max())


def test_the_stiffness_gives_the_energy_of_a_polynomial():
    space = reference_fem.test_space(DOMAINS[2], 2, 60, 6)
    part = space.regions["domain"]
    c = spsolve(space.mass.tocsc(), part.values.T @ (part.weights * part.points[:, 0] ** 2))
    assert c @ space.stiffness @ c == pytest.approx(4 * 8 / 3, rel=1e-11)  # int (2 x)^2 on (0, 2) x (0, 1)


def test_only_the_functions_named_for_a_boundary_live_on_it():
    space = reference_fem.test_space(annulus(0.5, 1.5), 3, 200, 8)
    for name, wall in space.boundaries.items():
        alive = np.flatnonzero(np.abs(wall.values).max(0).toarray().ravel() > 1e-12)
        assert set(alive) <= set(space.on_boundary[name])
        assert 0 < len(space.on_boundary[name]) < space.mass.shape[0] / 3


def test_the_number_of_functions_is_about_the_one_asked_for():
    for count in (300, 1200):
        found = reference_fem.test_space(DOMAINS[2], 2, count, 6).mass.shape[0]
        assert 0.7 * count < found < 1.6 * count
