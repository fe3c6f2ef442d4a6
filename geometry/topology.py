"""Orientation of simplices, which cell a facet belongs to, and whether the elements of a mesh can be used."""

import numpy as np

from geometry import reference
from geometry.errors import GeometryError
from geometry.mesh import Mesh
from geometry.places import rounded

DEGENERATE = 1e-5  # scaled Jacobian; gmsh's worst slivers are near 1e-2, boundary layers near 1e-3


def orient(points: np.ndarray, cells: np.ndarray, dim: int, order: int) -> np.ndarray:
    """Cells with positive orientation: those that are mirrored (a CAD face looking down) get their nodes reordered."""
    corners = points[cells[:, : dim + 1]]
    negative = reference.determinant(corners[:, 1:] - corners[:, :1]) < 0
    nodes = reference.nodes(dim, order)
    # Swap vertices 0 and 1; the other nodes follow their barycentric coordinates.
    swapped = reference.barycentric(nodes)[:, [1, 0, *range(2, dim + 1)]][:, 1:]
    permutation = np.abs(nodes[None] - swapped[:, None]).max(-1).argmin(1)
    cells = cells.astype(np.int64)
    cells[negative] = cells[negative][:, permutation]
    return cells


def parents(cells: np.ndarray, facets: np.ndarray, dim: int) -> np.ndarray:
    """The cell of each facet, by their vertices; the facets must be just those that have one cell."""
    of_cells = np.sort(cells[:, reference.facet_vertices(dim)], axis=-1).reshape(-1, dim)
    of_facets = np.sort(facets[:, :dim], axis=1)
    _, number, count = np.unique(
        np.concatenate([of_cells, of_facets]), axis=0, return_inverse=True, return_counts=True
    )
    number = number.ravel()
    cell_of = np.full(len(count), -1, dtype=np.int64)
    cell_of[number[: len(of_cells)]] = np.arange(len(of_cells)) // (dim + 1)
    parents = cell_of[number[len(of_cells) :]]
    # An outer facet occurs twice: in its cell, and by itself. So does an inner one, in its two cells.
    stray = (parents < 0) | (count[number[len(of_cells) :]] != 2)
    if stray.any() or (count == 1).any():
        raise GeometryError(
            "the mesh does not fill the domain up to its boundary; look for curves or surfaces of the boundary that "
            "cross, or for a hole that lies outside."
        )
    return parents


def check_quality(mesh: Mesh, remedy: str) -> None:
    """A GeometryError with the number of inverted or degenerate elements, the worst one, and the remedy."""
    quality = mesh.scaled_jacobians()
    bad = quality < DEGENERATE
    if bad.any():
        worst = int(quality.argmin())
        centre = rounded(mesh.points[mesh.cells[worst]].mean(0), mesh.points)
        raise GeometryError(
            f"{int(bad.sum())} of {len(quality)} elements are inverted or degenerate "
            f"(scaled Jacobian {quality[worst]:.2g} near {centre}){remedy}"
        )
