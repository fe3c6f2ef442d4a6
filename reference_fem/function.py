"""A finite element function as plain arrays: values at the nodes of every cell's own reference coordinates.

    u(x) = sum_i  values[cell, i]  phi_i(xi),      x = X(xi) the (curved) map of the cell

Every cell carries all its nodal values, so evaluation needs no global numbering, no orientation and no DOLFINx, and the
pieces of a parallel run are put together by concatenation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import basix
import numpy as np
from numpy.typing import NDArray

from geometry import Mesh
from geometry.reference import quadrature_rule, tabulate
from mlpde.errors import InputError

CELLS = {1: basix.CellType.interval, 2: basix.CellType.triangle, 3: basix.CellType.tetrahedron}
VARIANT = basix.LagrangeVariant.gll_warped  # DOLFINx's own choice of nodes
CHUNK = 100_000  # points at a time, to bound memory

Array = NDArray[np.float64]


@lru_cache
def lagrange(dim: int, degree: int) -> Any:
    """The Lagrange element of `degree` on the reference simplex."""
    return basix.create_element(basix.ElementFamily.P, CELLS[dim], degree, lagrange_variant=VARIANT)


def _partial(dim: int, directions: tuple[int, ...]) -> int:
    """Position of a derivative in basix's tables."""
    return basix.index(*(directions.count(k) for k in range(dim)))


@dataclass(frozen=True, eq=False)
class FiniteElementFunction:
    """Continuous Lagrange functions on one mesh, one block of components for each field.

    mesh: the curved mesh.  values: for each field (C, nodes, m), the m components at the element's nodes in each cell.
    degrees: of each field.
    """

    kind: ClassVar[str] = "fem"
    mesh: Mesh
    degrees: tuple[int, ...]
    values: tuple[Array, ...]

    def jets(self, points: Array, derivatives: Iterable[tuple[int, ...]]) -> dict[tuple[int, ...], Array]:
        """The derivatives asked for, each (n, M), at points (n, d); nan outside the mesh.

        () is the value, (i,) the first and (i, j) the second derivatives in x.  Points that `Mesh.locate` finds just
        outside a curved boundary are extrapolated from the cell beside them.  Raises InputError for third derivatives.
        """
        wanted, points = list(derivatives), np.asarray(points, dtype=np.float64)
        pieces = []
        for start in range(0, max(len(points), 1), CHUNK):
            cells, xi, _ = self.mesh.locate(points[start : start + CHUNK])
            pieces.append(self.jets_at(cells, xi, wanted))
        return {alpha: np.concatenate([piece[alpha] for piece in pieces]) for alpha in wanted}

    def jets_at(
        self, cells: NDArray, xi: Array, derivatives: Iterable[tuple[int, ...]]
    ) -> dict[tuple[int, ...], Array]:
        """`jets` at reference coordinates xi (n, d) of the cells (n,); nan where the cell is -1."""
        return cell_jets(
            self.mesh, self.degrees, [values[cells] for values in self.values], cells, xi, derivatives
        )

    def quadrature(self, degree: int) -> Iterator[tuple[NDArray, Array, Array]]:
        """Cells (n,), reference points (n, d) and weights (n,) on the whole mesh, in pieces of bounded size."""
        xi, weights = quadrature_rule(self.mesh.dim, degree)
        step = max(1, CHUNK // len(weights))
        for start in range(0, len(self.mesh.cells), step):
            numbers = np.arange(start, min(start + step, len(self.mesh.cells)))
            cells, points = np.repeat(numbers, len(weights)), np.tile(xi, (len(numbers), 1))
            measure = np.linalg.det(self.mesh.jacobians(cells, points))
            yield cells, points, np.tile(weights, len(numbers)) * measure

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Arrays and JSON settings from which `from_state` restores the function, its mesh included."""
        arrays = {f"mesh.{name}": array for name, array in self.mesh.arrays().items()}
        arrays |= {f"values.{k}": values for k, values in enumerate(self.values)}
        return arrays, {"degrees": list(self.degrees)}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray], settings: Mapping[str, Any]) -> FiniteElementFunction:
        """The function that `state` was taken from."""
        prefix = "mesh."
        mesh = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        degrees = tuple(settings["degrees"])
        return cls(Mesh.from_arrays(mesh), degrees, tuple(arrays[f"values.{k}"] for k in range(len(degrees))))


def cell_jets(
    mesh: Mesh,
    degrees: Sequence[int],
    nodal: Sequence[Array],
    cells: NDArray,
    xi: Array,
    derivatives: Iterable[tuple[int, ...]],
) -> dict[tuple[int, ...], Array]:
    """The derivatives (n, M) at reference coordinates xi (n, d) of the cells (n,); nan where the cell is -1.

    nodal: for each field of `degrees` its values (n, nodes, m) at the nodes of the point's cell.
    """
    wanted, dim = list(derivatives), mesh.dim
    for alpha in wanted:
        if len(alpha) > 2 or not all(0 <= k < dim for k in alpha):
            raise InputError(
                f"a finite element function in {dim}-D has derivatives of order 0, 1, 2 in the directions "
                f"0 ... {dim - 1}; {alpha} was asked for"
            )
    order = max(map(len, wanted), default=0)
    outside = cells < 0
    cells, xi = np.where(outside, 0, cells), np.where(outside[:, None], 1 / (dim + 1), xi)
    tables = {
        degree: lagrange(dim, degree).tabulate(order, np.ascontiguousarray(xi))[..., 0]
        for degree in set(degrees)
    }

    def reference_derivative(directions: tuple[int, ...]) -> Array:
        row = _partial(dim, directions)
        blocks = [
            np.einsum("na,nam->nm", tables[p][row], values) for p, values in zip(degrees, nodal, strict=True)
        ]
        return np.concatenate(blocks, axis=1)

    result: dict[tuple[int, ...], Array] = {(): reference_derivative(())} if () in wanted else {}
    if order:
        inverse = np.linalg.inv(mesh.jacobians(cells, xi))  # (n, reference, x)
        slopes = np.stack([reference_derivative((k,)) for k in range(dim)], axis=-1)
        gradient = np.einsum("nmk,nki->nmi", slopes, inverse)
        result |= {alpha: gradient[..., alpha[0]] for alpha in wanted if len(alpha) == 1}
    if order == 2:
        # d2u/dxi2 = J^T (d2u/dx2) J + sum_k du/dx_k d2x_k/dxi2
        shape = tabulate(dim, mesh.order, xi, 2)
        nodes = mesh.points[mesh.cells[cells]]
        hessian = np.empty((*gradient.shape, dim))
        for i in range(dim):
            for j in range(i, dim):
                bend = np.einsum("na,nak->nk", shape[_partial(dim, (i, j))], nodes)
                curvature = np.einsum("nmk,nk->nm", gradient, bend)
                hessian[..., i, j] = hessian[..., j, i] = reference_derivative((i, j)) - curvature
        hessian = np.einsum("nki,nmkl,nlj->nmij", inverse, hessian, inverse, optimize=True)
        result |= {alpha: hessian[..., alpha[0], alpha[1]] for alpha in wanted if len(alpha) == 2}
    for value in result.values():
        value[outside] = np.nan
    return result
