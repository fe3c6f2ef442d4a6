"""Eigenmodes as networks, each by the protocol of a single one: eigenvalues, and the modes as a model of a Solution."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from mlpde.errors import InputError
from mlpde.formulation.torch_expression import Alpha
from mlpde.representation.models import NetworkModel


@dataclass(frozen=True, eq=False)
class NetworkModes:
    """eigenvalues (K,), ascending.  Mode k is sum_j mixing[j, k] network_j.  As a function it is its first mode."""

    kind: ClassVar[str] = "network_modes"
    eigenvalues: np.ndarray
    networks: tuple[NetworkModel, ...]
    mixing: np.ndarray

    def mode(self, k: int) -> NetworkModes:
        """Mode k, from 0, as a function of its own; InputError if there are fewer."""
        if not 0 <= k < len(self.eigenvalues):
            raise InputError(f"mode {k}: the solution has the modes 0 ... {len(self.eigenvalues) - 1}")
        return NetworkModes(self.eigenvalues[k : k + 1], self.networks, self.mixing[:, k : k + 1])

    def mode_jets(self, points: np.ndarray, derivatives: Iterable[Alpha]) -> dict[Alpha, np.ndarray]:
        """D^alpha of all modes (n, K, M)."""
        wanted = list(derivatives)
        jets = [network.jets(points, wanted) for network in self.networks]
        return {
            alpha: np.einsum("jnm,jk->nkm", np.stack([one[alpha] for one in jets]), self.mixing)
            for alpha in wanted
        }

    def jets(self, points: np.ndarray, derivatives: Iterable[Alpha]) -> dict[Alpha, np.ndarray]:
        """Those of the first mode, (n, M)."""
        return {alpha: jet[:, 0] for alpha, jet in self.mode_jets(points, derivatives).items()}

    def combined(self, coefficients: np.ndarray) -> NetworkModes:
        """The modes sum_j coefficients[j, k] mode_j, with the first eigenvalues."""
        own, count = coefficients.shape
        return replace(self, eigenvalues=self.eigenvalues[:count], mixing=self.mixing[:, :own] @ coefficients)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and settings for `from_state`."""
        arrays = {"eigenvalues": self.eigenvalues, "mixing": self.mixing}
        settings = []
        for k, network in enumerate(self.networks):
            found, one = network.state()
            arrays |= {f"{k}.{name}": a for name, a in found.items()}
            settings.append(one)
        return arrays, {"networks": settings}

    @classmethod
    def from_state(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> NetworkModes:
        """The modes that `state` described."""
        networks = tuple(
            NetworkModel.from_state(
                {name.split(".", 1)[1]: a for name, a in arrays.items() if name.split(".", 1)[0] == str(k)},
                one,
            )
            for k, one in enumerate(settings["networks"])
        )
        return cls(arrays["eigenvalues"], networks, arrays["mixing"])
