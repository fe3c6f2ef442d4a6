"""Point location on straight and curved cells, against inside tests that know no mesh."""

import gmsh
import numpy as np
import pytest

from geometry import annulus, ball, disk, plate_with_holes
from geometry.gmsh_session import gmsh_session


@pytest.mark.parametrize("order", [1, 2, 3])
def test_round_trip(shape, order):
    """Points mapped from random reference points are found where they came from, or in a neighbour on a facet."""
    mesh = shape.domain.mesh(order=order)
    rng = np.random.default_rng(0)
    cells = rng.integers(len(mesh.cells), size=3000)
    xi = rng.dirichlet(np.ones(mesh.dim + 1), 3000)[:, 1:]
    x = mesh.map(cells, xi)
    found, back, flag = mesh.locate(x)
    assert (flag == 0).all()
    np.testing.assert_allclose(mesh.map(found, back), x, atol=1e-13 * np.abs(mesh.points).max())
    assert (found == cells).mean() > 0.999
    np.testing.assert_allclose(back[found == cells], xi[found == cells], atol=1e-10)


def test_nodes_are_inside(shape):
    mesh = shape.domain.mesh()
    assert (mesh.locate(mesh.points)[2] == 0).all()


@pytest.mark.parametrize("order", [1, 2, 3])
def test_against_the_analytic_inside_test(shape, order):
    """Only points closer to the boundary than the mesh resolves may be told wrong."""
    domain = shape.domain
    mesh = domain.mesh(order=order)
    lower, upper = domain.bounding_box
    margin = 0.1 * (upper - lower)
    x = lower - margin + np.random.default_rng(1).random((20_000, mesh.dim)) * (upper - lower + 2 * margin)
    flag = mesh.locate(x)[2]
    gap = 1.2 * mesh.facet_gaps.max() + 1e-12
    assert (flag[shape.inside(x, -gap)] == 0).all()
    assert (flag[~shape.inside(x, 3 * gap)] == 2).all()
    assert mesh.contains(x[shape.inside(x, 0.0)]).all()  # the tolerance covers the whole exact domain
    np.testing.assert_array_equal(mesh.contains(x), flag < 2)


@pytest.mark.parametrize("domain", [disk(1.0), annulus(0.5, 1.0), ball(1.0)])
def test_points_on_the_exact_boundary_are_contained(domain):
    for name in domain.boundaries:
        x, _, normals = domain.boundary(name, 2000)
        cell, xi, flag = domain.mesh().locate(x)
        assert (flag < 2).all()
        np.testing.assert_allclose(domain.mesh().map(cell, xi), x, atol=1e-12)
        assert not domain.contains(x + 1e-3 * normals).any()


def test_curved_cells_differ_from_their_hulls():
    """Coarse on purpose: the straight hulls are wrong by 2 %, the curved cells by 0.03 %."""
    domain = annulus(0.5, 1.0)
    mesh = domain.mesh(0.3)
    # angles of the middles of the boundary's edges, where hull and cell differ most
    for name, radius, sign in (("outer", 1.0, -1.0), ("inner", 0.5, 1.0)):
        middle = mesh.points[mesh.facets[mesh.facet_boundaries == mesh.boundaries.index(name), 2]]
        vertices = mesh.points[mesh.facets[mesh.facet_boundaries == mesh.boundaries.index(name), :2]].mean(1)
        sagitta = np.linalg.norm(middle - vertices, axis=1)
        assert sagitta.min() > 100 * mesh.facet_gaps.max() / 10
        direction = middle / np.linalg.norm(middle, axis=1)[:, None]
        in_annulus = direction * (radius + sign * 0.3 * sagitta[:, None])
        in_the_hole_or_beyond = direction * (radius - sign * 0.3 * sagitta[:, None])
        assert (mesh.locate(in_annulus)[2] == 0).all()
        assert (mesh.locate(in_the_hole_or_beyond)[2] == 2).all()


def test_against_gmshs_inside_test():
    domain = plate_with_holes(2.0, 1.0, [(0.5, 0.5, 0.15), (1.4, 0.4, 0.2)])
    x = np.random.default_rng(3).random((2000, 2)) * [2.2, 1.2] - 0.1
    gmsh.initialize(["gmsh"], readConfigFiles=False, interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        domain.build(gmsh.model)
        (surface,) = gmsh.model.getEntities(2)
        expected = [gmsh.model.isInside(*surface, [*point, 0.0]) == 1 for point in x]
    finally:
        gmsh.finalize()
    np.testing.assert_array_equal(domain.contains(x), expected)


def test_points_that_are_nowhere():
    mesh = disk(1.0).mesh()
    cell, xi, flag = mesh.locate(np.array([[np.nan, 0.0], [np.inf, 0.0], [5.0, 5.0], [0.1, 0.1]]))
    np.testing.assert_array_equal(flag, [2, 2, 2, 0])
    np.testing.assert_array_equal(cell[:3], -1)
    assert np.isnan(xi[:3]).all()
    cell, xi, flag = mesh.locate(np.zeros((0, 2)))
    assert (cell.shape, xi.shape, flag.shape) == ((0,), (0, 2), (0,))


def test_few_points_and_many_points_agree():
    """Two ways to find candidates: all pairs, and a tree."""
    mesh = annulus(0.5, 1.0).mesh()
    x = np.random.default_rng(0).random((20_000, 2)) * 2.2 - 1.1
    many = mesh.locate(x)
    few = [mesh.locate(x[i : i + 500]) for i in range(0, 20_000, 500)]
    for whole, parts in zip(many, zip(*few, strict=True), strict=True):
        np.testing.assert_allclose(whole, np.concatenate(parts), rtol=0, atol=1e-12)


def test_strongly_graded_mesh():
    mesh = plate_with_holes(2.0, 1.0, [(0.5, 0.5, 1e-4), (1.5, 0.5, 0.3)]).mesh()
    rng = np.random.default_rng(0)
    cells = rng.integers(len(mesh.cells), size=5000)
    x = mesh.map(cells, rng.dirichlet(np.ones(3), 5000)[:, 1:])
    assert (mesh.locate(x)[2] == 0).all()
    angle = rng.random(1000) * 2 * np.pi
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)
    assert (mesh.locate([0.5, 0.5] + 0.99e-4 * ring)[2] == 2).all()
    assert (mesh.locate([0.5, 0.5] + 1.01e-4 * ring)[2] == 0).all()


@pytest.mark.slow
def test_locating_costs_little_beside_gmsh():
    """10,000 points on about 2,000 cells: a point costs less than a third of gmsh's own inside test."""
    from time import perf_counter

    domain = plate_with_holes(2.0, 1.0, [(0.5, 0.5, 0.15), (1.4, 0.4, 0.2)])
    mesh = domain.mesh(0.05)
    assert len(mesh.cells) > 1500
    x = domain.interior(10_000)
    mesh.locate(x)
    start = perf_counter()
    mesh.locate(x)
    ours = (perf_counter() - start) / len(x)
    gmsh.initialize(["gmsh"], readConfigFiles=False, interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        domain.build(gmsh.model)
        (surface,) = gmsh.model.getEntities(2)
        start = perf_counter()
        for point in x[:200]:
            gmsh.model.isInside(*surface, [*point, 0.0])
        theirs = (perf_counter() - start) / 200
    finally:
        gmsh.finalize()
    assert theirs / ours > 3, (ours, theirs)


def test_ten_thousand_points_on_a_curved_mesh_are_told_as_gmsh_tells_them():
    domain = ball(1.0)
    points = np.random.default_rng(0).uniform(-1.05, 1.05, (10_000, 3))
    with gmsh_session() as session:
        domain.build(session.model)
        inside = np.array([session.model.isInside(3, 1, point) for point in points], dtype=bool)
    np.testing.assert_array_equal(domain.contains(points), inside)
