"""Size fields that a build function may ask for: gaps between curves of any shape, and boundary layers."""

import numpy as np
import pytest

from geometry import Domain, GeometryError, boundary_layer, plate_with_holes, rectangle, resolve_gaps


def _ellipses(gap, across, model):
    """Two ellipses of different size, one of them upright, with their tips `gap` apart in (0.6 + 0.3, 0.5)."""
    plate = model.occ.addRectangle(0, 0, 0, 2, 1)
    left, right = model.occ.addDisk(0.6, 0.5, 0, 0.3, 0.2), model.occ.addDisk(1.05 + gap, 0.5, 0, 0.25, 0.15)
    model.occ.rotate([(2, right)], 1.05 + gap, 0.5, 0, 0, 0, 1, np.pi / 2)
    model.occ.cut([(2, plate)], [(2, left), (2, right)])
    model.occ.synchronize()
    model.addPhysicalGroup(1, [tag for _, tag in model.getEntities(1)], name="rim")
    if across:
        resolve_gaps(model, across)


def _in_the_gap(mesh, gap):
    """Nodes inside the gap, off the ellipses, and the quality of the worst element."""
    x = mesh.points - [0.9 + gap / 2, 0.5]
    return (np.abs(x) < [gap / 2 * 0.9, gap]).all(1).sum(), mesh.scaled_jacobians().min()


@pytest.mark.parametrize("gap", [0.02, 0.004, 0.0005])
def test_a_gap_between_ellipses_is_resolved(gap):
    mesh = Domain(2, lambda model: _ellipses(gap, 1, model)).mesh()
    inside, worst = _in_the_gap(mesh, gap)
    assert inside >= 1 and worst > 0.3 and len(mesh.cells) < 1500


def test_without_the_field_a_gap_is_not_resolved_and_with_more_across_better():
    gap = 0.004
    count = [
        _in_the_gap(Domain(2, lambda model, n=n: _ellipses(gap, n, model)).mesh(), gap)[0] for n in (0, 1, 3)
    ]
    assert count[0] == 0 < count[1] < count[2] / 3


def test_a_plate_without_gaps_keeps_its_mesh():
    def build(model):
        rectangle().build(model)
        resolve_gaps(model)
        assert not len(model.mesh.field.list())

    assert len(Domain(2, build).mesh().cells) == len(rectangle().mesh().cells)


def _layered(names, model, holes=((0.7, 0.5, 0.2),)):
    plate_with_holes(2.0, 1.0, holes).build(model)
    boundary_layer(model, names, first=0.002, thickness=0.02, ratio=1.5)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_layers_along_a_hole_and_two_sides(order):
    domain = Domain(2, lambda model: _layered(("holes", "bottom"), model))
    mesh = domain.mesh(order=order)
    assert mesh.scaled_jacobians().min() > 1e-3
    vertices = mesh.points[np.unique(mesh.cells[:, :3])]
    heights = np.unique(vertices[np.abs(vertices[:, 0] - 1.5) < 0.4, 1].round(9))
    np.testing.assert_allclose(heights[:4], [0, 0.002, 0.005, 0.0095], atol=1e-8)
    around = np.linalg.norm(vertices - [0.7, 0.5], axis=1) - 0.2
    assert (around < 1e-9).sum() > 10
    assert (np.abs(around - 0.002) < 5e-4).sum() >= (around < 1e-9).sum()


def test_layers_are_refined_with_the_mesh():
    domain = Domain(2, lambda model: _layered("bottom", model, ()))
    heights = []
    for size in (domain.default_size, domain.default_size / 2):
        vertices = domain.mesh(size, order=1).points
        levels = np.unique(vertices[:, 1].round(9))
        heights.append(levels[levels < 0.0199])
    assert heights[1][1] == pytest.approx(0.001) and len(heights[1]) > 1.6 * len(heights[0])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda m: boundary_layer(m, "botom", 0.1, 0.2),
            "there is no boundary 'botom'.*did you mean 'bottom'",
        ),
        (lambda m: boundary_layer(m, "top", 0.3, 0.2), "first must be less than thickness, not 0.3 and 0.2"),
        (lambda m: boundary_layer(m, "top", 0, 0.2), "boundary_layer: first must be positive, not 0"),
        (lambda m: boundary_layer(m, "top", 0.1, 0.2, 0.9), "ratio must lie between 1 and 3, not 0.9"),
        (lambda m: resolve_gaps(m, 0), "resolve_gaps: across must be positive, not 0"),
        (
            lambda m: (m.occ.addBox(0, 0, 0, 1, 1, 1), m.occ.synchronize(), resolve_gaps(m)),
            "gaps are searched for in plane domains only",
        ),
        (
            lambda m: (
                m.occ.addBox(0, 0, 0, 1, 1, 1),
                m.occ.synchronize(),
                boundary_layer(m, "top", 0.1, 0.2),
            ),
            "layers are made in plane domains only",
        ),
    ],
)
def test_wrong_fields(build, message):
    def whole(model):
        rectangle().build(model)
        build(model)

    with pytest.raises(GeometryError, match=message):
        Domain(2, whole).mesh()
