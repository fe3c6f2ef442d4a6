"""geometry.Mesh -> DOLFINx mesh with cell and facet tags.  The arrays are given on rank 0, DOLFINx distributes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mpi4py import MPI

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import basix.ufl
import dolfinx
import numpy as np
from dolfinx.graph import adjacencylist
from dolfinx.io import distribute_entity_data
from dolfinx.io.gmsh import cell_perm_array

import geometry
from geometry.size_map import SizeMap
from reference_fem.function import CELLS

MAX_GEOMETRY_ORDER = 3  # of gmsh's meshes in DOLFINx
DOLFINX_CELLS = {
    1: dolfinx.mesh.CellType.interval,
    2: dolfinx.mesh.CellType.triangle,
    3: dolfinx.mesh.CellType.tetrahedron,
}


@dataclass(frozen=True, eq=False)
class DistributedMesh:
    """A DOLFINx mesh with its tags; region and boundary number k have the tag k + 1.

    source: the mesh it was made from, the same on every rank.
    """

    mesh: dolfinx.mesh.Mesh
    cell_tags: dolfinx.mesh.MeshTags
    facet_tags: dolfinx.mesh.MeshTags
    source: geometry.Mesh

    @property
    def comm(self) -> MPI.Comm:
        """The ranks that share the mesh."""
        return self.mesh.comm

    @property
    def regions(self) -> dict[str, int]:
        """Tag by name."""
        return {name: k + 1 for k, name in enumerate(self.source.regions)}

    @property
    def boundaries(self) -> dict[str, int]:
        """Tag by name."""
        return {name: k + 1 for k, name in enumerate(self.source.boundaries)}


def distributed_mesh(
    domain: geometry.Domain, size: float | None, degree: int, comm: MPI.Comm, sizes: SizeMap | None = None
) -> DistributedMesh:
    """The mesh for elements of `degree`, made on rank 0; an error there is raised on every rank.

    sizes: what adaptive refinement asks for.
    """
    mesh: Any = None
    if comm.rank == 0:
        try:
            # gmsh's optimisation of cubic tetrahedra may run for many minutes: quadratic ones have to do
            order = 2 if domain.dim == 3 else min(max(2, degree), MAX_GEOMETRY_ORDER)
            mesh = domain.mesh(size, order=order, sizes=sizes)
        except geometry.GeometryError as error:
            mesh = error
    mesh = comm.bcast(mesh) if comm.size > 1 else mesh
    if isinstance(mesh, Exception):
        raise mesh
    return distribute(mesh, comm)


def distribute(source: geometry.Mesh, comm: MPI.Comm = MPI.COMM_WORLD) -> DistributedMesh:
    """The DOLFINx mesh of `source`, spread over the ranks of `comm`.

    Straight cells are handed on as such, whatever the order of `source`: their forms are assembled much faster.
    """
    dim = source.dim
    order = source.order if source.curved.any() else 1
    cell = DOLFINX_CELLS[dim]
    element = basix.ufl.element(
        "Lagrange",
        CELLS[dim].name,
        order,
        lagrange_variant=basix.LagrangeVariant.equispaced,
        shape=(dim,),
    )
    if comm.rank == 0:
        cells, points, facets = source.cells, source.points, source.facets
        tags = source.facet_boundaries.astype(np.int32) + 1
    else:
        cells, points, facets = source.cells[:0], source.points[:0], source.facets[:0]
        tags = np.empty(0, dtype=np.int32)
    if order == 1:
        # DOLFINx takes the numbers of a facet's nodes for those of all nodes in use: leave no gaps
        vertices, numbers = np.unique(cells[:, : dim + 1], return_inverse=True)
        cells, points = numbers.reshape(-1, dim + 1), points[vertices]
        facets = np.searchsorted(vertices, facets[:, :dim])
    permuted = cells[:, cell_perm_array(cell, cells.shape[1])]
    mesh = dolfinx.mesh.create_mesh(comm, permuted, element, points)

    everywhere = mesh.topology.original_cell_index
    cell_tags = dolfinx.mesh.meshtags(
        mesh,
        dim,
        np.arange(len(everywhere), dtype=np.int32),
        source.cell_regions[everywhere].astype(np.int32) + 1,
    )
    mesh.topology.create_connectivity(dim - 1, dim)
    local, tags = distribute_entity_data(mesh, dim - 1, np.ascontiguousarray(facets), tags)
    facet_tags = dolfinx.mesh.meshtags_from_entities(mesh, dim - 1, adjacencylist(local), tags)
    return DistributedMesh(mesh, cell_tags, facet_tags, source)
