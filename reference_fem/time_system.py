"""The algebraic system of one time step, F(u, a u + h, a (a u + h) + g) = 0 at the time t, and norms of its vectors."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mpi4py import MPI

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import numpy as np
import ufl
from dolfinx import fem
from dolfinx.fem import petsc
from numpy.typing import NDArray

from mlpde.errors import InputError
from reference_fem.forms import Evolution
from reference_fem.kernels import compiled
from reference_fem.system import System

ZERO_MASS = 1e-14  # of the largest entry: no mass at all


@dataclass(frozen=True, eq=False)
class TimeSystem(System):
    """A system whose rates follow the unknowns.  Arrays hold this rank's owned entries, field after field."""

    history: list[NDArray] = field(default_factory=list)

    @property
    def evolution(self) -> Evolution:
        """Time, factor a, rates."""
        assert self.forms.evolution is not None
        return self.forms.evolution

    def set(self, t: float, a: float, history: list[NDArray]) -> None:
        """Choose the time and the formula of the rates: history = [h, g]."""
        self.evolution.t.value[...] = t
        self.evolution.a.value[...] = a
        self.history[:] = history

    def write(self, x: Any) -> None:
        """The unknowns and their rates <- x."""
        super().write(x)
        a = float(self.evolution.a.value)
        for k, (u, rates) in enumerate(zip(self.forms.unknowns, self.evolution.rates, strict=True)):
            owned = slice(self.offsets[k], self.offsets[k + 1])
            values = u.x.array[: self.sizes[k]]
            for rate, h in list(zip(rates, self.history, strict=True))[: self.evolution.orders[k]]:
                values = a * values + h[owned]
                rate.x.array[: self.sizes[k]] = values
                rate.x.scatter_forward()

    def rates(self, x: NDArray) -> list[NDArray]:
        """u' and u'' of all fields, that of those without one included."""
        levels = [x]
        for h in self.history:
            levels.append(float(self.evolution.a.value) * levels[-1] + h)
        return levels[1:]

    def field(self, x: NDArray, k: int) -> NDArray:
        """The part of field k."""
        return x[self.offsets[k] : self.offsets[k + 1]]

    def norms(self, x: NDArray) -> NDArray:
        """The L2 norm of each field."""
        result = []
        for k, matrix in enumerate(self._mass):
            u, image = matrix.createVecs()
            u.array[:] = self.field(x, k)
            matrix.mult(u, image)
            result.append(np.sqrt(max(u.dot(image), 0.0)))
        return np.asarray(result)

    @cached_property
    def _mass(self) -> list[Any]:
        matrices = []
        for space in self.forms.spaces:
            product = ufl.inner(ufl.TrialFunction(space), ufl.TestFunction(space)) * ufl.dx
            matrices.append(petsc.assemble_matrix(compiled(fem.form, product, comm=space.mesh.comm)))
            matrices[-1].assemble()
        return matrices

    def check_mass(self) -> None:
        """InputError if the weak form holds rates of a field that vanish in a part of the domain.

        A mass that depends on the unknowns or on time may vanish at the start, and is not looked at.
        """
        if not (self.forms.linear and self.evolution.constant):
            return
        matrices = []
        for a in (0.0, 1.0):
            self.evolution.a.value[...] = a
            matrices.append(petsc.assemble_matrix(self.forms.jacobian))
            matrices[-1].assemble()
        mass = matrices[1]
        mass.axpy(-1.0, matrices[0])
        _, columns, entries = mass.getValuesCSR()
        total = np.zeros(mass.size[1])
        np.add.at(total, columns, np.abs(entries))
        total = self.comm.allreduce(total, op=MPI.SUM)
        start, end = mass.getOwnershipRange()
        empty = total[start:end] <= ZERO_MASS * total.max()
        for k, order in enumerate(self.evolution.orders):
            rows = np.flatnonzero(self.field(empty, k))
            place = self._place(int(self.offsets[k] + rows[0])) if order and len(rows) else None
            found = next((p for p in self.comm.allgather(place) if p), None)
            if found:
                where = f" near x = {found[1]}" if found[1] else ""
                raise InputError(
                    f"the mass matrix of field {found[0]!r} is singular: the factor of its time derivative is zero"
                    f"{where}; give that part or component a field of its own, without dt(...)"
                )
