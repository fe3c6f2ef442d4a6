"""Periodic conditions: the unknowns on a boundary are those on another one.

With u = P w, where P copies every tied degree of freedom from one of its class (a corner may belong to several pairs),

    P^T F(P w) = 0,        P^T F'(P w) P

is the system for w.  P is square: the copied entries of w are not used, and their rows are those of the identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mpi4py import MPI

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import basix
import numpy as np
from dolfinx import fem
from numpy.typing import NDArray
from petsc4py import PETSc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

import geometry
from geometry.periodic import matched, not_a_translation
from mlpde.errors import InputError
from mlpde.problem import Eigenproblem, Problem
from reference_fem.mesh import DistributedMesh

MATCH = 1e-8  # distance of two nodes that are one, relative to the boundary's size
EQUAL = 1e-10  # difference of two Dirichlet values at one periodic point, relative to the largest value


def domain_to_mesh(problem: Problem | Eigenproblem) -> geometry.Domain:
    """The problem's domain, meshed so that the nodes of its periodic boundaries match."""
    pairs = [(pair.first, pair.second) for pair in problem.periodic]
    return matched(problem.domain, pairs) if pairs else problem.domain


def projection(
    problem: Problem | Eigenproblem, mesh: DistributedMesh, spaces: Sequence[fem.FunctionSpace]
) -> Any | None:
    """P, or None without periodic conditions; rows as in System.

    Raises an error if the nodes of a pair do not match, or a field has no nodes.
    """
    if not problem.periodic:
        return None
    comm = mesh.mesh.comm
    sizes = [space.dofmap.index_map.size_local * space.dofmap.bs for space in spaces]
    size = sum(sizes)
    first = comm.scan(size) - size
    master = np.arange(first, first + size)
    firsts, seconds = [], []
    for field, space, offset in zip(problem.fields, spaces, np.cumsum([0, *sizes]), strict=False):
        if space.element.basix_element.family != basix.ElementFamily.P:
            raise InputError(
                f"periodic conditions are for Lagrange fields; field {field.name!r} is {field.family}"
            )
        for pair in problem.periodic:
            one, other = (_nodes(mesh, space, name, first + offset) for name in (pair.first, pair.second))
            partner = _match(one[1], other[1])
            if partner is None:
                raise not_a_translation(pair.first, pair.second)
            for component in range(space.dofmap.bs):
                firsts.append(one[0][partner] + component)
                seconds.append(other[0] + component)
    rows, numbers = np.unique(np.concatenate(firsts + seconds), return_inverse=True)
    ends = np.split(numbers, 2)
    links = coo_array((np.ones(len(ends[0])), tuple(ends)), shape=(len(rows), len(rows)))
    _, classes = connected_components(links, directed=False)
    smallest = np.full(classes.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(smallest, classes, rows)
    here = (rows >= first) & (rows < first + size)
    master[rows[here] - first] = smallest[classes[here]]
    whole = comm.allreduce(size)
    entries = (np.arange(size + 1, dtype=np.int32), master.astype(np.int32), np.ones(size))
    layout = ((size, whole), (size, whole))
    return PETSc.Mat().createAIJ(layout, csr=entries, comm=comm)  # type: ignore[arg-type]


def copied_rows(projection: Any) -> NDArray:
    """The rows of this rank that P copies from others."""
    first, last = projection.getOwnershipRange()
    _, columns, _ = projection.getValuesCSR()
    return np.flatnonzero(columns != np.arange(first, last))


def spread(projection: Any, fixed: NDArray, values: NDArray) -> tuple[NDArray, NDArray]:
    """Rows of this rank that are fixed as soon as one of their class is, and all values.

    fixed: rows of this rank.  values: of all its rows, of use where they are fixed.
    Raises InputError if two values of one class differ.
    """
    given, count = projection.createVecs()
    mask, total, back = given.duplicate(), count.duplicate(), given.duplicate()
    mask.array[fixed] = 1.0
    given.array[fixed] = values[fixed]
    projection.multTranspose(mask, count)
    projection.multTranspose(given, total)
    total.array[:] /= np.maximum(count.array_r, 1.0)
    projection.mult(total, back)
    projection.mult(count, mask)
    largest = max(given.norm(3), np.finfo(float).tiny)
    difference = np.abs(back.array_r - given.array_r)[fixed].max(initial=0.0)
    if projection.comm.tompi4py().allreduce(difference, op=MPI.MAX) > EQUAL * largest:
        raise InputError(
            "two Dirichlet values differ where a periodic condition makes them one: give a boundary between two "
            "periodic ones the same value at both ends"
        )
    rows = np.flatnonzero(mask.array_r > 0)
    result = values.copy()
    result[rows] = back.array_r[rows]
    return rows, result


def _nodes(mesh: DistributedMesh, space: fem.FunctionSpace, name: str, first: int) -> tuple[NDArray, NDArray]:
    """First rows (n,) and coordinates (n, dim) of a boundary's nodes, those of all ranks."""
    facets = mesh.facet_tags.find(mesh.boundaries[name])
    dofs = fem.locate_dofs_topological(space, mesh.mesh.topology.dim - 1, facets)
    dofs = dofs[dofs < space.dofmap.index_map.size_local]
    x = space.tabulate_dof_coordinates()[dofs, : mesh.mesh.geometry.dim]
    parts = mesh.mesh.comm.allgather((first + space.dofmap.bs * dofs.astype(np.int64), x))
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _match(x: NDArray, y: NDArray) -> NDArray | None:
    """Number of the point of x (n, dim) that each point of y (n, dim) is, translated; None if they do not match."""
    if len(x) != len(y):
        return None
    shift = y.min(0) - x.min(0)
    distance, partner = cKDTree(x + shift).query(y)
    size = np.linalg.norm(shift) + np.ptp(x, axis=0).max()
    return partner if distance.max() <= MATCH * size and len(np.unique(partner)) == len(y) else None
