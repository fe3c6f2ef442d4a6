"""Fields that the problem fixes only up to a constant: `mean_zero`, or a value at a point between the nodes.

One degree of freedom of such a field is held at zero, and the field shifted at the end.  The constant test function
then tests nothing but the data: sources and boundary fluxes must balance.  What quadrature and curved boundaries leave
of them is spread evenly,

    A x + lambda c = b,   c_i = int phi_i,   (A x + lambda c)_pinned = b_pinned,

which is the multiplier of the condition int u = 0, without its dense row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mpi4py import MPI

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import numpy as np
import ufl
from dolfinx import fem, la
from numpy.typing import NDArray

from mlpde.errors import InputError
from mlpde.formulation.balance import check_balance
from mlpde.problem import Problem
from reference_fem.kernels import compiled
from reference_fem.linear import kernel, undetermined
from reference_fem.linear_solver import Choice, LinearSolver
from reference_fem.system import System


@dataclass(frozen=True)
class FreeConstants:
    """fields: numbers of the fields that are fixed up to a constant.  rows: their pinned rows, in global numbering."""

    fields: tuple[int, ...]
    rows: tuple[int, ...]


def declared(problem: Problem, system: System) -> FreeConstants:
    """The fields that the problem says are fixed up to a constant: mean_zero, or a value at a point."""
    points = {point.field for point in system.constraints.points}
    fields = tuple(k for k, f in enumerate(problem.fields) if f.mean_zero or k in points)
    for k in points:
        if problem.fields[k].mean_zero:
            raise InputError(
                f"field {problem.fields[k].name!r} has mean_zero=True and a value at a point: keep one of them"
            )
    # rank 0's rows come first; a row that is copied from another has no equation
    own = [np.setdiff1d(np.arange(*system.offsets[k : k + 2]), system.copied) for k in fields]
    rows = system.comm.bcast([int(candidates[0]) for candidates in own] if system.comm.rank == 0 else None)
    return FreeConstants(fields, tuple(rows))


def check_kernel(matrix: Any, problem: Problem, system: System, free: FreeConstants) -> None:
    """InputError unless the kernel of the Jacobian is just the constants of the `free` fields."""
    found = kernel(matrix, system)
    for k, kind in found:
        if k not in free.fields:
            raise undetermined(problem.fields[k].name, kind)
    for k in free.fields:
        field = problem.fields[k]
        if (k, "a constant") not in found:
            if field.mean_zero:
                raise InputError(
                    f"field {field.name!r} has mean_zero=True, but its equation or its Dirichlet conditions already "
                    "fix its constant: leave mean_zero out"
                )
            point = next(p for p in system.constraints.points if p.field == k).point
            raise InputError(
                f"Dirichlet(at={tuple(point.tolist())}) for field {field.name!r}: the mesh has no node there; add the "
                "point to the geometry"
            )


def solve_pinned(
    matrix: Any, b: Any, system: System, free: FreeConstants, choice: Choice = "auto"
) -> tuple[Any, dict[str, Any]]:
    """x with A x = b up to an even source in the `free` fields; and facts: "imbalance", "linear_solver", "warnings".

    imbalance: of the data, relative, by field name.  The pinned rows of `matrix` are overwritten.
    """
    solver = PinnedSolver(matrix, system, free, choice)
    x, uneven = solver.solve(b)
    imbalance = {}
    for k, value in uneven.items():
        total = norm1(b, system, k)
        imbalance[system.forms.unknowns[k].name] = value / total if total > 0 else 0.0
    check_balance(imbalance)
    linear = solver.linear
    return x, {"imbalance": imbalance, "linear_solver": linear.facts, "warnings": linear.warnings}


class PinnedSolver:
    """The solver of a matrix whose pinned rows are overwritten, kept for several right-hand sides.

    magnitudes: sum of |A_ij| over the rows of each `free` field.
    """

    def __init__(self, matrix: Any, system: System, free: FreeConstants, choice: Choice = "auto") -> None:
        self.system, self.free = system, free
        if not free.fields:
            self.linear = LinearSolver(matrix, system, choice)
            return
        self.full = matrix.copy()
        matrix.zeroRowsColumns(np.asarray(free.rows, dtype=np.int32))
        self.linear = LinearSolver(matrix, system, choice)
        self.even = [integrals(system, k) for k in free.fields]
        self.corrections, defects = zip(*(self._solve(c) for c in self.even), strict=True)
        self.defects = np.stack(defects, axis=1)
        starts, _, entries = self.full.getValuesCSR()
        first = starts[system.offsets]
        sums = [float(np.abs(entries[first[k] : first[k + 1]]).sum()) for k in free.fields]
        self.magnitudes = dict(zip(free.fields, system.comm.allreduce(np.asarray(sums)), strict=True))

    def _solve(self, right: Any) -> tuple[Any, NDArray]:
        """The solution with the pinned rows zero, and what is left over in them."""
        pinned = right.copy()
        _set(pinned, self.free.rows, 0.0)
        x = self.linear.solve(pinned)
        defect = right - self.full * x
        return x, _get(defect, self.free.rows, self.system.comm)

    def solve(self, b: Any) -> tuple[Any, dict[int, float]]:
        """x with A x = b up to an even source in the `free` fields; and the size of that source, by field number."""
        if not self.free.fields:
            return self.linear.solve(b), {}
        x, defects = self._solve(b)
        scale = np.linalg.solve(self.defects, defects)
        for factor, correction in zip(scale, self.corrections, strict=True):
            x.axpy(-factor, correction)
        uneven = zip(self.free.fields, scale, self.even, strict=True)
        return x, {k: abs(factor) * c.norm(0) for k, factor, c in uneven}


def integrals(system: System, k: int) -> Any:
    """c_i = int phi_i over the domain, for the scalar field k; zero in the other fields."""
    space = system.forms.spaces[k]
    form = compiled(fem.form, ufl.TestFunction(space) * ufl.dx, comm=system.comm)
    local = fem.assemble_vector(form)
    local.scatter_reverse(la.InsertMode.add)
    result = system.vector()
    result.array[system.offsets[k] : system.offsets[k + 1]] = local.array[: system.sizes[k]]
    system.fold(result)
    return result


def norm1(b: Any, system: System, k: int) -> float:
    """Sum of |b_i| over the rows of field k."""
    part = b.array_r[system.offsets[k] : system.offsets[k + 1]]
    return system.comm.allreduce(float(np.abs(part).sum()), op=MPI.SUM)


def _set(vector: Any, rows: tuple[int, ...], value: float) -> None:
    start, end = vector.getOwnershipRange()
    for row in rows:
        if start <= row < end:
            vector.array[row - start] = value


def _get(vector: Any, rows: tuple[int, ...], comm: MPI.Comm) -> NDArray:
    start, end = vector.getOwnershipRange()
    values = [vector.array_r[row - start] if start <= row < end else 0.0 for row in rows]
    return comm.allreduce(np.asarray(values), op=MPI.SUM)
