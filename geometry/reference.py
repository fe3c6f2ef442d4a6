"""Reference simplices: node order, shape functions and quadrature rules.

Nodes are in gmsh's order; vertices are 0, e_1, ..., e_d (an interval is [0, 1]), as in basix.
"""

from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

_CELLS = ("point", "interval", "triangle", "tetrahedron")
_EDGES = {1: ((0, 1),), 2: ((0, 1), (1, 2), (2, 0)), 3: ((0, 1), (1, 2), (2, 0), (3, 0), (3, 2), (3, 1))}
_FACES = {1: (), 2: ((0, 1, 2),), 3: ((0, 2, 1), (0, 1, 3), (0, 3, 2), (3, 1, 2))}


def vertices(dim: int) -> np.ndarray:
    """Vertices (dim + 1, dim) of the reference simplex."""
    return np.vstack([np.zeros(dim), np.eye(dim)])


def facet_vertices(dim: int) -> np.ndarray:
    """Vertex numbers (dim + 1, dim) of the facets; facet i lies opposite to vertex i."""
    return np.array([[v for v in range(dim + 1) if v != i] for i in range(dim + 1)])


def barycentric(xi: np.ndarray) -> np.ndarray:
    """Barycentric coordinates (..., dim + 1) of reference points (..., dim)."""
    return np.concatenate([1.0 - xi.sum(-1, keepdims=True), xi], axis=-1)


def determinant(matrices: np.ndarray) -> np.ndarray:
    """det (...) of matrices (..., d, d), d = 1, 2, 3; faster than LAPACK on many small ones."""
    columns = np.moveaxis(matrices, -1, 0)
    if len(columns) == 1:
        return columns[0][..., 0]
    a, b = columns[0], columns[1]
    if len(columns) == 2:
        return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return (a * np.cross(b, columns[2])).sum(-1)


@lru_cache
def nodes(dim: int, order: int) -> np.ndarray:
    """Lagrange nodes (n, dim) of order 1, 2 or 3 in gmsh's order: vertices, edges, faces."""
    v = vertices(dim)
    result = list(v)
    for a, b in _EDGES[dim]:
        result += [v[a] + (v[b] - v[a]) * k / order for k in range(1, order)]
    if order == 3:
        result += [v[list(face)].mean(0) for face in _FACES[dim]]
    return np.array(result)


@lru_cache
def cubic_faces(dim: int) -> tuple[tuple[int, list[int], list[int]], ...]:
    """Of each face of the cell of order 3: its inner node, its 3 vertices, and the 6 nodes on its edges."""
    faces = []
    first_inner = dim + 1 + 2 * len(_EDGES[dim])
    for i, face in enumerate(_FACES[dim]):
        edges = [k for k, edge in enumerate(_EDGES[dim]) if set(edge) <= set(face)]
        on_edges = [dim + 1 + 2 * k + j for k in edges for j in range(2)]
        faces.append((first_inner + i, list(face), on_edges))
    return tuple(faces)


@lru_cache
def _lagrange(dim: int, order: int) -> tuple[Any, np.ndarray]:
    import basix

    cell = getattr(basix.CellType, _CELLS[dim])
    element = basix.create_element(
        basix.ElementFamily.P, cell, order, lagrange_variant=basix.LagrangeVariant.equispaced
    )
    distance = np.abs(nodes(dim, order)[:, None] - np.asarray(element.points)[None]).max(-1)
    return element, distance.argmin(1)


def tabulate(dim: int, order: int, xi: np.ndarray, derivatives: int = 1) -> np.ndarray:
    """Shape functions at xi (n, dim) -> (1 + dim * derivatives, n, nodes): values, then d/dxi_1, ..., d/dxi_dim."""
    element, to_gmsh = _lagrange(dim, order)
    return element.tabulate(derivatives, np.ascontiguousarray(xi))[..., 0][..., to_gmsh]


@lru_cache
def lattice(dim: int, degree: int) -> np.ndarray:
    """Equispaced points (n, dim) on the reference simplex, its boundary included."""
    import basix

    cell = getattr(basix.CellType, _CELLS[dim])
    return np.asarray(basix.create_lattice(cell, degree, basix.LatticeType.equispaced, True))


@lru_cache
def bernstein_from_values(dim: int, degree: int, at_nodes: bool = False) -> np.ndarray:
    """Matrix from a polynomial's values on `lattice(dim, degree)` (or on `nodes`) to its Bernstein coefficients.

    The polynomial lies between its smallest and largest coefficient everywhere in the cell.
    """
    from scipy.special import factorial

    points = barycentric(nodes(dim, degree) if at_nodes else lattice(dim, degree))
    exponents = np.array([e for e in product(range(degree + 1), repeat=dim + 1) if sum(e) == degree])
    multinomials = factorial(degree) / factorial(exponents).prod(1)
    return np.linalg.inv(multinomials * (points[:, None] ** exponents).prod(-1))


@lru_cache
def quadrature_rule(dim: int, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (q, dim) and positive weights (q,) exact for polynomials of `degree` on the reference simplex."""
    import basix

    if dim == 0:
        return np.zeros((1, 0)), np.ones(1)
    points, weights = map(np.asarray, basix.make_quadrature(getattr(basix.CellType, _CELLS[dim]), degree))
    # A few rules for tetrahedra have a negative weight, of which no least-squares row can take the root.
    return (points, weights) if weights.min() > 0 else quadrature_rule(dim, degree + 1)
