"""Slits: named curves inside a plane domain. Their nodes are doubled, so that functions may jump across them.

The curve t of a slit is a boundary twice: as entity t with the domain on one side, as entity -t on the other.
"""

from types import ModuleType

import numpy as np

from geometry.errors import GeometryError


def inner_curves(model: ModuleType, dim: int) -> frozenset[int]:
    """The curves embedded in a plane domain."""
    if dim != 2:
        return frozenset()
    return frozenset(
        tag for _, cell in model.getEntities(2) for d, tag in model.mesh.getEmbedded(2, cell) if d == 1
    )


def open_slits(gmsh: ModuleType, slits: list[int]) -> dict[int, np.ndarray]:
    """Doubles the nodes of the slits t in the mesh; node tags (n, nodes) of the new edges by their entities -t."""
    model = gmsh.model
    ends = {point for tag in slits for point in model.getAdjacencies(1, tag)[1]}
    # Where a slit ends on the outer boundary it opens; elsewhere its end is a tip, a single node.
    opening = [
        p for p in ends if any(len(model.getAdjacencies(1, c)[0]) for c in model.getAdjacencies(0, p)[0])
    ]
    settings = {
        "Dimension": 1,
        "PhysicalGroup": model.addPhysicalGroup(1, slits),
        "OpenBoundaryPhysicalGroup": model.addPhysicalGroup(0, opening) if opening else 0,
    }
    for option, value in settings.items():
        gmsh.plugin.setNumber("Crack", option, value)
    before = set(model.getEntities(1))
    gmsh.plugin.run("Crack")
    model.mesh.renumberNodes()  # the new nodes have numbers that gmsh would not find
    ((_, other),) = set(model.getEntities(1)) - before
    return _paired(model, slits, other)


def _paired(model: ModuleType, slits: list[int], other: int) -> dict[int, np.ndarray]:
    """The new edges by the slit that they lie on: each lies on one of the old edges, and has its own nodes."""
    from scipy.spatial import cKDTree

    tags, coordinates, _ = model.mesh.getNodes()
    points = np.zeros((int(tags.max()) + 1, 3))
    points[tags] = coordinates.reshape(-1, 3)
    old, new = [_edges(model, tag) for tag in slits], _edges(model, other)
    owner = np.repeat(slits, [len(edges) for edges in old])
    distance, nearest = cKDTree(points[np.concatenate(old)[:, :2]].mean(1)).query(points[new[:, :2]].mean(1))
    if len(new) != len(owner) or distance.max() > 1e-9 * np.abs(points).max():
        raise GeometryError("gmsh could not open the slits of the domain; slits must not cross each other.")
    return {-tag: new[owner[nearest] == tag] for tag in slits}


def _edges(model: ModuleType, curve: int) -> np.ndarray:
    types, _, nodes = model.mesh.getElements(1, curve)
    return nodes[0].reshape(-1, model.mesh.getElementProperties(types[0])[3]).astype(np.int64)
