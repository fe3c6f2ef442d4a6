"""The pieces of a parallel solution as one function on the whole mesh."""

from __future__ import annotations

from collections.abc import Sequence

from mpi4py import MPI  # noqa: F401

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import basix.ufl
import numpy as np
from dolfinx import fem

from reference_fem.function import VARIANT, FiniteElementFunction
from reference_fem.mesh import DistributedMesh


def gather(mesh: DistributedMesh, unknowns: Sequence[fem.Function]) -> FiniteElementFunction:
    """The unknowns on the whole mesh, on every rank."""
    topology, comm = mesh.mesh.topology, mesh.mesh.comm
    owned = topology.index_map(topology.dim).size_local
    numbers = topology.original_cell_index[:owned]
    values, degrees = [], []
    for unknown in unknowns:
        u = _nodal(unknown)
        space = u.function_space
        local = u.x.array.reshape(-1, space.dofmap.bs)[space.dofmap.list[:owned]]
        whole = np.empty((len(mesh.source.cells), *local.shape[1:]))
        for cells, part in comm.allgather((numbers, local)):
            whole[cells] = part
        values.append(whole)
        degrees.append(space.element.basix_element.degree)
    return FiniteElementFunction(mesh.source, tuple(degrees), tuple(values))


def _nodal(u: fem.Function) -> fem.Function:
    """The function itself; an edge element's by Lagrange nodes cell by cell, exact where cells are straight."""
    element, mesh = u.function_space.element.basix_element, u.function_space.mesh
    if element.family == basix.ElementFamily.P:
        return u
    nodes = basix.ufl.element(
        "Lagrange",
        mesh.basix_cell(),
        element.degree,
        lagrange_variant=VARIANT,
        shape=(mesh.geometry.dim,),
        discontinuous=True,
    )
    result = fem.Function(fem.functionspace(mesh, nodes))
    result.interpolate(u)
    return result
