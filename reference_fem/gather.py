"""The pieces of a parallel solution as one function on the whole mesh."""

from __future__ import annotations

from collections.abc import Sequence

from mpi4py import MPI  # noqa: F401

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import basix.ufl
import numpy as np
from dolfinx import fem
from numpy.typing import NDArray

from reference_fem.function import VARIANT, FiniteElementFunction
from reference_fem.mesh import DistributedMesh
from reference_fem.time_function import FiniteElementHistory


def gather(mesh: DistributedMesh, unknowns: Sequence[fem.Function]) -> FiniteElementFunction:
    """The unknowns on the whole mesh, on every rank."""
    owned, _ = _owned_cells(mesh)
    values, degrees = [], []
    for unknown in unknowns:
        u = _nodal(unknown)
        space = u.function_space
        values.append(_by_cell(mesh, u.x.array.reshape(-1, space.dofmap.bs)[space.dofmap.list[:owned]]))
        degrees.append(space.element.basix_element.degree)
    return FiniteElementFunction(mesh.source, tuple(degrees), tuple(values))


def gather_history(
    mesh: DistributedMesh,
    unknowns: Sequence[fem.Function],
    times: NDArray,
    values: Sequence[Sequence[NDArray]],
) -> FiniteElementHistory:
    """The unknowns at several times on the whole mesh, on every rank.

    values[k][n]: the owned entries of field k at time n.
    """
    owned, _ = _owned_cells(mesh)
    numbers, histories, degrees = [], [], []
    for unknown, snapshots in zip(unknowns, values, strict=True):
        space = unknown.function_space
        degrees.append(space.element.basix_element.degree)
        if space.element.basix_element.family == basix.ElementFamily.P:
            dofmap = space.dofmap
            own = dofmap.index_map.local_to_global(dofmap.list[:owned].ravel().astype(np.int32))
            numbers.append(_by_cell(mesh, own.reshape(owned, -1)))
            parts = mesh.comm.allgather(np.stack(snapshots).reshape(len(times), -1, dofmap.bs))
            histories.append(np.concatenate(parts, axis=1))
        else:  # an edge element's nodes are not shared
            cells = []
            for snapshot in snapshots:
                unknown.x.array[: len(snapshot)] = snapshot
                unknown.x.scatter_forward()
                cells.append(gather(mesh, [unknown]).values[0])
            count, nodes, _ = cells[0].shape
            numbers.append(np.arange(count * nodes).reshape(count, nodes))
            histories.append(np.stack(cells).reshape(len(times), count * nodes, -1))
    return FiniteElementHistory(mesh.source, tuple(degrees), times, tuple(numbers), tuple(histories))


def _owned_cells(mesh: DistributedMesh) -> tuple[int, NDArray]:
    """How many cells this rank owns, and their numbers in the source."""
    topology = mesh.mesh.topology
    owned = topology.index_map(topology.dim).size_local
    return owned, topology.original_cell_index[:owned]


def _by_cell(mesh: DistributedMesh, local: NDArray) -> NDArray:
    """The rows of this rank's cells and of all others, in the order of the source."""
    whole = np.empty((len(mesh.source.cells), *local.shape[1:]), dtype=local.dtype)
    for cells, part in mesh.comm.allgather((_owned_cells(mesh)[1], local)):
        whole[cells] = part
    return whole


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
