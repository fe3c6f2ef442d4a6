"""The algebraic system of a discretised problem: PETSc matrix and vectors, ordered field after field on every rank.

The unknowns satisfy their Dirichlet conditions from the start, so residual and step vanish on the fixed rows.
Periodic conditions are u = P w (see `reference_fem.periodic`): vectors hold w, the unknowns u.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mpi4py import MPI

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import basix
import numpy as np
from dolfinx.fem import petsc
from numpy.typing import NDArray
from petsc4py import PETSc

from geometry.places import rounded
from mlpde.errors import InputError
from reference_fem.dirichlet import Constraints
from reference_fem.forms import Discretisation
from reference_fem.periodic import copied_rows


@dataclass(frozen=True, eq=False)
class System:
    """Residual and Jacobian as functions of the vector of all unknowns.  Vectors hold this rank's owned entries."""

    forms: Discretisation
    constraints: Constraints

    @property
    def comm(self) -> MPI.Comm:
        """The ranks that share the mesh."""
        return self.forms.mesh.mesh.comm

    @cached_property
    def sizes(self) -> list[int]:
        """Owned degrees of freedom of each field."""
        return [space.dofmap.index_map.size_local * space.dofmap.bs for space in self.forms.spaces]

    @cached_property
    def offsets(self) -> NDArray:
        """Where each field starts in this rank's part of a vector."""
        return np.concatenate([[0], np.cumsum(self.sizes)])

    @property
    def unknowns_count(self) -> int:
        """Degrees of freedom of all ranks, the fixed ones included."""
        return self.comm.allreduce(sum(self.sizes))

    @cached_property
    def fixed(self) -> NDArray:
        """The fixed rows of this rank's part of a vector."""
        rows = [
            offset + dofs[dofs < size]
            for offset, dofs, size in zip(self.offsets, self.constraints.fixed, self.sizes, strict=False)
        ]
        return np.concatenate(rows)

    @cached_property
    def copied(self) -> NDArray:
        """The rows of this rank that periodic conditions copy from others; they are among the fixed ones."""
        tied = self.constraints.projection
        return np.empty(0, dtype=np.int64) if tied is None else copied_rows(tied)

    def vector(self) -> Any:
        """A new vector of zeros."""
        vector = petsc.create_vector(self.forms.spaces)
        vector.zeroEntries()
        return vector

    def read(self, x: Any) -> None:
        """x <- the unknowns."""
        x.array[:] = np.concatenate(
            [u.x.array[:n] for u, n in zip(self.forms.unknowns, self.sizes, strict=True)]
        )

    def write(self, x: Any) -> None:
        """The unknowns <- x."""
        if self.constraints.projection is not None:
            x = self.constraints.projection * x
        for u, start, n in zip(self.forms.unknowns, self.offsets, self.sizes, strict=False):
            u.x.array[:n] = x.array_r[start : start + n]
            u.x.scatter_forward()

    def residual(self, b: Any) -> None:
        """b <- F(u)."""
        with b.localForm() as local:
            local.set(0.0)
        petsc.assemble_vector(b, self.forms.residual)
        b.ghostUpdate(addv=PETSc.InsertMode.ADD, mode=PETSc.ScatterMode.REVERSE)
        self.fold(b)
        b.array[self.fixed] = 0.0

    def fold(self, b: Any) -> None:
        """b <- P^T b: what tests the unknowns tests the independent ones."""
        if self.constraints.projection is not None:
            folded = b.duplicate()
            self.constraints.projection.multTranspose(b, folded)
            folded.copy(b)

    def new_matrix(self) -> Any:
        """An empty matrix with the Jacobian's sparsity."""
        if self.constraints.projection is None:
            return petsc.create_matrix(self.forms.jacobian)
        matrix = self._assembled(
            petsc.create_matrix(self.forms.jacobian)
        )  # an empty one would lose its pattern
        tied = matrix.PtAP(self.constraints.projection)
        diagonal = PETSc.Mat().createDiagonal(self.vector())  # rows that are copied have no entries yet
        tied.axpy(1.0, diagonal.convert("aij"))
        return tied

    def _assembled(self, matrix: Any) -> Any:
        matrix.zeroEntries()
        petsc.assemble_matrix(matrix, self.forms.jacobian, self.constraints.markers)  # type: ignore[arg-type]
        matrix.assemble()
        return matrix

    def jacobian(self, matrix: Any) -> None:
        """matrix <- dF/du, with unit rows and columns where the unknown is fixed; InputError if it is not finite."""
        tied = self.constraints.projection
        if tied is None:
            self._assembled(matrix)
        else:
            whole = self._assembled(petsc.create_matrix(self.forms.jacobian))
            matrix.zeroEntries()
            matrix.axpy(1.0, whole.PtAP(tied), structure=PETSc.Mat.Structure.SUBSET_NONZERO_PATTERN)
            first, _ = matrix.getOwnershipRange()
            matrix.zeroRowsColumns((first + self.fixed).astype(np.int32), 1.0)
        if not np.isfinite(matrix.norm()):
            row_sums = matrix.createVecLeft()
            matrix.getRowSum(row_sums)
            self.check_finite(row_sums.array_r, "the derivative of the weak form by the unknown")

    def check_finite(self, values: NDArray, what: str) -> None:
        """InputError, naming the field and the place, unless the values of the owned rows are finite."""
        bad = np.flatnonzero(~np.isfinite(values))
        found = next((c for c in self.comm.allgather(self._place(bad[0]) if len(bad) else None) if c), None)
        if found:
            where = f" near x = {found[1]}" if found[1] else ""
            raise InputError(
                f"{what} is not finite (nan or infinite) at the field {found[0]!r}{where}: "
                "a coefficient or a datum is not defined there"
            )

    def _place(self, row: int) -> tuple[str, tuple[float, ...]]:
        """Field and coordinates of a row of this rank."""
        k = int(np.searchsorted(self.offsets, row, side="right")) - 1
        u = self.forms.unknowns[k]
        space = u.function_space
        if space.element.basix_element.family != basix.ElementFamily.P:  # an edge element has no nodes
            return u.name, ()
        x = space.tabulate_dof_coordinates()[:, : space.mesh.geometry.dim]
        return u.name, rounded(x[(row - self.offsets[k]) // space.dofmap.bs], x)
