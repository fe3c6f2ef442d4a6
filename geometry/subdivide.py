"""Uniform refinement of a mesh, and its geometry in another order; the cells keep their shape."""

import numpy as np

from geometry import reference
from geometry.mesh import Mesh
from geometry.topology import orient, parents

# Vertices of the 2^dim children by the sums of the parent's vertices whose middles they are; tetrahedra as in
# J. Bey, Tetrahedral grid refinement, Computing 55, 1995, doi:10.1007/BF02238487, which keeps their quality.
_CHILDREN = {
    0: ("00",),
    1: ("00 01", "01 11"),
    2: ("00 01 02", "01 11 12", "02 12 22", "12 02 01"),
    3: (
        "00 01 02 03",
        "01 11 12 13",
        "02 12 22 23",
        "03 13 23 33",
        "01 02 03 13",
        "01 02 12 13",
        "02 03 13 23",
        "02 12 13 23",
    ),
}


def subdivide(mesh: Mesh, order: int, split: bool) -> Mesh:
    """The mesh with geometry of the given order; if `split`, each cell in 2^dim cells of half its size.

    A curved cell and its children cover the same set, unless the order is lowered. Raises nothing.
    """
    dim = mesh.dim
    in_cell, in_facet = (
        _weights(d, order, split) for d in (dim, dim - 1)
    )  # (children, nodes, d + 1) integers
    total = int(in_cell[0, 0].sum())
    shape = reference.tabulate(dim, mesh.order, in_cell.reshape(-1, dim + 1)[:, 1:] / total, 0)[0]
    x = np.einsum("qa,cai->cqi", shape, mesh.points[mesh.cells]).reshape(-1, dim)

    # A node is known by the vertices it lies between and their weights, so that neighbours agree about it.
    vertices = mesh.cells[:, : dim + 1]
    keys = [_keys(vertices, in_cell, dim), _keys(mesh.facets[:, :dim], in_facet, dim)]
    _, first, number = np.unique(np.concatenate(keys), axis=0, return_index=True, return_inverse=True)
    number = number.ravel()
    points = x[first]  # the first place of every node is in a cell
    cells = number[: len(x)].reshape(-1, in_cell.shape[1])
    facets = number[len(x) :].reshape(-1, in_facet.shape[1])
    cells = orient(points, cells, dim, order)
    copies = len(in_facet)
    return Mesh(
        dim=dim,
        order=order,
        points=points,
        cells=cells,
        cell_regions=np.repeat(mesh.cell_regions, len(in_cell)),
        facets=facets,
        facet_boundaries=np.repeat(mesh.facet_boundaries, copies),
        facet_cells=parents(cells, facets, dim),
        facet_entities=np.repeat(mesh.facet_entities, copies),
        facet_gaps=np.repeat(mesh.facet_gaps, copies),
        regions=mesh.regions,
        boundaries=mesh.boundaries,
    )


def _weights(dim: int, order: int, split: bool) -> np.ndarray:
    """Barycentric coordinates (children, nodes, dim + 1) of the children's nodes, times order, or 2 order if split."""
    nodes = reference.barycentric(reference.nodes(dim, order)) if dim else np.ones((1, 1))
    if not split:
        return np.rint(nodes * order).astype(np.int64)[None]
    eye = np.eye(dim + 1)
    pairs = [[[int(v) for v in pair] for pair in child.split()] for child in _CHILDREN[dim]]
    return np.rint(nodes * order @ eye[pairs].sum(-2)).astype(np.int64)


def _keys(vertices: np.ndarray, weights: np.ndarray, dim: int) -> np.ndarray:
    """Rows (simplices * children * nodes, 2 dim + 2): sorted numbers of the vertices of weight > 0, their weights."""
    weights = weights.reshape(-1, weights.shape[-1])
    shape = (len(vertices), *weights.shape)
    weight = np.broadcast_to(weights, shape)
    vertex = np.where(weight > 0, np.broadcast_to(vertices[:, None], shape), -1)
    order = np.argsort(vertex, axis=-1)
    rows = np.full((2, *shape[:2], dim + 1), -1)
    start = dim + 1 - shape[-1]  # facets have a vertex less
    rows[0, ..., start:], rows[1, ..., start:] = (np.take_along_axis(a, order, -1) for a in (vertex, weight))
    rows[1][rows[0] < 0] = 0
    return np.concatenate(list(rows.reshape(2, -1, dim + 1)), axis=1)
