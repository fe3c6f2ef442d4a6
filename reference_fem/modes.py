"""Finite element eigenmodes on one mesh, stored together, so that a point is located once for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mlpde.errors import InputError
from reference_fem.function import Array, FiniteElementFunction


@dataclass(frozen=True, eq=False)
class FiniteElementModes:
    """eigenvalues (K,), ascending, and their modes.  As a function it is its first mode.

    together: the K modes side by side, field by field: values[f] is (C, nodes, K m_f), mode after mode.
    """

    kind: ClassVar[str] = "fem_modes"
    eigenvalues: Array
    together: FiniteElementFunction

    @classmethod
    def of(cls, eigenvalues: Array, functions: list[FiniteElementFunction]) -> FiniteElementModes:
        """The modes given one by one."""
        first = functions[0]
        values = tuple(
            np.concatenate(parts, axis=2) for parts in zip(*(f.values for f in functions), strict=True)
        )
        return cls(np.asarray(eigenvalues), FiniteElementFunction(first.mesh, first.degrees, values))

    @property
    def mesh(self) -> Any:
        """The mesh of all modes."""
        return self.together.mesh

    def mode(self, k: int) -> FiniteElementFunction:
        """Mode k, from 0, as a function of its own; InputError if there are fewer."""
        if not 0 <= k < len(self.eigenvalues):
            raise InputError(f"mode {k}: the solution has the modes 0 ... {len(self.eigenvalues) - 1}")
        return replace(self.together, values=tuple(values[:, :, k] for values in self._split()))

    def mode_jets(
        self, points: Array, derivatives: Iterable[tuple[int, ...]]
    ) -> dict[tuple[int, ...], Array]:
        """The derivatives asked for, each (n, K, M), at points (n, d); nan outside the mesh."""
        count = len(self.eigenvalues)
        ends = np.cumsum([values.shape[2] for values in self.together.values])[:-1]
        return {
            alpha: np.concatenate([v.reshape(len(v), count, -1) for v in np.split(jet, ends, axis=1)], axis=2)
            for alpha, jet in self.together.jets(points, derivatives).items()
        }

    def combined(self, coefficients: NDArray) -> FiniteElementModes:
        """The modes sum_j coefficients[j, k] mode_j, with the first eigenvalues."""
        own, count = coefficients.shape
        values = tuple(
            np.einsum("cnjm,jk->cnkm", v[:, :, :own], coefficients).reshape(*v.shape[:2], -1)
            for v in self._split()
        )
        return FiniteElementModes(self.eigenvalues[:count], replace(self.together, values=values))

    def jets(self, points: Array, derivatives: Iterable[tuple[int, ...]]) -> dict[tuple[int, ...], Array]:
        """Those of the first mode, (n, M)."""
        return self.mode(0).jets(points, derivatives)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Arrays and JSON settings from which `from_state` restores the modes."""
        arrays, settings = self.together.state()
        return arrays | {"eigenvalues": self.eigenvalues}, settings

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray], settings: Mapping[str, Any]) -> FiniteElementModes:
        """The modes that `state` was taken from."""
        return cls(arrays["eigenvalues"], FiniteElementFunction.from_state(arrays, settings))

    def _split(self) -> list[Array]:
        """Per field (C, nodes, K, m)."""
        return [v.reshape(*v.shape[:2], len(self.eigenvalues), -1) for v in self.together.values]
