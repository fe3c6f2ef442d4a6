"""The representations as models of a Solution: arrays in, arrays out, and what a file needs to restore them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from mlpde.representation.networks import MLP
from mlpde.representation.partition_of_unity import Alpha
from mlpde.representation.random_features import RandomFeatures


@dataclass(frozen=True)
class RandomFeatureModel:
    """Random features with their coefficients (components, count)."""

    features: RandomFeatures
    values: torch.Tensor

    kind: ClassVar[str] = "random_features"

    def jets(self, points: np.ndarray, derivatives: Iterable[Alpha]) -> dict[Alpha, np.ndarray]:
        """D^alpha u (n, components) at points (n, D)."""
        jets = self.features.evaluate(torch.as_tensor(points), self.values, list(derivatives))
        return {alpha: jet.numpy() for alpha, jet in jets.items()}

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and settings for `from_state`."""
        return self.features.arrays() | {"coefficients": self.values.numpy()}, self.features.settings()

    @classmethod
    def from_state(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> RandomFeatureModel:
        """The model that `state` described."""
        return cls(RandomFeatures.restore(arrays, settings), torch.as_tensor(arrays["coefficients"]))


@dataclass(frozen=True)
class NetworkModel:
    """A network with its parameters (P,)."""

    network: MLP
    parameters: torch.Tensor

    kind: ClassVar[str] = "network"

    def jets(self, points: np.ndarray, derivatives: Iterable[Alpha]) -> dict[Alpha, np.ndarray]:
        """D^alpha u (n, components) at points (n, D)."""
        with torch.no_grad():
            jets = self.network.jets(self.parameters, torch.as_tensor(points), derivatives)
        return {alpha: jet.numpy() for alpha, jet in jets.items()}

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and settings for `from_state`."""
        return {"parameters": self.parameters.numpy()}, asdict(self.network)

    @classmethod
    def from_state(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> NetworkModel:
        """The model that `state` described."""
        settings = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
        return cls(MLP(**settings), torch.as_tensor(arrays["parameters"]))
