"""Where two regions of a domain meet: the CAD entities there, the facets of a mesh, and points on these."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType

import numpy as np

from geometry import reference
from geometry.mesh import Mesh
from geometry.sampling import facet_samples


def entities_between(
    model: ModuleType, dim: int, regions: Mapping[str, Sequence[int]]
) -> dict[tuple[str, str], list[int]]:
    """The entities of dimension dim - 1 that separate two regions, by the names of these in the order of `regions`."""
    owner = {tag: name for name, tags in regions.items() for tag in tags}
    names, found = list(regions), dict[tuple[str, str], list[int]]()
    for _, tag in model.getEntities(dim - 1):
        beside = {owner[int(s)] for s in model.getAdjacencies(dim - 1, tag)[0] if int(s) in owner}
        if len(beside) == 2:
            first, second = sorted(beside, key=names.index)
            found.setdefault((first, second), []).append(tag)
    return found


def points_between(
    mesh: Mesh, first: str, second: str, n: int, seed: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """n points (n, dim) on the facets between two regions of a mesh, and unit normals (n, dim) from first to second.

    dim 1: each facet is one point, however many are asked for.  None if the regions do not meet.
    """
    inner = _facets_between(mesh, first, second)
    facets = np.arange(len(inner.facets))
    if not len(facets):
        return np.empty((0, mesh.dim)), np.empty((0, mesh.dim))
    eta = np.empty((len(facets), 0))
    if mesh.dim > 1:
        facets, eta = facet_samples(inner, facets, n, seed)
    x, normals = inner.on_facets(facets, eta)
    return x, normals / np.linalg.norm(normals, axis=1)[:, None]


def onto_surfaces(
    model: ModuleType, faces: Sequence[int], x: np.ndarray, normals: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The points (n, 3) moved to the nearest of some faces of a built model, with its normals on their sides."""
    moved, exact = np.empty((len(faces), *x.shape)), np.empty((len(faces), *x.shape))
    for k, face in enumerate(faces):
        closest, parameters = model.getClosestPoint(2, face, x.ravel())
        moved[k] = closest.reshape(-1, 3)
        exact[k] = model.getNormal(face, parameters).reshape(-1, 3)
    nearest = np.linalg.norm(moved - x, axis=2).argmin(0), np.arange(len(x))
    side = np.sign((exact[nearest] * normals).sum(1))
    return moved[nearest], exact[nearest] * side[:, None]


def _facets_between(mesh: Mesh, first: str, second: str) -> Mesh:
    """The mesh with those facets (their vertices) alone that lie between two regions, as facets of cells of `first`."""
    vertices = mesh.cells[:, : mesh.dim + 1]
    of_cells = [  # every facet of every cell of a region, its vertices in one order
        np.sort(vertices[cells][:, reference.facet_vertices(mesh.dim)], axis=-1).reshape(-1, mesh.dim)
        for cells in (
            np.flatnonzero(mesh.cell_regions == mesh.regions.index(name)) for name in (first, second)
        )
    ]
    _, number = np.unique(np.concatenate(of_cells), axis=0, return_inverse=True)
    mine, others = np.split(number.ravel(), [len(of_cells[0])])
    shared = np.flatnonzero(np.isin(mine, others))
    owner = np.flatnonzero(mesh.cell_regions == mesh.regions.index(first))[shared // (mesh.dim + 1)]
    zeros = np.zeros(len(shared), dtype=np.int32)
    return replace(
        mesh,
        facets=of_cells[0][shared],
        facet_cells=owner,
        facet_boundaries=zeros,
        facet_entities=zeros,
        facet_gaps=zeros.astype(float),
    )
