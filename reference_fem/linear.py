"""Direct solution of A x = b by MUMPS, and the kernel that A may have: constants and rigid motions.

A kernel is looked for before the factorisation, among the motions a differential operator cannot see.  That names the
field, where MUMPS could only report a zero pivot.
"""

from __future__ import annotations

from typing import Any

import basix
import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray
from petsc4py import PETSc

from mlpde.errors import InputError
from reference_fem.system import System

KERNEL = 1e-13  # rounding of an assembled row that sums to zero, relative to the row
NULL_PIVOTS = 28  # of MUMPS' INFOG


class Factorisation:
    """MUMPS' factors of a matrix, kept for several right-hand sides.

    LU, for symmetric matrices too: LDL^T halves the memory but was not faster, from 7e4 unknowns in 2-D to 1e5 in 3-D.
    """

    def __init__(self, matrix: Any) -> None:
        self.solver = PETSc.KSP().create(matrix.comm)
        self.solver.setOperators(matrix)
        self.solver.setType("preonly")
        pc = self.solver.getPC()
        pc.setType("lu")
        pc.setFactorSolverType("mumps")
        pc.setFactorSetUpSolverType()
        factors = pc.getFactorMatrix()
        factors.setMumpsIcntl(24, 1)  # report null pivots, do not divide by them
        self.solver.setUp()
        error = factors.getMumpsInfog(1)
        if error < 0:
            raise RuntimeError(f"MUMPS failed to factorise the matrix: INFOG(1) = {error}")
        null_pivots = factors.getMumpsInfog(NULL_PIVOTS)
        if null_pivots:
            raise InputError(
                f"the equations leave {null_pivots} of {matrix.size[0]} unknowns undetermined (zero pivots): a field "
                "or component without an equation in a part of the domain, or two equations that are the same"
            )

    def solve(self, b: Any) -> Any:
        """x with A x = b."""
        x = b.duplicate()
        self.solver.solve(b, x)
        if not self.solver.is_converged:
            raise RuntimeError(f"the direct solver failed: PETSc's reason {self.solver.getConvergedReason()}")
        return x


def motions(system: System) -> tuple[NDArray, list[tuple[int, str]]]:
    """Candidates of a kernel as columns (rows of this rank, k), with (field, kind) of each: constants and rotations."""
    columns: list[NDArray] = []
    labels: list[tuple[int, str]] = []
    for k, space in enumerate(system.forms.spaces):
        size, dim = space.dofmap.bs, space.mesh.geometry.dim
        owned = slice(system.offsets[k], system.offsets[k + 1])
        fields = [(np.eye(size)[c], "a constant" if size == 1 else "a translation") for c in range(size)]
        if space.element.basix_element.family != basix.ElementFamily.P:
            continue  # the kernel of a curl are gradients, which this list cannot hold
        if space.value_shape == (dim,) and dim > 1:
            x = space.tabulate_dof_coordinates()[: space.dofmap.index_map.size_local, :dim]
            for i in range(dim):
                for j in range(i + 1, dim):
                    rotation = np.zeros((len(x), dim))
                    rotation[:, i], rotation[:, j] = -x[:, j], x[:, i]
                    fields.append((rotation, "a rotation"))
        for values, kind in fields:
            column = np.zeros(sum(system.sizes))
            column[owned] = np.broadcast_to(values, (system.sizes[k] // size, size)).ravel()
            column[system.copied] = 0.0
            columns.append(column)
            labels.append((k, kind))
    return np.stack(columns, axis=1) if columns else np.empty((sum(system.sizes), 0)), labels


def kernel(matrix: Any, system: System) -> list[tuple[int, str]]:
    """(field, kind) of the motions that the matrix maps to zero; a combination counts as a rotation if it holds one."""
    candidates, labels = motions(system)
    starts, _, entries = matrix.getValuesCSR()
    scale = 1 / np.maximum.reduceat(np.abs(entries), starts[:-1]).clip(np.finfo(float).tiny)
    z, image = matrix.createVecs()
    images = np.empty_like(candidates)
    for k, column in enumerate(candidates.T):
        largest = system.comm.allreduce(np.abs(column).max(initial=0.0), op=MPI.MAX)
        z.array[:] = column / largest
        matrix.mult(z, image)
        images[:, k] = image.array_r * scale
    # singular values of the tall matrix by QR: of each rank's part, then of the triangles together
    rounding = KERNEL * np.sqrt(matrix.size[0])
    squares = system.comm.allreduce(np.sum(images**2, axis=0))
    alone = np.sqrt(squares) < rounding
    triangles = system.comm.allgather(np.linalg.qr(images[:, ~alone], mode="r"))
    found = [label for label, is_zero in zip(labels, alone, strict=True) if is_zero]
    if not alone.all():
        others = [label for label, is_zero in zip(labels, alone, strict=True) if not is_zero]
        _, singular, right = np.linalg.svd(np.vstack(triangles))
        for s, motion in zip(singular, right, strict=True):
            if s < rounding:  # rotations come last in a field
                found.append(others[int(np.flatnonzero(np.abs(motion) > 1e-6)[-1])])
    return found


def undetermined(field: str, kind: str) -> InputError:
    """The sentence for a field that the problem fixes only up to a motion."""
    if kind == "a constant":
        return InputError(
            f"pure Neumann problem: the solution of field {field!r} is determined up to a constant; add a Dirichlet "
            f"condition, a point value Dirichlet(at=...), or Field({field!r}, mean_zero=True)"
        )
    return InputError(
        f"the solution of field {field!r} is determined only up to {kind}: its Dirichlet conditions leave the body "
        "free to move; fix more components, on a boundary or at points Dirichlet(at=..., component=...)"
    )
