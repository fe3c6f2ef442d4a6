"""Elements and their labels from mesh files: .msh by gmsh, all other formats by meshio."""

import contextlib
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geometry.checks import check_file
from geometry.errors import GeometryError

# meshio's name -> dimension, order; tetrahedra of order 2 have their last two nodes exchanged in gmsh's order
_SIMPLICES = {
    "vertex": (0, 1),
    "line": (1, 1),
    "line3": (1, 2),
    "triangle": (2, 1),
    "triangle6": (2, 2),
    "tetra": (3, 1),
    "tetra10": (3, 2),
}
_OTHERS = {"quad": 2, "polygon": 2, "hexahedron": 3, "wedge": 3, "pyramid": 3, "polyhedron": 3}


@dataclass(frozen=True)
class Block:
    """Elements of one kind with the label of each; a label is "" where the file gives none."""

    dim: int
    order: int  # 0: no simplices
    nodes: np.ndarray  # (n, nodes), rows of the points, in gmsh's order
    labels: np.ndarray  # (n,) strings; a number where the file has no name for it


@dataclass(frozen=True)
class Elements:
    """What a mesh file holds."""

    points: np.ndarray  # (N, 3)
    blocks: list[Block]
    node_sets: dict[str, np.ndarray]  # rows of the points


def read_elements(path: Path) -> Elements:
    """The elements of a mesh file. Raises GeometryError if it cannot be read, or labels an element twice."""
    check_file(path)
    return _read_gmsh(path) if path.suffix.lower() == ".msh" else _read_meshio(path)


def _read_gmsh(path: Path) -> Elements:
    from geometry.gmsh_session import gmsh_session

    with gmsh_session() as gmsh:
        model = gmsh.model
        try:
            gmsh.merge(str(path))
        except Exception as error:  # gmsh raises plain Exception
            raise GeometryError(f"{path}: gmsh cannot read the file ({error}).") from error
        tags, coordinates, _ = model.mesh.getNodes()
        row = np.zeros(int(tags.max(initial=0)) + 1, dtype=np.int64)
        row[tags] = np.arange(len(tags))
        blocks = []
        for dim, tag in model.getEntities():
            groups = model.getPhysicalGroupsForEntity(dim, tag)
            names = sorted({model.getPhysicalName(dim, abs(g)) or str(abs(g)) for g in groups})
            if len(names) > 1:
                raise GeometryError(
                    f"{path}: elements are in both {' and '.join(map(repr, names))}; groups must not overlap."
                )
            for kind, nodes in zip(*model.mesh.getElements(dim, tag)[::2], strict=True):
                _, element_dim, order, count, _, _ = model.mesh.getElementProperties(kind)
                simplex = element_dim == 0 or count == math.comb(order + element_dim, element_dim)
                labels = np.full(len(nodes) // count, names[0] if names else "", dtype=object)
                blocks.append(
                    Block(element_dim, order if simplex else 0, row[nodes].reshape(-1, count), labels)
                )
        return Elements(coordinates.reshape(-1, 3), blocks, {})


def _read_meshio(path: Path) -> Elements:
    import meshio

    said = io.StringIO()
    try:  # meshio prints what is wrong with a file, and ends the program
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            mesh = meshio.read(path)
    except (Exception, SystemExit) as error:
        reason = " ".join(said.getvalue().split()) or f"{type(error).__name__}: {error}"
        raise GeometryError(f"{path}: meshio cannot read the file ({reason}).") from error
    labels = _labels(path, mesh)
    blocks = []
    for cells, names in zip(mesh.cells, labels, strict=True):
        dim, order = _SIMPLICES.get(cells.type, (0, 0))
        if not order:
            dim = next((d for kind, d in _OTHERS.items() if cells.type.startswith(kind)), 0)
        nodes = np.asarray(cells.data, dtype=np.int64) if order else np.zeros((len(cells.data), 1), np.int64)
        if cells.type == "tetra10":
            nodes = nodes[:, [0, 1, 2, 3, 4, 5, 6, 7, 9, 8]]
        blocks.append(Block(dim, order, nodes, names))
    points = np.zeros((len(mesh.points), 3))
    points[:, : mesh.points.shape[1]] = mesh.points
    return Elements(points, blocks, {name: np.asarray(rows) for name, rows in mesh.point_sets.items()})


def _labels(path: Path, mesh: Any) -> list[np.ndarray]:
    """Labels of the elements of each block: from sets of elements, or else from the only array of whole numbers."""
    labels = [np.full(len(cells.data), "", dtype=object) for cells in mesh.cells]
    sets = {name: rows for name, rows in mesh.cell_sets.items() if ":" not in name}
    for k, names in enumerate(labels):
        chosen = {name: np.asarray(rows[k], np.int64) for name, rows in sets.items() if rows[k] is not None}
        chosen = {name: rows for name, rows in chosen.items() if len(rows)}
        if len(chosen) > 1:  # a set of everything says nothing
            chosen = {name: rows for name, rows in chosen.items() if len(rows) < len(names)} or chosen
        for name, rows in chosen.items():
            taken = names[rows][names[rows] != ""]
            if len(taken):
                raise GeometryError(
                    f"{path}: elements are in both {taken[0]!r} and {name!r}; sets must not overlap."
                )
            names[rows] = name
    if sets:
        return labels
    arrays = {
        name: values
        for name, values in mesh.cell_data.items()
        if name != "gmsh:geometrical" and all(np.issubdtype(np.asarray(v).dtype, np.integer) for v in values)
    }
    if "gmsh:physical" in arrays:
        arrays = {"gmsh:physical": arrays["gmsh:physical"]}
    if len(arrays) > 1:
        raise GeometryError(
            f"{path}: it is not clear which of the arrays {', '.join(map(repr, arrays))} holds the numbers of regions "
            "and boundaries; leave only one of them in the file."
        )
    families = getattr(mesh, "cell_tags", {})  # of MED: tag -> names
    for values in arrays.values():
        for k, (cells, tags) in enumerate(zip(mesh.cells, values, strict=True)):
            dim = _SIMPLICES.get(cells.type, (0, 0))[0]
            named = {int(tag): name for name, (tag, of) in mesh.field_data.items() if of == dim}
            labels[k][:] = [
                "_".join(families.get(tag, ())) if families else named.get(tag, str(tag))
                for tag in map(int, tags)
            ]
    return labels
