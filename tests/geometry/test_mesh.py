"""Mesh: exact measures by order, the divergence theorem, normals, quality, storage."""

from functools import partial

import gmsh
import numpy as np
import pytest

from geometry import (
    Domain,
    GeometryError,
    Mesh,
    ball,
    cuboid,
    disk,
    inner_nodes,
    interval,
    plate_with_holes,
    rectangle,
    reference,
)


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_reference_nodes_are_gmshs(dim, order):
    types = {1: (1, 8, 26), 2: (2, 9, 21), 3: (4, 11, 29)}
    gmsh.initialize(["gmsh"], readConfigFiles=False, interruptible=False)
    try:
        _, _, _, count, local, _ = gmsh.model.mesh.getElementProperties(types[dim][order - 1])
    finally:
        gmsh.finalize()
    local = local.reshape(count, -1)
    expected = (local + 1) / 2 if dim == 1 else local
    np.testing.assert_allclose(reference.nodes(dim, order), expected, atol=1e-15)
    xi = np.random.default_rng(0).dirichlet(np.ones(dim + 1), 20)[:, 1:]
    shape = reference.tabulate(dim, order, xi, 0)[0]
    np.testing.assert_allclose(
        shape @ expected, xi, atol=1e-14
    )  # reproduces linear functions: the order is right
    np.testing.assert_allclose(reference.tabulate(dim, order, expected, 0)[0], np.eye(count), atol=1e-13)


@pytest.mark.parametrize("dim", [2, 3])
def test_inner_nodes_of_order_3_follow_their_edges(dim):
    """A quadratic map is restored exactly from the nodes on the edges; nodes that are not free stay."""
    xi = reference.nodes(dim, 3)
    expected = xi + 0.1 * np.stack([xi[:, 0] * xi[:, 1], xi[:, 1] ** 2, xi[:, 0] * xi[:, -1]][:dim], axis=1)
    inner = np.arange(len(xi)) >= len(xi) - (1 if dim == 2 else 4)
    points, cells = np.where(inner[:, None], 7.0, expected), np.arange(len(xi))[None]
    inner_nodes.centre(points, cells, dim, np.zeros(len(xi), dtype=bool))
    assert (points[inner] == 7).all()
    inner_nodes.centre(points, cells, dim, inner)
    np.testing.assert_allclose(points, expected, atol=1e-15)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_measures(shape, order):
    mesh = shape.domain.mesh(order=order)
    _, weights = mesh.quadrature(2)
    assert weights.min() > 0
    assert abs(weights.sum() - mesh.volumes.sum()) <= 1e-14 * mesh.volumes.sum() * 10
    error = {1: 5e-2, 2: 5e-4, 3: 5e-4}[order] if mesh.facet_gaps.any() else 1e-14
    assert abs(weights.sum() / shape.volume - 1) < error
    for name, measure in shape.boundaries.items():
        assert abs(mesh.boundary_quadrature(name, 2)[1].sum() / measure - 1) < error


def _cylinder(s, model):
    model.occ.addCylinder(0, 0, 0, 0, 0, 3 * s, s)
    model.occ.synchronize()
    model.addPhysicalGroup(2, [1, 2, 3], name="all")


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize(
    "scaled",
    [
        lambda s: interval(0.0, s),
        lambda s: rectangle(0.0, 0.0, s, s),
        lambda s: plate_with_holes(2 * s, s, [(0.5 * s, 0.5 * s, 0.15 * s)]),
        lambda s: Domain(3, cuboid(0.0, 0.0, 0.0, s, s, s).build, size=s / 3),
        lambda s: Domain(3, partial(_cylinder, s), size=s / 2),
    ],
    ids=["interval", "rectangle", "plate", "cuboid", "cylinder"],
)
def test_large_lengths_make_no_difference(scaled, order):
    """Lines of 10^6 and more, whose parameter gmsh takes for a missing one; curved elements follow the geometry."""
    large, one = (scaled(s).mesh(order=order) for s in (2e6, 1.0))
    ratio = large.volumes.sum() / 2e6**large.dim / one.volumes.sum()
    assert abs(ratio - 1) < (1e-4 if one.facet_gaps.any() else 1e-12)
    assert large.facet_gaps.max() <= 0.03 * scaled(2e6).mesh(order=1).facet_gaps.max()


@pytest.mark.parametrize("order", [1, 2, 3])
def test_divergence_theorem(shape, order):
    mesh = shape.domain.mesh(order=order)
    d = mesh.dim
    x, weights = mesh.quadrature(2 * order)  # a quadratic divergence of degree 2 order on curved cells
    volume = weights @ ((d + 2) * (x**2).sum(1) + 1)
    flux = 0.0
    for name in mesh.boundaries:
        y, weights, normals = mesh.boundary_quadrature(name, 3 * order)
        field = y * (y**2).sum(1)[:, None] + np.eye(d)[0] * y[:, :1]
        flux += weights @ (field * normals).sum(1)
    assert abs(volume - flux) < 1e-13 * max(abs(volume), 1)


def test_normals_point_outward(shape):
    mesh = shape.domain.mesh()
    for name in mesh.boundaries:
        x, _, normals = mesh.boundary_quadrature(name, 1)
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-14)
        step = 1e-2 * shape.domain.default_size
        assert not shape.inside(x + step * normals, 0.0).any()
        assert shape.inside(x - step * normals, 0.0).all()


def _orders(errors, ratio=2.0):
    return np.log(np.array(errors[:-1]) / np.array(errors[1:])) / np.log(ratio)


@pytest.mark.parametrize(("order", "expected"), [(1, 2), (2, 4), (3, 4)])
@pytest.mark.parametrize(
    ("domain", "exact"),
    [
        (disk(1.0), np.pi),
        (plate_with_holes(2.0, 1.0, [(0.5, 0.5, 0.15)]), 2 - 0.0225 * np.pi),
    ],
)
def test_area_converges(domain, exact, order, expected):
    sizes = domain.default_size / np.array([1, 2, 4])
    errors = [abs(domain.mesh(size, order).volumes.sum() - exact) for size in sizes]
    assert _orders(errors).min() > expected - 0.5


@pytest.mark.parametrize(("order", "expected"), [(1, 1), (2, 2), (3, 3)])
def test_normals_converge_on_a_circle(order, expected):
    errors = []
    for size in (0.2, 0.1, 0.05):
        x, _, normals = disk(1.0).mesh(size, order).boundary_quadrature("circle", 3)
        errors.append(np.abs(normals - x / np.linalg.norm(x, axis=1)[:, None]).max())
    assert _orders(errors).min() > expected - 0.3


def test_volume_of_a_ball_converges():
    errors = [abs(ball(1.0).mesh(size).volumes.sum() - 4 / 3 * np.pi) for size in (0.17, 0.085)]
    assert _orders(errors).min() > 3.5


def test_sizes_scale_together():
    """Half the size has four times the cells, around small holes too."""
    domain = plate_with_holes(2.0, 1.0, [(0.5, 0.5, 0.02)])
    coarse, fine = domain.mesh(), domain.mesh(domain.default_size / 2)
    hole = [int((m.facet_boundaries == m.boundaries.index("holes")).sum()) for m in (coarse, fine)]
    assert hole == [16, 32]
    assert 3.2 < len(fine.cells) / len(coarse.cells) < 4.8
    assert (domain.mesh(4 * domain.default_size).facet_boundaries == 4).sum() == 16  # never fewer


def test_quadrature_by_region():
    def build(model):
        left, right = (model.occ.addRectangle(x, 0, 0, 1, 1) for x in (0, 1))
        model.occ.fragment([(2, left)], [(2, right)])
        model.occ.synchronize()
        model.addPhysicalGroup(2, [left], name="steel")
        model.addPhysicalGroup(2, [right], name="air")
        curves = [tag for _, tag in model.getBoundary([(2, left), (2, right)], oriented=False)]
        inner = set(model.getAdjacencies(2, left)[1]) & set(model.getAdjacencies(2, right)[1])
        model.addPhysicalGroup(1, curves, name="outer")
        model.addPhysicalGroup(1, list(inner), name="contact")

    domain = Domain(2, build)
    assert (domain.regions, domain.boundaries, domain.interfaces) == (
        ("steel", "air"),
        ("outer",),
        ("contact",),
    )
    mesh = domain.mesh()
    x, weights = mesh.quadrature(3, "air")
    assert abs(weights.sum() - 1) < 1e-13
    assert abs(weights @ x[:, 0] - 1.5) < 1e-13
    assert abs(mesh.boundary_quadrature("outer", 1)[1].sum() - 6) < 1e-13
    with pytest.raises(GeometryError, match=r"no region 'aire'.*'steel', 'air'; did you mean 'air'\?"):
        mesh.quadrature(3, "aire")
    with pytest.raises(GeometryError, match="'contact' is an interface"):
        domain.boundary("contact", 3)


def test_quality_tells_inverted_and_flat_cells():
    def one(points, order=1):
        n = len(points)
        return Mesh(
            2, order, np.array(points, float), np.arange(n)[None], np.zeros(1, np.int32), np.zeros((0, order + 1), int),
            np.zeros(0, np.int32), np.zeros(0, int), np.zeros(0, np.int32), np.zeros(0), ("domain",), (),
        ).scaled_jacobians()[0]  # fmt: skip

    assert abs(one([(0, 0), (1, 0), (0.5, 0.75**0.5)]) - 1) < 1e-14
    assert one([(0, 0), (1, 0), (2, 0)]) == 0
    assert one([(0, 0), (0, 1), (1, 0)]) < 0
    assert one([(0, 0), (1, 0), (0, 1), (0.5, 0.0), (0.5, 0.5), (0, 0.5)], 2) > 0.5
    assert (
        one([(0, 0), (1, 0), (0, 1), (0.5, 0.45), (0.5, 0.5), (0, 0.5)], 2) < 0
    )  # an edge bent through the cell


def test_arrays_restore_the_mesh(shape, tmp_path):
    from safetensors.numpy import load_file, save_file

    mesh = shape.domain.mesh()
    save_file(mesh.arrays(), tmp_path / "mesh.safetensors")
    np.savez(tmp_path / "mesh.npz", **mesh.arrays())
    for arrays in (
        load_file(tmp_path / "mesh.safetensors"),
        np.load(tmp_path / "mesh.npz", allow_pickle=False),
    ):
        again = Mesh.from_arrays(arrays)
        assert (again.dim, again.order, again.regions, again.boundaries) == (
            mesh.dim, mesh.order, mesh.regions, mesh.boundaries,
        )  # fmt: skip
        for name, array in mesh.arrays().items():
            np.testing.assert_array_equal(again.arrays()[name], array)
            assert again.arrays()[name].dtype == array.dtype
        x = shape.domain.interior(50)
        np.testing.assert_array_equal(again.locate(x)[0], mesh.locate(x)[0])


def test_dtypes_and_indices(shape):
    mesh = shape.domain.mesh()
    assert (mesh.cells.dtype, mesh.facets.dtype, mesh.facet_cells.dtype) == (np.int64,) * 3
    assert (mesh.cell_regions.dtype, mesh.facet_boundaries.dtype) == (np.int32,) * 2
    assert mesh.points.shape[1] == mesh.dim
    for facet, cell in zip(mesh.facets, mesh.facet_cells, strict=True):
        assert set(facet) <= set(mesh.cells[cell])
    assert len(repr(mesh)) < 80
