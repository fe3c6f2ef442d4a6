"""Where the node inside a face of order 3 belongs, once the edges of the face are curved."""

from types import ModuleType

import numpy as np

from geometry import reference


def free_nodes(model: ModuleType, dim: int) -> np.ndarray:
    """Tags of the nodes that no curved curve or surface holds: those inside cells, and on plane faces of a solid."""
    entities = model.getEntities(dim)
    if dim == 3:
        entities += [entity for entity in model.getEntities(2) if model.getType(*entity) == "Plane"]
    return np.concatenate([model.mesh.getNodes(*entity)[0] for entity in entities])


def centre(points: np.ndarray, cells: np.ndarray, dim: int, free: np.ndarray) -> None:
    """Moves the free nodes inside faces of order 3: x = (sum of the edges' nodes) / 4 - (sum of the vertices) / 6.

    points (N, dim) are changed in place; free (N,) says which may move. Then the third derivatives of the map from the
    reference cell are of order h^3, as optimal convergence of isoparametric elements needs (P. G. Ciarlet, P.-A.
    Raviart, "Interpolation theory over curved elements", Comput. Methods Appl. Mech. Eng. 1, 1972,
    doi:10.1016/0045-7825(72)90006-0). gmsh leaves the node near the straight face's centre, which costs half an order.
    """
    for node, vertices, edges in reference.cubic_faces(dim):
        moving = cells[free[cells[:, node]]]
        points[moving[:, node]] = points[moving[:, edges]].sum(1) / 4 - points[moving[:, vertices]].sum(1) / 6
