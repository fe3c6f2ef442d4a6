"""Meshes made to a map of element sizes, as adaptive refinement asks for them."""

from dataclasses import replace

import gmsh
import numpy as np
import pytest

from geometry import Domain, GeometryError, SizeMap, ball, disk, interval, l_shape, rectangle


def towards(mesh, point, smallest, slope=0.3):
    """A map on the mesh with sizes that grow from `smallest` with the distance from the point."""
    corners = mesh.points[mesh.cells[:, : mesh.dim + 1]]
    distance = np.linalg.norm(corners - point, axis=-1).min(1)
    return SizeMap.on(mesh, np.minimum(mesh.sizes, smallest + slope * distance))


@pytest.mark.parametrize(
    ("domain", "point"),
    [
        (interval(0, 1), [0.3]),
        (l_shape(1.0), [0.0, 0.0]),
        (disk(1.0), [0.5, 0.0]),
        (replace(ball(1.0), size=0.4), [0.0, 0.0, 0.0]),
    ],
)
def test_elements_have_the_sizes_of_the_map(domain, point):
    plain = domain.mesh()
    mesh = domain.mesh(sizes=SizeMap.on(plain, np.full(len(plain.cells), 0.5 * domain.default_size)))
    assert np.median(mesh.sizes) == pytest.approx(0.5 * domain.default_size, rel=0.15)
    graded = domain.mesh(sizes=towards(mesh, np.array(point), 0.01))
    nearest = np.linalg.norm(graded.points[graded.cells[:, : mesh.dim + 1]] - point, axis=-1).min(1).argmin()
    assert graded.sizes[nearest] < 0.6 * np.median(mesh.sizes)
    assert abs(graded.volumes.sum() / mesh.volumes.sum() - 1) < 1e-3


def test_sizes_shrink_by_six_orders_towards_a_corner_with_few_elements_of_good_shape():
    domain = l_shape(1.0)
    mesh = domain.mesh()
    for smallest in (1e-2, 1e-4, 1e-6):
        mesh = domain.mesh(sizes=towards(mesh, np.zeros(2), smallest))
    assert mesh.sizes.min() < 2e-6
    assert len(mesh.cells) < 10_000
    assert mesh.scaled_jacobians().min() > 0.3


def test_a_curved_boundary_stays_curved_and_arcs_outside_of_the_map_do_not_become_fine():
    """gmsh takes the size at the nearest vertex where a view ends: half of an arc would get the smallest size."""
    domain = disk(1.0)
    mesh = domain.mesh(sizes=towards(domain.mesh(), np.array([1.0, 0.0]), 1e-4))
    assert mesh.sizes.min() < 2e-4
    assert len(mesh.facets) < 300
    assert mesh.facet_gaps.max() < 2 * domain.mesh().facet_gaps.max()
    nodes = mesh.points[np.unique(mesh.facets)]
    np.testing.assert_allclose(np.linalg.norm(nodes, axis=1), 1.0, atol=1e-9)


def test_the_domains_own_size_field_stays_in_force():
    square = rectangle()

    def build(model):
        square.build(model)
        field = model.mesh.field.add("MathEval")
        model.mesh.field.setString(field, "F", "0.01 + 0.3 * Sqrt((x - 0.5)^2 + (y - 0.5)^2)")
        model.mesh.field.setAsBackgroundMesh(field)

    domain = Domain(2, build)
    coarse = SizeMap.on(square.mesh(), np.full(len(square.mesh().cells), 0.1))
    assert domain.mesh(sizes=coarse).sizes.min() < 1.2 * domain.mesh().sizes.min() < 0.02


def test_half_the_size_halves_the_sizes_of_the_map():
    domain = l_shape(1.0)
    sizes = towards(domain.mesh(), np.zeros(2), 1e-3)
    one, half = domain.mesh(sizes=sizes), domain.mesh(domain.default_size / 2, sizes=sizes)
    assert half.sizes.min() / one.sizes.min() == pytest.approx(0.5, abs=0.1)
    assert len(half.cells) / len(one.cells) == pytest.approx(4, abs=0.5)


def test_the_map_belongs_to_the_key_of_a_kept_mesh(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    mesh = rectangle().mesh()
    maps = [SizeMap.on(mesh, factor * mesh.sizes) for factor in (1.0, 0.5, 0.4)]
    for domain in (rectangle(), rectangle()):
        counts = [len(domain.mesh(sizes=sizes).cells) for sizes in (None, *maps)]
        assert len(set(counts)) == 4 and counts[-1] > 4 * counts[0]
        assert len(list((tmp_path / "mlpde" / "meshes").iterdir())) == 4


def test_rounding_errors_give_the_same_mesh():
    domain = l_shape(1.0)
    mesh = domain.mesh()
    noise = 1 + 1e-13 * np.random.default_rng(0).standard_normal(len(mesh.cells))
    one, other = (SizeMap.on(mesh, 0.6 * mesh.sizes * factor) for factor in (1.0, noise))
    assert one.digest == other.digest


def test_gmsh_is_left_as_it_was_found():
    gmsh.initialize(readConfigFiles=False, interruptible=False)
    try:
        mesh = rectangle().mesh()
        rectangle().mesh(sizes=SizeMap.on(mesh, 0.37 * mesh.sizes))
        assert len(gmsh.view.getTags()) == 0
        assert gmsh.option.getNumber("Mesh.MeshSizeExtendFromBoundary") == 1
    finally:
        gmsh.finalize()


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan])
def test_sizes_that_are_no_sizes_are_refused(bad):
    mesh = rectangle().mesh()
    with pytest.raises(GeometryError, match="sizes of a SizeMap must be positive"):
        SizeMap(mesh.points, mesh.cells[:, :3], np.full(len(mesh.points), bad))
