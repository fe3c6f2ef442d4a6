"""Points inside and on the boundary: counts, places, weights, normals, distributions."""

import numpy as np
import pytest

from geometry import Domain, GeometryError, annulus, ball, disk, l_shape, plate_with_holes, rectangle
from geometry.curves import read_curve
from geometry.gmsh_session import gmsh_session


def test_bounding_box_is_exact(shape):
    np.testing.assert_allclose(shape.domain.bounding_box, shape.box, rtol=0, atol=1e-12)


@pytest.mark.parametrize("rule", ["uniform", "sobol", "grid"])
def test_interior_points(shape, rule):
    x = shape.domain.interior(1500, rule)
    slack = (
        2 * shape.domain.mesh().facet_gaps.max() if rule != "grid" else -1e-6
    )  # a lattice keeps off the boundary
    assert shape.inside(x, slack).all()
    assert x.shape[1] == shape.domain.dim
    assert len(x) == 1500 if rule != "grid" else abs(len(x) / 1500 - 1) < 0.15
    assert len(np.unique(x, axis=0)) == len(x)
    np.testing.assert_array_equal(x, shape.domain.interior(1500, rule))
    if rule != "grid":
        assert not np.array_equal(x, shape.domain.interior(1500, rule, seed=1))


@pytest.mark.parametrize(("rule", "slack"), [("uniform", 4.0), ("sobol", 1.0), ("grid", 1.0)])
def test_interior_points_are_evenly_distributed(shape, rule, slack):
    """Means of x and x^2 against quadrature, in units of the standard error of independent points."""
    x = shape.domain.interior(20_000, rule)
    y, weights = shape.domain.quadrature(4)
    weights = weights / weights.sum()
    for power in (1, 2):
        mean = weights @ y**power
        error = np.sqrt((weights @ y ** (2 * power) - mean**2) / len(x))
        assert (np.abs((x**power).mean(0) - mean) < slack * error + 1e-12).all()


def test_uniform_points_are_uniform_in_curved_cells():
    """On one ring of coarse curved cells the radius of uniform points has density 2 r / (1 - a^2)."""
    from scipy.stats import kstest

    domain = annulus(0.6, 1.0)
    mesh = domain.mesh(1.0)
    from geometry.sampling import uniform

    x = uniform(mesh, 40_000, np.random.default_rng(0))
    r2 = (x**2).sum(1)
    assert kstest((r2 - 0.36) / 0.64, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("n", [7, 40, 400])
@pytest.mark.parametrize("seed", [None, 3])
def test_boundary_points(shape, n, seed):
    domain = shape.domain
    for name, measure in shape.boundaries.items():
        x, weights, normals = domain.boundary(name, n, seed)
        count = n if domain.dim > 1 else 1
        assert x.shape == normals.shape == (count, domain.dim)
        assert abs(weights.sum() / measure - 1) < 1e-13
        assert weights.min() > 0
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-14)
        # on the exact boundary, with the domain behind the normal
        assert shape.inside(x, 1e-13).all()
        assert not shape.inside(x, -1e-13).any()
        assert not shape.inside(x + 1e-6 * normals, 0.0).any()
        assert shape.inside(x - 1e-6 * normals, 0.0).all()


def test_boundary_normals_are_exact():
    x, _, normals = disk(0.7, (0.3, -0.2)).boundary("circle", 100)
    np.testing.assert_allclose(normals, (x - [0.3, -0.2]) / 0.7, atol=1e-14)
    x, _, normals = annulus(0.5, 1.0).boundary("inner", 100)
    np.testing.assert_allclose(normals, -x / 0.5, atol=1e-14)
    x, _, normals = ball(0.5, (1, 2, 3)).boundary("sphere", 300)
    np.testing.assert_allclose(normals, (x - [1, 2, 3]) / 0.5, atol=1e-11)


def test_boundary_points_are_midpoints_of_equal_arcs():
    x, weights, _ = rectangle(0, 0, 2, 1).boundary("top", 4)
    np.testing.assert_allclose(np.sort(x[:, 0]), [0.25, 0.75, 1.25, 1.75], atol=1e-14)
    np.testing.assert_allclose(weights, 0.5)
    x, _, _ = l_shape(1.0).boundary("outer", 60)  # 4 curves of lengths 1, 1, 2, 2
    assert len(x) == 60
    np.testing.assert_allclose(np.abs(x).max(1), 1, atol=1e-14)
    corners = np.array([(-1, -1), (0, -1), (1, 0), (1, 1), (-1, 1)])
    assert np.linalg.norm(x[:, None] - corners, axis=2).min() > 0.04
    assert len(l_shape(1.0).boundary("outer", 2)[0]) == 2  # fewer points than curves
    assert abs(l_shape(1.0).boundary("outer", 2)[1].sum() - 6) < 1e-14


def test_points_on_a_sphere_are_even():
    x, _, _ = ball(1.0).boundary("sphere", 4000)
    np.testing.assert_allclose(x.mean(0), 0, atol=2e-3)
    np.testing.assert_allclose((x**2).mean(0), 1 / 3, atol=2e-3)


def test_ellipse_and_spline_by_arc_length():
    """Curves whose parameter is not arc length: equal arcs against a fine polygon, and scipy's elliptic integral."""
    from scipy.special import ellipe

    def build(model):
        model.occ.addDisk(0, 0, 0, 2, 1)
        model.occ.synchronize()
        model.addPhysicalGroup(1, [1], name="rim")

    domain = Domain(2, build)
    np.testing.assert_allclose(domain.bounding_box, [[-2, -1], [2, 1]], atol=1e-12)
    x, weights, normals = domain.boundary("rim", 40)
    assert abs(weights.sum() - 8 * ellipe(0.75)) < 1e-12
    np.testing.assert_allclose(x[:, 0] ** 2 / 4 + x[:, 1] ** 2, 1, atol=1e-14)
    gradient = np.stack([x[:, 0] / 2, 2 * x[:, 1]], axis=1)
    np.testing.assert_allclose(normals, gradient / np.linalg.norm(gradient, axis=1)[:, None], atol=1e-13)
    # by symmetry, a quarter of the points in each quadrant
    assert [((np.sign(x) == s).all(1)).sum() for s in ([1, 1], [1, -1], [-1, 1], [-1, -1])] == [10] * 4

    with gmsh_session() as gmsh:
        points = [gmsh.model.occ.addPoint(*p, 0) for p in ((0, 0), (1, 1), (2, 0), (3, 0.5))]
        tag = gmsh.model.occ.addSpline(points)
        gmsh.model.occ.synchronize()
        curve = read_curve(gmsh.model, tag)
        exact = gmsh.model.occ.getMass(1, tag)
        fine, _ = curve.at((np.arange(1000) + 0.5) / 1000 * curve.length)
        closest, _ = gmsh.model.getClosestPoint(1, tag, np.column_stack([fine, np.zeros(1000)]).ravel())
    assert abs(curve.length / exact - 1) < 1e-7  # OpenCASCADE's own length is the less exact one
    np.testing.assert_allclose(closest.reshape(-1, 3)[:, :2], fine, atol=1e-9)
    steps = np.linalg.norm(np.diff(fine, axis=0), axis=1)
    np.testing.assert_allclose(steps, curve.length / 1000, rtol=1e-4)


def test_curved_faces_in_space():
    """A box with a cylindrical hole and a spherical cap taken off: points on trimmed, curved faces."""

    def build(model):
        occ = model.occ
        box = occ.addBox(0, 0, 0, 2, 2, 1)
        hole = occ.addCylinder(1, 1, -1, 0, 0, 3, 0.4)
        cap = occ.addSphere(2, 2, 1, 0.5)
        occ.cut([(3, box)], [(3, hole), (3, cap)])
        occ.synchronize()
        kind = {"Plane": [], "Cylinder": [], "Sphere": []}
        for _, tag in model.getEntities(2):
            kind[model.getType(2, tag)].append(tag)
        for name, tags in kind.items():
            model.addPhysicalGroup(2, tags, name=name.lower())

    domain = Domain(3, build)
    np.testing.assert_allclose(domain.bounding_box, [[0, 0, 0], [2, 2, 1]], atol=1e-12)
    x, weights, normals = domain.boundary("cylinder", 200)
    assert abs(weights.sum() - 2 * np.pi * 0.4) < 1e-10
    np.testing.assert_allclose(np.linalg.norm(x[:, :2] - 1, axis=1), 0.4, atol=1e-12)
    np.testing.assert_allclose(normals[:, :2], -(x[:, :2] - 1) / 0.4, atol=1e-11)
    x, weights, normals = domain.boundary("sphere", 100)
    assert abs(weights.sum() - 4 * np.pi * 0.25 / 8) < 1e-9
    np.testing.assert_allclose(normals, -(x - [2, 2, 1]) / 0.5, atol=1e-11)
    volume = 4 - np.pi * 0.16 - np.pi / 6 / 8
    assert abs(domain.mesh().volumes.sum() / volume - 1) < 1e-4


def test_gmshs_own_kernel():
    """A quarter disk made with model.geo: no OpenCASCADE, clockwise orientation."""

    def build(model):
        geo = model.geo
        o, a, b = geo.addPoint(0, 0, 0), geo.addPoint(1, 0, 0), geo.addPoint(0, 1, 0)
        lines = [geo.addLine(o, b), geo.addCircleArc(b, o, a), geo.addLine(a, o)]
        geo.addPlaneSurface([geo.addCurveLoop(lines)])
        geo.synchronize()
        model.addPhysicalGroup(1, [lines[0], lines[2]], name="axes")
        model.addPhysicalGroup(1, [lines[1]], name="arc")

    domain = Domain(2, build)
    np.testing.assert_allclose(domain.bounding_box, [[0, 0], [1, 1]], atol=1e-12)
    assert abs(domain.mesh().volumes.sum() / (np.pi / 4) - 1) < 1e-5
    x, weights, normals = domain.boundary("arc", 20)
    # gmsh's own kernel differentiates its curves by differences
    assert abs(weights.sum() - np.pi / 2) < 1e-7
    np.testing.assert_allclose(normals, x, atol=1e-7)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: d.interior(0), "the number of points must be a positive whole number, not 0"),
        (lambda d: d.interior(2.5), "positive whole number, not 2.5"),
        (lambda d: d.interior(5, "random"), "unknown rule 'random'.*'uniform', 'sobol' or 'grid'"),
        (lambda d: d.boundary("hole", 5), "no boundary 'hole'.*'top', 'holes'; did you mean 'holes'"),
        (lambda d: d.mesh().boundary_quadrature("xyz", 5), "no boundary 'xyz'.*'left'.*'holes'.$"),
        (lambda d: d.contains(np.zeros((3, 3))), r"points must have shape \(n, 2\), not \(3, 3\)"),
        (lambda d: d.mesh(order=4), "order of a mesh is 1, 2 or 3, not 4"),
        (lambda d: d.mesh(-1.0), "size of elements must be a positive number, not -1.0"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(GeometryError, match=message):
        call(plate_with_holes(2.0, 1.0, [(0.5, 0.5, 0.15)]))
