"""Slits: both sides are one boundary, cells on either side share no node but the tip."""

from itertools import pairwise

import numpy as np
import pytest

from geometry import Domain, GeometryError, slit_square
from mlpde.formulation.sampling import lattice


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_slit_is_a_boundary_twice(order):
    mesh = slit_square(2.0).mesh(order=order)
    assert abs(mesh.volumes.sum() - 16) < 1e-13
    x, weights, normals = mesh.boundary_quadrature("slit", 2)
    assert abs(weights.sum() - 4) < 1e-13
    for side in (1, -1):
        here = np.abs(normals[:, 1] - side) < 1e-12
        assert abs(weights[here] @ x[here, 0] - 2) < 1e-13
    np.testing.assert_allclose(np.abs(x[:, 1]), 0, atol=1e-14)
    # the divergence theorem for the field x, to which the two sides of the slit contribute nothing
    outer, weights, normals = mesh.boundary_quadrature("outer", 1)
    assert abs(weights @ (outer * normals).sum(1) - 32) < 1e-12


def test_nodes_are_doubled_but_for_the_tip():
    mesh = slit_square().mesh(order=2)
    on_slit = np.flatnonzero((np.abs(mesh.points[:, 1]) < 1e-12) & (mesh.points[:, 0] > -1e-12))
    _, copies = np.unique(mesh.points[on_slit, 0].round(9), return_counts=True)
    assert copies[0] == 1 and (copies[1:] == 2).all()  # the tip, and the open end at x = 1 among the others
    centres = mesh.points[mesh.cells[:, :3]].mean(1)
    for node in on_slit[mesh.points[on_slit, 0] > 1e-12]:
        sides = np.sign(centres[(mesh.cells == node).any(1), 1])
        assert (sides == sides[0]).all()


def test_points_on_both_sides():
    domain = slit_square()
    x, weights, normals = domain.boundary("slit", 20)
    assert abs(weights.sum() - 2) < 1e-14
    np.testing.assert_allclose(np.sort(x[:, 0]), np.repeat(np.arange(0.05, 1, 0.1), 2), atol=1e-14)
    assert normals[:, 1].sum() == pytest.approx(0) and np.abs(normals[:, 1]).min() == pytest.approx(1)
    above, below = domain.mesh().locate(np.array([[0.4, 1e-9], [0.4, -1e-9]]))[0]
    nodes = domain.mesh().cells[[above, below]]
    assert not set(nodes[0]) & set(nodes[1])


def test_no_lattice_point_lies_on_the_slit():
    x = slit_square().interior(441, "grid")
    assert len(x) > 380
    assert not ((np.abs(x[:, 1]) < 1e-9) & (x[:, 0] > -1e-9)).any()


def test_no_collocation_point_lies_on_the_tip():
    """Where the second derivatives of its corner function are as large as rounding lets them be."""
    x = lattice(slit_square(), (2, 2), 100)
    assert len(x) > 350 and np.linalg.norm(x, axis=1).min() > 0.01


def _cut(points, model):
    """The square (-1, 1)^2 with a slit through the points, one straight curve for each pair."""
    square = model.occ.addRectangle(-1, -1, 0, 2, 2)
    corners = [model.occ.addPoint(*point, 0) for point in points]
    lines = [(1, model.occ.addLine(a, b)) for a, b in pairwise(corners)]
    pieces = model.occ.fragment([(2, square)], lines)[1]
    model.occ.synchronize()
    inner = [tag for piece in pieces[1:] for _, tag in piece]
    model.addPhysicalGroup(1, inner, name="slit")
    outer = [tag for _, tag in model.getEntities(1) if tag not in inner]
    model.addPhysicalGroup(1, outer, name="outer")


def test_a_slit_of_two_curves_inside():
    """Two tips, and a kink where both curves meet."""
    mesh = Domain(2, lambda model: _cut([(-0.5, 0), (0, 0), (0.3, 0.4)], model)).mesh()
    assert abs(mesh.volumes.sum() - 4) < 1e-13
    _, weights, normals = mesh.boundary_quadrature("slit", 2)
    assert abs(weights.sum() - 2) < 1e-13
    np.testing.assert_allclose(weights @ normals, 0, atol=1e-14)
    assert len(set(mesh.facet_entities[mesh.facet_boundaries == mesh.boundaries.index("slit")])) == 4


def test_an_inner_curve_without_a_name_is_no_slit():
    def build(model):
        _cut([(-0.5, 0), (0.5, 0)], model)
        model.removePhysicalGroups([(1, 1)])
        model.removePhysicalName("slit")

    mesh = Domain(2, build).mesh()
    assert mesh.boundaries == ("outer",) and (mesh.facet_entities > 0).all()


def test_a_slit_must_not_be_named_twice():
    def build(model):
        _cut([(-0.5, 0), (0.5, 0)], model)
        model.addPhysicalGroup(1, list(model.getEntitiesForPhysicalGroup(1, 1)), name="crack")

    with pytest.raises(GeometryError, match="is in both 'slit' and 'crack'"):
        Domain(2, build).mesh()


def test_the_tip_of_a_slit_is_a_corner_of_a_full_turn():
    tips = [corner for corner in slit_square(2.0).corners if corner.first == "slit"]
    assert len(tips) == 1
    assert np.allclose(tips[0].point, (0.0, 0.0))
    assert np.isclose(tips[0].angle, 2 * np.pi) and np.isclose(np.sin(tips[0].start), 0.0)
