"""A space of test functions as sparse matrices: Lagrange functions on a mesh, at the points of its quadrature.

Of v_h = sum_i c_i phi_i, the values at the points are `values @ c` and the slopes `gradients[j] @ c`, so an integral
int a v + b . grad v is tested with all phi_i by products with the transposed matrices, without assembly by DOLFINx.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial
from typing import Any

from mpi4py import MPI

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import numpy as np
from dolfinx import fem
from numpy.typing import NDArray
from scipy import sparse

import geometry
from geometry.reference import barycentric, facet_vertices, quadrature_rule, vertices
from mlpde.problem import Field
from reference_fem.forms import field_space
from reference_fem.function import lagrange
from reference_fem.mesh import distributed_mesh

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tabulated:
    """The N test functions at n quadrature points of a region or a boundary.

    points (n, d), weights (n,), outward unit normals (n, d) or None; values (n, N) and d gradients (n, N), sparse.
    """

    points: Array
    weights: Array
    normals: Array | None
    values: Any
    gradients: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class TestSpace:
    """regions, boundaries: the functions there, by name.  on_boundary: which of them do not vanish on a boundary.

    stiffness, mass: int grad phi_i . grad phi_j and int phi_i phi_j, sparse (N, N).
    """

    regions: dict[str, Tabulated]
    boundaries: dict[str, Tabulated]
    on_boundary: dict[str, NDArray[np.int32]]
    stiffness: Any
    mass: Any


def test_space(domain: geometry.Domain, degree: int, count: int, quadrature_degree: int) -> TestSpace:
    """About `count` Lagrange functions of `degree` on a mesh of the domain, of the size that gives so many.

    A serial function, on every rank that calls it.
    """
    default = domain.mesh()
    per_cell = degree**domain.dim / factorial(domain.dim)  # nodes, on a large mesh
    size = domain.default_size * (len(default.cells) * per_cell / count) ** (1 / domain.dim)
    distributed = distributed_mesh(domain, size, degree, MPI.COMM_SELF)
    mesh = distributed.source
    space = field_space(distributed.mesh, Field("v"), degree)
    dofs = np.empty((len(mesh.cells), space.dofmap.list.shape[1]), dtype=np.int32)
    dofs[distributed.mesh.topology.original_cell_index] = space.dofmap.list
    table = _Table(mesh, dofs, degree, space.dofmap.index_map.size_local)
    regions = {
        name: table.inside(np.flatnonzero(mesh.cell_regions == k), quadrature_degree)
        for k, name in enumerate(mesh.regions)
    }
    boundaries = {
        name: table.on_facets(np.flatnonzero(mesh.facet_boundaries == k), quadrature_degree)
        for k, name in enumerate(mesh.boundaries)
    }
    on_boundary = {
        name: fem.locate_dofs_topological(space, mesh.dim - 1, distributed.facet_tags.find(tag))
        for name, tag in distributed.boundaries.items()
    }
    stiffness = sum(_gram(part.weights, g) for part in regions.values() for g in part.gradients)
    mass = sum(_gram(part.weights, part.values) for part in regions.values())
    return TestSpace(regions, boundaries, on_boundary, stiffness, mass)


def _gram(weights: Array, matrix: Any) -> Any:
    return (matrix.T @ sparse.diags_array(weights) @ matrix).tocsr()


@dataclass(frozen=True, eq=False)
class _Table:
    """Evaluates the functions whose numbers in every cell are dofs (C, nodes)."""

    mesh: geometry.Mesh
    dofs: NDArray[np.int32]
    degree: int
    count: int

    def inside(self, cells: NDArray, quadrature_degree: int) -> Tabulated:
        """At the quadrature points of cells."""
        bent = self.mesh.dim * (self.mesh.order - 1) if self.mesh.curved.any() else 0
        xi, weights = quadrature_rule(self.mesh.dim, quadrature_degree + bent)
        where, xi = np.repeat(cells, len(weights)), np.tile(xi, (len(cells), 1))
        measure = np.linalg.det(self.mesh.jacobians(where, xi))
        points = self.mesh.map(where, xi)
        return Tabulated(points, np.tile(weights, len(cells)) * measure, None, *self._functions(where, xi))

    def on_facets(self, facets: NDArray, quadrature_degree: int) -> Tabulated:
        """At the quadrature points of facets."""
        mesh = self.mesh
        bent = mesh.dim * (mesh.order - 1) if mesh.curved.any() else 0
        eta, weights = quadrature_rule(mesh.dim - 1, quadrature_degree + bent)
        where, eta = np.repeat(facets, len(weights)), np.tile(eta, (len(facets), 1))
        points, normals = mesh.on_facets(where, eta)
        corners = vertices(mesh.dim)[facet_vertices(mesh.dim)][mesh.facet_numbers[where]]
        xi = np.einsum("nv,nvi->ni", barycentric(eta), corners)
        measure = np.linalg.norm(normals, axis=1)
        functions = self._functions(mesh.facet_cells[where], xi)
        weights = np.tile(weights, len(facets)) * measure
        return Tabulated(points, weights, normals / measure[:, None], *functions)

    def _functions(self, cells: NDArray, xi: Array) -> tuple[Any, tuple[Any, ...]]:
        """values and gradients (n, N) at reference points xi (n, d) of cells (n,)."""
        dim = self.mesh.dim
        table = lagrange(dim, self.degree).tabulate(1, np.ascontiguousarray(xi))[..., 0]
        # basix orders the first derivatives by direction
        slopes = np.einsum("kna,nki->ina", table[1:], np.linalg.inv(self.mesh.jacobians(cells, xi)))
        columns = self.dofs[cells]
        starts = np.arange(len(cells) + 1) * columns.shape[1]

        def matrix(entries: Array) -> Any:
            return sparse.csr_array(
                (entries.ravel(), columns.ravel(), starts), shape=(len(cells), self.count)
            )

        return matrix(table[0]), tuple(matrix(slope) for slope in slopes)
