"""A finite element function of space and time: nodal values at some times, interpolated by cubics in between.

    u(x, t) = sum_i phi_i(xi) sum_j w_j(t) values[j, i],      j: the four times around t

Nodes shared by cells are stored once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from geometry import Mesh
from reference_fem.difference_formulas import lagrange_weights, stencil
from reference_fem.function import Array, FiniteElementFunction, cell_jets

CHUNK = 20_000  # points at a time, to bound memory


@dataclass(frozen=True, eq=False)
class FiniteElementHistory:
    """times (n,), ascending.

    For each field: nodes (C, nodes), the numbers of the nodes of each cell; values (n, numbers, m); degrees.
    """

    kind: ClassVar[str] = "fem_in_time"
    mesh: Mesh
    degrees: tuple[int, ...]
    times: Array
    nodes: tuple[NDArray, ...]
    values: tuple[Array, ...]

    def jets(self, points: Array, derivatives: Iterable[tuple[int, ...]]) -> dict[tuple[int, ...], Array]:
        """The derivatives asked for, each (n, M), at points and times (n, d + 1); nan outside the mesh.

        Directions 0 ... d - 1 are those of space, up to second order; d is time, up to second order.
        """
        wanted, points = list(derivatives), np.asarray(points, dtype=np.float64)
        pieces = []
        for start in range(0, max(len(points), 1), CHUNK):
            piece = points[start : start + CHUNK]
            cells, xi, _ = self.mesh.locate(piece[:, :-1])
            pieces.append(self._jets_at(cells, xi, piece[:, -1], wanted))
        return {alpha: np.concatenate([piece[alpha] for piece in pieces]) for alpha in wanted}

    def _jets_at(self, cells: NDArray, xi: Array, t: Array, wanted: list[tuple[int, ...]]) -> dict:
        dim = self.mesh.dim
        around = stencil(self.times, t)
        result: dict[tuple[int, ...], Array] = {}
        for order in {alpha.count(dim) for alpha in wanted}:
            spatial = {
                alpha: tuple(i for i in alpha if i != dim) for alpha in wanted if alpha.count(dim) == order
            }
            weights = lagrange_weights(self.times[around], t, order)
            nodal = [
                np.einsum("nj,njam->nam", weights, values[around[:, :, None], nodes[cells][:, None, :]])
                for nodes, values in zip(self.nodes, self.values, strict=True)
            ]
            jets = cell_jets(self.mesh, self.degrees, nodal, cells, xi, set(spatial.values()))
            result |= {alpha: jets[beta] for alpha, beta in spatial.items()}
        return result

    def at(self, times: Array) -> FiniteElementFunction:
        """The functions at several times side by side: the components of each field, time after time."""
        around = stencil(self.times, times)
        weights = lagrange_weights(self.times[around], times)
        together = []
        for nodes, values in zip(self.nodes, self.values, strict=True):
            there = np.einsum("tj,tjam->atm", weights, values[around])
            together.append(there.reshape(len(there), -1)[nodes])
        return FiniteElementFunction(self.mesh, self.degrees, tuple(together))

    def backward(self, end: float) -> FiniteElementHistory:
        """The function of end - t."""
        return replace(self, times=end - self.times[::-1], values=tuple(v[::-1] for v in self.values))

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Arrays and JSON settings from which `from_state` restores the function, its mesh included."""
        arrays = {f"mesh.{name}": array for name, array in self.mesh.arrays().items()}
        arrays["times"] = self.times
        for k, (nodes, values) in enumerate(zip(self.nodes, self.values, strict=True)):
            arrays |= {f"nodes.{k}": nodes, f"values.{k}": values}
        return arrays, {"degrees": list(self.degrees)}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray], settings: Mapping[str, Any]) -> FiniteElementHistory:
        """The function that `state` was taken from."""
        prefix = "mesh."
        mesh = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        degrees = tuple(settings["degrees"])
        parts = [tuple(arrays[f"{name}.{k}"] for k in range(len(degrees))) for name in ("nodes", "values")]
        return cls(Mesh.from_arrays(mesh), degrees, arrays["times"], *parts)
