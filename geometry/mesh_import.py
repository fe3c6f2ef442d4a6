"""From the elements of a mesh file to a MeshDomain: checked, turned the right way round, with every facet named."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geometry import reference
from geometry.checks import check_positive
from geometry.errors import GeometryError
from geometry.groups import check_names
from geometry.mesh import Mesh
from geometry.mesh_domain import MeshDomain, no_build
from geometry.mesh_files import Block, Elements, read_elements
from geometry.names import name_at, unknown_name
from geometry.places import rounded
from geometry.subdivide import subdivide
from geometry.topology import check_quality, orient

Names = Mapping[str, Sequence[Any]] | Callable[[np.ndarray], str] | None


def read_mesh(path: Path, boundaries: Names, scale: float, size: float | None) -> MeshDomain:
    """The domain of a mesh file; see `Domain.from_file`. Raises GeometryError for a mesh that cannot be used."""
    check_positive(str(path), "scale", scale)
    try:
        return _domain(read_elements(path), boundaries, scale, size)
    except GeometryError as error:
        raise error if str(error).startswith(str(path)) else GeometryError(f"{path}: {error}") from error


def _domain(elements: Elements, boundaries: Names, scale: float, size: float | None) -> MeshDomain:
    dim = max((block.dim for block in elements.blocks if len(block.nodes)), default=0)
    if dim < 1:
        raise GeometryError("the file holds no mesh.")
    of_cells = [block for block in elements.blocks if block.dim == dim]
    of_facets = [block for block in elements.blocks if block.dim == dim - 1]
    mixed = sum(len(block.nodes) for block in of_cells + of_facets if block.order == 0)
    if mixed:
        raise GeometryError(
            f"{mixed} elements are no simplices; mesh it with triangles or tetrahedra, or split them beforehand."
        )
    order = {block.order for block in of_cells}
    if len(order) > 1 or max(order) > 3:
        raise GeometryError(f"the cells have order {sorted(order)}; they must all have one order, 1, 2 or 3.")

    cells = np.concatenate([block.nodes for block in of_cells])
    used, inverse = np.unique(cells, return_inverse=True)  # leaves out nodes that no cell has
    points = elements.points[used] * scale
    broken = int((~np.isfinite(points)).any(1).sum())
    if broken:
        raise GeometryError(f"{broken} of {len(points)} nodes have coordinates that are no finite numbers.")
    if dim < 3 and np.abs(points[:, dim:]).max() > 1e-9 * np.abs(points).max():
        kind, where = ("lines", "the x axis") if dim == 1 else ("surfaces", "the plane z = 0")
        raise GeometryError(
            f"its elements of highest dimension are {kind}, which must lie in {where}, but do not; if elements are "
            "missing, put them in a physical group too, for gmsh saves no others."
        )
    points = np.ascontiguousarray(points[:, :dim])
    cells = orient(points, inverse.reshape(cells.shape), dim, max(order))
    regions, cell_regions = _regions(np.concatenate([block.labels for block in of_cells]))

    outer, sides, inside = _facets(points, cells, dim)
    names, inner = _names_in_file(elements, of_facets, used, outer, inside)
    centres = points[outer].mean(1)
    slit = _doubled(centres)
    if (slit & (names == "")).any():
        raise GeometryError(
            f"{int((slit & (names == '')).sum())} facets without a name lie on one another, so nodes are doubled near "
            f"{_place(centres[slit & (names == '')], points)}; merge them, or name both sides of a slit in the file."
        )
    names = _name(names, boundaries, centres)
    known = sorted(set(names))
    check_names([*regions, *known, *inner])
    numbers = np.searchsorted(known, names.astype(str))
    mesh = Mesh(
        dim=dim,
        order=max(order),
        points=points,
        cells=cells,
        cell_regions=cell_regions.astype(np.int32),
        facets=outer,  # vertices only: `subdivide` adds the other nodes
        facet_boundaries=numbers.astype(np.int32),
        facet_cells=sides,
        facet_entities=np.where(slit, -1 - numbers, 1 + numbers).astype(np.int32),
        facet_gaps=np.zeros(len(outer)),
        regions=regions,
        boundaries=tuple(known),
    )
    mesh = subdivide(mesh, mesh.order, split=False)
    check_quality(mesh, "; repair them in the program that made the mesh.")
    return MeshDomain(dim, no_build, size, source=mesh, inner=tuple(inner))


def _regions(labels: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the regions, and the number of each cell's (C,)."""
    nameless = int((labels == "").sum())
    if nameless == len(labels):
        return ("domain",), np.zeros(len(labels), dtype=np.int64)
    if nameless:
        raise GeometryError(
            f"{nameless} of {len(labels)} cells are in no region; put them in one, or name no region."
        )
    names, numbers = np.unique(labels.astype(str), return_inverse=True)
    return tuple(map(str, names)), numbers.ravel()


def _facets(points: np.ndarray, cells: np.ndarray, dim: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (F, dim) and cells (F,) of the facets with one cell, and vertices (sorted) of those with two."""
    of_cells = cells[:, reference.facet_vertices(dim)].reshape(-1, dim)
    facets, number, count = np.unique(
        np.sort(of_cells, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    if (count > 2).any():
        raise GeometryError(
            f"{int((count > 2).sum())} facets belong to more than two cells; look for cells given twice."
        )
    order = np.argsort(number.ravel(), kind="stable")  # facet i of a cell lies opposite to its vertex i
    start = np.cumsum(count) - count
    first, second, outer = order[start[count == 2]], order[start[count == 2] + 1], order[start[count == 1]]
    corners = points[facets[count == 2]]
    one, other = (
        reference.determinant(np.concatenate([corners[:, 1:], tips[:, None]], axis=1) - corners[:, :1])
        for tips in (points[cells[side // (dim + 1), side % (dim + 1)]] for side in (first, second))
    )
    folded = one * other > 0
    if folded.any():
        raise GeometryError(
            f"{int(folded.sum())} facets have both their cells on one side, so elements are inverted and overlap near "
            f"{_place(corners[folded].mean(1), points)}; repair them in the program that made the mesh."
        )
    return of_cells[outer], outer // (dim + 1), facets[count == 2]


def _names_in_file(
    elements: Elements, blocks: list[Block], used: np.ndarray, outer: np.ndarray, inside: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """The name (F,) of each outer facet, "" where the file has none; names of facets between two cells."""
    dim = outer.shape[1]
    number = {tuple(facet): k for k, facet in enumerate(np.sort(outer, axis=1).tolist())}
    between = set(map(tuple, inside.tolist()))
    new = np.full(len(elements.points), -1)
    new[used] = np.arange(len(used))
    names = np.full(len(outer), "", dtype=object)
    inner: set[str] = set()
    for block in blocks:
        for facet, label in zip(
            np.sort(new[block.nodes[:, :dim]], axis=1).tolist(), block.labels, strict=True
        ):
            k = number.get(tuple(facet))
            if not label:
                continue
            if k is not None:
                _set(names, k, label)
            elif tuple(facet) in between:
                inner.add(label)
            else:
                raise GeometryError(
                    f"boundary {label!r} has elements that are facets of no cell; take them out."
                )
    for label, rows in elements.node_sets.items():
        member = np.zeros(len(used) + 1, dtype=bool)
        member[new[rows]] = True
        member[-1] = False  # nodes that no cell has
        for index in np.flatnonzero(member[outer].all(1)):
            _set(names, int(index), label)
    both = inner.intersection(names)
    if both:
        raise GeometryError(
            f"{both.pop()!r} has facets between two cells beside facets of the outer boundary; give them two names."
        )
    return names, sorted(inner)


def _set(names: np.ndarray, k: int, label: str) -> None:
    if names[k] not in ("", label):
        raise GeometryError(f"a facet is in both {names[k]!r} and {label!r}; boundaries must not overlap.")
    names[k] = label


def _name(names: np.ndarray, boundaries: Names, centres: np.ndarray) -> np.ndarray:
    """The names of the outer facets after the user's word; an error if one has none."""
    if isinstance(boundaries, Mapping):
        labels = {str(label): name for name, chosen in boundaries.items() for label in chosen}
        known = sorted(set(names) - {""})
        for label in labels:
            if not known:
                raise GeometryError(
                    f"there is no facet group {label!r}: no facet of the boundary has a name or number in the file; "
                    "pass boundaries= a function of a facet's centre."
                )
            if label not in known:
                raise unknown_name("facet group", label, known)
        names = np.array([labels.get(label, label) for label in names], dtype=object)
    elif boundaries is not None:
        for k, name in enumerate(names):
            if not name or name.lstrip("-").isdigit():
                names[k] = name_at(boundaries, centres[k], centres)
    nameless = np.flatnonzero(~names.astype(bool))
    if len(nameless):
        raise GeometryError(
            f"{len(nameless)} of {len(names)} facets of the boundary have no name: near "
            f"{_place(centres[nameless], centres)}; name them in the file, or pass boundaries= a function "
            "of a facet's centre."
        )
    return names


def _doubled(centres: np.ndarray) -> np.ndarray:
    """Whether another facet has the same centre: the two sides of a slit, or nodes that were not merged."""
    from scipy.spatial import cKDTree

    doubled = np.zeros(len(centres), dtype=bool)
    pairs = cKDTree(centres).query_pairs(1e-9 * np.ptp(centres, axis=0).max(), output_type="ndarray")
    doubled[pairs.ravel()] = True
    return doubled


def _place(found: np.ndarray, points: np.ndarray) -> str:
    lower, upper = (rounded(corner, points) for corner in (found.min(0), found.max(0)))
    return f"{lower}" if lower == upper else f"{lower} to {upper}"
