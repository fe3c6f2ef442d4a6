"""Finished meshes as domains: every format gives back the domain; wrong meshes say what is wrong."""

import pickle
from itertools import pairwise

import meshio
import numpy as np
import pytest

from geometry import Domain, GeometryError, Mesh, ball, plate_with_holes, slit_square
from geometry.gmsh_session import gmsh_session

PLATE = plate_with_holes(2.0, 1.0, [(0.5, 0.5, 0.15), (1.4, 0.4, 0.2)])
BALL = Domain(3, ball(0.5, (1, 2, 3)).build, size=0.25)


def _msh(path, domain, order):
    """The domain's mesh as gmsh writes it."""
    with gmsh_session() as gmsh:
        domain.build(gmsh.model)
        gmsh.option.setNumber("Mesh.MeshSizeMax", domain.default_size)
        gmsh.model.mesh.generate(domain.dim)
        gmsh.model.mesh.setOrder(order)
        gmsh.option.setNumber("Mesh.SaveAll", len(gmsh.model.getPhysicalGroups(domain.dim)) == 0)
        gmsh.write(str(path))
    return path


def _named(x):
    """Names of the facets of PLATE by their centres."""
    sides = {"left": x[0], "right": x[0] - 2, "bottom": x[1], "top": x[1] - 1}
    return next((name for name, distance in sides.items() if abs(distance) < 1e-9), "holes")


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("domain", [PLATE, BALL], ids=["plate", "ball"])
def test_a_gmsh_mesh(tmp_path, domain, order):
    """The same volume and boundaries as the mesh itself, at each level of a convergence study."""
    read = Domain.from_file(_msh(tmp_path / "a.msh", domain, order), scale=2.0)
    assert read.dim == domain.dim and read.regions == domain.regions
    assert set(read.boundaries) == set(domain.boundaries)
    np.testing.assert_allclose(read.bounding_box, 2 * domain.bounding_box, atol=1e-2)
    sizes = [None, read.default_size / 2]
    meshes = [read.mesh(size, order=order) for size in sizes]
    assert len(meshes[1].cells) == 2**domain.dim * len(meshes[0].cells)
    assert abs(np.diff([mesh.volumes.sum() for mesh in meshes])[0]) < 1e-12
    for name in read.boundaries:
        x, weights, normals = read.boundary(name, 50)
        exact = domain.boundary(name, 50)[1].sum() * 2 ** (domain.dim - 1)
        assert abs(weights.sum() / exact - 1) < {1: 0.1, 2: 5e-3, 3: 5e-3}[order]
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-12)
        assert read.contains(x - 1e-6 * normals).all() and not read.contains(x + 1e-6 * normals).any()
    assert read.contains(read.interior(100, "sobol")).all()


def test_the_size_never_exceeds_what_was_asked_for(tmp_path):
    read = Domain.from_file(_msh(tmp_path / "a.msh", PLATE, 1), size=0.05)
    longest = [
        max(np.linalg.norm(x - np.roll(x, 1, 0), axis=1).max() for x in mesh.points[mesh.cells[:, :3]])
        for mesh in (read.mesh(), read.mesh(0.02), read.mesh(10.0))
    ]
    assert longest[0] <= 0.05 and longest[1] <= 0.02 < longest[0] < longest[2]
    with pytest.raises(GeometryError, match="is refined as a whole, not by a map of element sizes"):
        read.mesh(0.02, sizes=object())
    again = pickle.loads(pickle.dumps(read))
    assert again.mesh().volumes.sum() == read.mesh().volumes.sum() and again.boundaries == read.boundaries


def _write(path, mesh: Mesh, labels="numbers", **changes):
    """Cells and boundary facets of a mesh by meshio, in its node order."""
    kinds = {(1, 1): "line", (1, 2): "line3", (2, 1): "triangle", (2, 2): "triangle6", (3, 2): "tetra10"}
    cells = mesh.cells[:, [0, 1, 2, 3, 4, 5, 6, 7, 9, 8]] if mesh.dim == 3 else mesh.cells
    blocks = [
        (kinds[mesh.dim, mesh.order], cells),
        (kinds[mesh.dim - 1, mesh.order], mesh.facets),
    ]
    points = np.zeros((len(mesh.points), 3))
    points[:, : mesh.dim] = mesh.points
    values: dict = {}
    if labels == "numbers":
        values["cell_data"] = {"tag": [mesh.cell_regions + 1, mesh.facet_boundaries + 11]}
    if labels == "sets":
        nothing = np.zeros(0, int)
        values["cell_sets"] = {"Eall": [np.arange(len(cells)), nothing]} | {
            name: [nothing, np.flatnonzero(mesh.facet_boundaries == k)]
            for k, name in enumerate(mesh.boundaries)
        }
    if labels == "nodes":
        blocks = blocks[:1]
        values["point_sets"] = {
            name: np.unique(mesh.facets[mesh.facet_boundaries == k]) for k, name in enumerate(mesh.boundaries)
        }
    if labels == "":
        blocks = blocks[:1]
    meshio.write(path, meshio.Mesh(**({"points": points, "cells": blocks} | values | changes)))
    return path


@pytest.mark.parametrize(
    ("suffix", "order"), [("vtu", 1), ("vtu", 2), ("vtk", 2), ("xdmf", 1), ("med", 1), ("med", 2)]
)  # meshio does not read triangles of order 2 beside edges from XDMF
def test_numbers_of_boundaries(tmp_path, suffix, order):
    mesh = PLATE.mesh(order=order)
    path = tmp_path / f"plate.{suffix}"
    if suffix == "med":  # keeps its numbers under another name, negative for cells
        values = {"cell_data": {"cell_tags": [-mesh.cell_regions - 1, -mesh.facet_boundaries - 11]}}
        _write(path, mesh, **values)
        names = {name: [str(-11 - k)] for k, name in enumerate(mesh.boundaries)}
    else:
        _write(path, mesh)
        names = {name: [11 + k] for k, name in enumerate(mesh.boundaries)}
    read = Domain.from_file(path, boundaries=names)
    assert set(read.boundaries) == set(PLATE.boundaries)
    again = read.mesh(order=order)
    assert abs(again.volumes.sum() - mesh.volumes.sum()) < 1e-12
    for name in mesh.boundaries:
        one, other = (m.boundary_quadrature(name, 3)[1].sum() for m in (again, mesh))
        assert abs(one - other) < 1e-12


@pytest.mark.parametrize("labels", ["sets", "nodes"])
def test_abaqus_sets(tmp_path, labels):
    mesh = PLATE.mesh(order=2)
    read = Domain.from_file(_write(tmp_path / "plate.inp", mesh, labels))
    assert set(read.boundaries) == set(PLATE.boundaries) and len(read.regions) == 1
    for name in mesh.boundaries:
        assert abs(np.diff([m.boundary_quadrature(name, 3)[1].sum() for m in (read.mesh(), mesh)])[0]) < 1e-9


def test_quadratic_tetrahedra_keep_their_shape(tmp_path):
    mesh = BALL.mesh(order=2)
    read = Domain.from_file(_write(tmp_path / "ball.vtu", mesh), boundaries={"sphere": [11]})
    assert abs(read.mesh().volumes.sum() - mesh.volumes.sum()) < 1e-12


def test_facets_without_names_get_them_from_a_function(tmp_path):
    path = _write(tmp_path / "plate.vtu", PLATE.mesh(order=1), labels="")
    read = Domain.from_file(path, boundaries=_named)
    assert set(read.boundaries) == set(PLATE.boundaries)
    assert abs(read.boundary("left", 7)[1].sum() - 1) < 1e-12
    with pytest.raises(
        GeometryError, match=r"^\S*plate.vtu: (\d+) of \1 facets of the boundary have no name: near \("
    ):
        Domain.from_file(path)


def test_mirrored_cells_and_unused_nodes_are_mended(tmp_path):
    mesh = PLATE.mesh(order=1)
    points = np.vstack([np.full((3, 3), 9.0), np.pad(mesh.points, ((0, 0), (0, 1)))])
    cells = [("triangle", mesh.cells[:, [0, 2, 1]] + 3)]
    path = _write(tmp_path / "plate.vtu", mesh, labels="", points=points, cells=cells)
    read = Domain.from_file(path, boundaries=_named).mesh(order=1)
    assert len(read.points) == len(mesh.points) and read.scaled_jacobians().min() > 0.1
    assert abs(read.volumes.sum() - mesh.volumes.sum()) < 1e-12


def test_regions_and_interfaces(tmp_path):
    def two(model):
        pieces = [(2, model.occ.addRectangle(x, 0, 0, 1, 1)) for x in (0, 1)]
        model.occ.fragment(pieces[:1], pieces[1:])
        model.occ.synchronize()
        for tag, name in zip((1, 2), ("steel", "air"), strict=True):
            model.addPhysicalGroup(2, [tag], name=name)
        inner = [t for _, t in model.getEntities(1) if len(model.getAdjacencies(1, t)[0]) == 2]
        model.addPhysicalGroup(1, inner, name="between")
        model.addPhysicalGroup(1, [t for _, t in model.getEntities(1) if t not in inner], name="rim")

    read = Domain.from_file(_msh(tmp_path / "two.msh", Domain(2, two), 2))
    assert set(read.regions) == {"steel", "air"}
    assert read.boundaries == ("rim",) and read.interfaces == ("between",)
    assert abs(read.mesh().quadrature(1, "steel")[1].sum() - 1) < 1e-12
    points, normals = read.between("air", "steel", 10)
    assert len(points) == 10 and np.allclose(points[:, 0], 1) and np.ptp(points[:, 1]) > 0.8
    assert np.allclose(normals, [-1, 0])


def test_a_finished_mesh_has_no_corners(tmp_path):
    assert Domain.from_file(_msh(tmp_path / "a.msh", PLATE, 1), _named).corners == ()


def test_a_slit_stays_open(tmp_path):
    mesh = slit_square().mesh(order=1)
    path = _write(tmp_path / "slit.vtu", mesh)
    names = {name: [11 + k] for k, name in enumerate(mesh.boundaries)}
    read = Domain.from_file(path, boundaries=names)
    finer = read.mesh(read.default_size / 2)
    assert abs(finer.boundary_quadrature("slit", 1)[1].sum() - 2) < 1e-12
    assert not (
        (np.abs(read.interior(441, "grid")[:, 1]) < 1e-9) & (read.interior(441, "grid")[:, 0] > 0)
    ).any()
    with pytest.raises(GeometryError, match="facets without a name lie on one another, so nodes are doubled"):
        Domain.from_file(_write(path, mesh, labels=""), boundaries=lambda x: "all")


def _corner(**changes):
    """Two triangles that make the unit square."""
    square = {
        "points": np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]),
        "cells": [("triangle", np.array([[0, 1, 2], [0, 2, 3]]))],
    }
    return meshio.Mesh(**(square | changes))


EDGES = ("line", np.array([[0, 1], [1, 2], [2, 3], [3, 0]]))
TRIANGLES = ("triangle", np.array([[0, 1, 2], [0, 2, 3]]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"cells": [("quad", np.array([[0, 1, 2, 3]]))]},
            "1 elements are no simplices; mesh it with triangles",
        ),
        (
            {"points": np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 1], [0, 1, 0]])},
            "are surfaces, which must lie in the plane z = 0, but do not",
        ),
        (
            {"points": np.array([[0.0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0]])},
            r"1 of 2 elements are inverted or degenerate \(scaled Jacobian 0 near \(0.6667, 0.0\)\); repair them",
        ),
        (
            {
                "cells": [TRIANGLES, ("line", np.array([[0, 1], [1, 3]]))],
                "cell_data": {"k": [[1, 1], [2, 3]]},
            },
            "boundary '3' has elements that are facets of no cell",
        ),
        (
            {
                "cells": [TRIANGLES, ("line", np.array([[0, 1], [0, 2]]))],
                "cell_data": {"k": [[1, 1], [2, 2]]},
            },
            "'2' has facets between two cells beside facets of the outer boundary",
        ),
        (
            {"cells": [TRIANGLES, EDGES], "cell_data": {"k": [[1, 1], [2] * 4], "j": [[1, 1], [2] * 4]}},
            "it is not clear which of the arrays 'k', 'j' holds the numbers",
        ),
        (
            {"cells": [("triangle", np.array([[0, 1, 2], [0, 2, 3], [2, 3, 0]]))]},
            "1 facets belong to more than two cells; look for cells given twice",
        ),
        (
            {"points": np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0.9, 0.2, 0]])},
            r"1 facets have both their cells on one side, so elements are inverted and overlap near \(0.5, 0.5\)",
        ),
        ({"cells": [("vertex", np.array([[0]]))]}, "the file holds no mesh"),
        (
            {"points": np.array([[0.0, 0, 0], [1, 0, 0], [np.nan, 1, 0], [0, 1, 0]])},
            "wrong.vtu: 1 of 4 nodes have coordinates that are no finite numbers",
        ),
    ],
)
def test_wrong_meshes(tmp_path, changes, message):
    path = tmp_path / "wrong.vtu"
    meshio.write(path, _corner(**changes))
    with pytest.raises(GeometryError, match=message):
        Domain.from_file(path, boundaries=lambda x: "rim")


def test_an_inverted_curved_element_is_refused(tmp_path):
    """Its vertices are right, but the middle of one edge lies far inside."""
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0.5, 0.6, 0], [0.5, 0.5, 0], [0, 0.5, 0]])
    mesh = meshio.Mesh(points, [("triangle6", np.arange(6)[None])])
    meshio.write(tmp_path / "bent.vtu", mesh)
    with pytest.raises(
        GeometryError, match=r"bent.vtu: 1 of 1 elements are inverted or degenerate \(scaled Jacobian -"
    ):
        Domain.from_file(tmp_path / "bent.vtu", boundaries=lambda x: "rim")


def test_wrong_files(tmp_path):
    with pytest.raises(GeometryError, match="there is no such file"):
        Domain.from_file(tmp_path / "none.vtu")
    with pytest.raises(GeometryError, match="it is a folder, not a file"):
        Domain.from_file(tmp_path)
    for name, message in {
        "bad.vtu": "meshio cannot read the file",
        "bad.xyz": "meshio cannot read the file .*Could not deduce file format",
        "bad.msh": "gmsh cannot read the file|the file holds no mesh",
    }.items():
        (tmp_path / name).write_text("nothing")
        with pytest.raises(GeometryError, match=message):
            Domain.from_file(tmp_path / name)
    meshio.write(tmp_path / "a.vtu", _corner())
    with pytest.raises(GeometryError, match="the names 'Rim' and 'rim' differ only in case"):
        Domain.from_file(tmp_path / "a.vtu", boundaries=lambda x: "Rim" if x[0] < 0.1 else "rim")
    for function, message in {
        lambda x: 1 / 0: r"a.vtu: boundaries=<lambda> fails at \(.*\): ZeroDivisionError: division by zero",
        lambda x: 3: "a.vtu: boundaries=<lambda> must return a name, not 3",
        lambda x: None: "4 of 4 facets of the boundary have no name",
    }.items():
        with pytest.raises(GeometryError, match=message):
            Domain.from_file(tmp_path / "a.vtu", boundaries=function)
    with pytest.raises(
        GeometryError, match="there is no facet group '99': no facet of the boundary has a name"
    ):
        Domain.from_file(tmp_path / "a.vtu", boundaries={"a": [99]})
    with pytest.raises(GeometryError, match="there is no facet group '7'; the facet group names are '1"):
        Domain.from_file(_write(tmp_path / "b.vtu", PLATE.mesh(order=1)), boundaries={"left": [7]})
    with pytest.raises(GeometryError, match="scale must be positive, not 0"):
        Domain.from_file(tmp_path / "a.vtu", scale=0)


def test_convergence_on_a_mesh_that_was_read(tmp_path):
    """Quadrature of x^2 over an order-2 mesh converges under splitting; the boundary is kept as it is."""
    read = Domain.from_file(_msh(tmp_path / "a.msh", PLATE, 2))
    h = read.default_size
    values = [w @ np.exp(x[:, 0]) for x, w in (read.mesh(h / k).quadrature(1) for k in (1, 2, 4))]
    errors = np.abs(np.diff(values))
    assert errors[0] / errors[1] > 3 and all(a != b for a, b in pairwise(values))
