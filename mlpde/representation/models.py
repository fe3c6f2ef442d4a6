"""The representations as models of a Solution: arrays in, arrays out, and what a file needs to restore them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
import torch

from geometry.pieces import Arc, Segment
from mlpde.representation.corner_functions import CornerFunction
from mlpde.representation.distances import Distance, Wall
from mlpde.representation.features import Corner, LogDistance, WallDistance
from mlpde.representation.hard_conditions import Hard, HardNetwork, Lift, Trace
from mlpde.representation.hard_interval import End, IntervalDistance, IntervalLift, Series
from mlpde.representation.heat_layers import HeatLayer
from mlpde.representation.network import Network
from mlpde.representation.networks import NETWORKS
from mlpde.representation.partition_of_unity import Alpha
from mlpde.representation.product_window import WindowedNetwork
from mlpde.representation.random_features import RandomFeatures
from mlpde.representation.stokes_corners import StokesCorner
from mlpde.representation.with_flows import WithFlows

QUADRATURE_DEGREE = 8  # of the means


@dataclass(frozen=True)
class RandomFeatureModel:
    """Random features with their coefficients (components, count); `shift` (components,) is added to the values."""

    features: RandomFeatures
    values: torch.Tensor
    shift: torch.Tensor

    kind: ClassVar[str] = "random_features"

    @property
    def components(self) -> int:
        """Number of scalar components."""
        return len(self.shift)

    def jets(self, points: np.ndarray, derivatives: Iterable[Alpha]) -> dict[Alpha, np.ndarray]:
        """D^alpha u (n, components) at points (n, D)."""
        jets = self.features.evaluate(torch.as_tensor(points), self.values, list(derivatives))
        return shifted(jets, self.shift)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and settings for `from_state`."""
        arrays = {"coefficients": self.values.numpy(), "shift": self.shift.numpy()}
        return self.features.arrays() | arrays, self.features.settings()

    @classmethod
    def from_state(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> RandomFeatureModel:
        """The model that `state` described."""
        values, shift = (torch.as_tensor(arrays[name]) for name in ("coefficients", "shift"))
        return cls(RandomFeatures.restore(arrays, settings), values, shift)


@dataclass(frozen=True)
class Regionwise:
    """A model for each region of a mesh, in the order of its regions."""

    parts: tuple[RandomFeatureModel, ...]
    mesh: Any

    kind: ClassVar[str] = "random_features_by_region"

    @property
    def components(self) -> int:
        """Number of scalar components."""
        return self.parts[0].components

    def jets(self, points: np.ndarray, derivatives: Iterable[Alpha]) -> dict[Alpha, np.ndarray]:
        """D^alpha u (n, components) at points (n, D), each from the side on which the mesh has it."""
        region = self.mesh.cell_regions[self.mesh.locate(points[:, : self.mesh.dim])[0]]
        return _by_number(self.parts, region, points, list(derivatives))

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and settings for `from_state`."""
        arrays, settings = _states(self.parts)
        return arrays | {f"mesh.{k}": a for k, a in self.mesh.arrays().items()}, {"parts": settings}

    @classmethod
    def from_state(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> Regionwise:
        """The model that `state` described."""
        from geometry import Mesh

        return cls(_restored(arrays, settings["parts"]), Mesh.from_arrays(_named(arrays, "mesh")))


Features = RandomFeatureModel | Regionwise


@dataclass(frozen=True)
class TimeBlocks:
    """Models of successive blocks of time, points (n, d + 1) with the time last; ends: of all blocks but the last."""

    blocks: tuple[Features, ...]
    ends: tuple[float, ...]

    kind: ClassVar[str] = "random_features_in_blocks"

    def jets(self, points: np.ndarray, derivatives: Iterable[Alpha]) -> dict[Alpha, np.ndarray]:
        """D^alpha u (n, components) at points (n, d + 1)."""
        return _by_number(self.blocks, np.searchsorted(self.ends, points[:, -1]), points, list(derivatives))

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and settings for `from_state`."""
        arrays, settings = _states(self.blocks)
        return arrays, {"ends": list(self.ends), "blocks": settings}

    @classmethod
    def from_state(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> TimeBlocks:
        """The model that `state` described."""
        return cls(_restored(arrays, settings["blocks"]), tuple(settings["ends"]))


@dataclass(frozen=True)
class MeanFree:
    """A model in time, some components of which are shifted to mean zero over the domain, at each time by itself.

    points (q, d), weights (q,): the quadrature of the means.
    """

    model: Features | TimeBlocks
    shifted: tuple[int, ...]
    points: np.ndarray
    weights: np.ndarray

    kind: ClassVar[str] = "mean_free"

    def jets(self, points: np.ndarray, derivatives: Iterable[Alpha]) -> dict[Alpha, np.ndarray]:
        """D^alpha u (n, components) at points (n, d + 1)."""
        jets = self.model.jets(points, derivatives := list(derivatives))
        by_time = [alpha for alpha in derivatives if set(alpha) <= {points.shape[1] - 1}]
        times, number = np.unique(points[:, -1], return_inverse=True)
        columns = list(self.shifted)
        for k, t in enumerate(times if by_time else ()):
            everywhere = np.column_stack([self.points, np.full(len(self.points), t)])
            for alpha, values in self.model.jets(everywhere, by_time).items():
                means = self.weights @ values[:, columns] / self.weights.sum()
                jets[alpha][np.ix_(number == k, columns)] -= means
        return jets

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and settings for `from_state`."""
        arrays, settings = _states((self.model,))
        own = {"mean.points": self.points, "mean.weights": self.weights}
        return arrays | own, {"model": settings, "shifted": list(self.shifted)}

    @classmethod
    def from_state(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> MeanFree:
        """The model that `state` described."""
        (model,), own = _restored(arrays, settings["model"]), _named(arrays, "mean")
        return cls(model, tuple(settings["shifted"]), own["points"], own["weights"])


def _by_number(
    models: tuple[Features, ...], number: np.ndarray, points: np.ndarray, derivatives: list[Alpha]
) -> dict[Alpha, np.ndarray]:
    """The jets at points (n, D) of which each belongs to the model of its number (n,)."""
    jets = {alpha: np.empty((len(points), models[0].components)) for alpha in derivatives}
    for k in np.unique(number):
        here = number == k
        for alpha, values in models[k].jets(points[here], derivatives).items():
            jets[alpha][here] = values
    return jets


def _states(models: tuple[Any, ...]) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    states = [model.state() for model in models]
    arrays = {f"{k}.{name}": a for k, (found, _) in enumerate(states) for name, a in found.items()}
    kinds = [model.kind for model in models]
    return arrays, [{"kind": kind} | settings for kind, (_, settings) in zip(kinds, states, strict=True)]


def _restored(arrays: Mapping[str, np.ndarray], settings: list[dict[str, Any]]) -> tuple[Any, ...]:
    classes: dict[str, Any] = {c.kind: c for c in (RandomFeatureModel, Regionwise, TimeBlocks)}
    return tuple(
        classes[one["kind"]].from_state(_named(arrays, str(k)), one) for k, one in enumerate(settings)
    )


def _named(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.split(".", 1)[1]: a for name, a in arrays.items() if name.split(".", 1)[0] == prefix}


@dataclass(frozen=True)
class NetworkModel:
    """A network with its parameters (P,); `shift` (components,) is added to the values."""

    network: Network | HardNetwork | WindowedNetwork | WithFlows
    parameters: torch.Tensor
    shift: torch.Tensor

    kind: ClassVar[str] = "network"

    def jets(self, points: np.ndarray, derivatives: Iterable[Alpha]) -> dict[Alpha, np.ndarray]:
        """D^alpha u (n, components) at points (n, D)."""
        with torch.no_grad():
            jets = self.network.jets(self.parameters, torch.as_tensor(points), derivatives)
        return shifted(jets, self.shift)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and settings for `from_state`."""
        return {"parameters": self.parameters.numpy(), "shift": self.shift.numpy()}, _described(self.network)

    @classmethod
    def from_state(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> NetworkModel:
        """The model that `state` described."""
        return cls(_rebuilt(settings), *(torch.as_tensor(arrays[name]) for name in ("parameters", "shift")))


PARTS: dict[str, Any] = {
    part.__name__: part
    for part in (*NETWORKS, WindowedNetwork, HardNetwork, Hard, Lift, Trace, Distance, Wall, Segment, Arc)
    + (Corner, CornerFunction, LogDistance, WallDistance, HeatLayer, StokesCorner, WithFlows)
    + (IntervalDistance, IntervalLift, End, Series)
}


def _described(part: Any) -> Any:
    """A frozen dataclass or named tuple of PARTS as plain data, its class under "part"."""
    if type(part).__name__ in PARTS:
        names = getattr(part, "_fields", None) or [f.name for f in fields(part)]
        return {"part": type(part).__name__} | {name: _described(getattr(part, name)) for name in names}
    return [_described(p) for p in part] if isinstance(part, tuple) else part


def _rebuilt(data: Any) -> Any:
    if isinstance(data, Mapping):
        return PARTS[data["part"]](
            **{name: _rebuilt(value) for name, value in data.items() if name != "part"}
        )
    return tuple(_rebuilt(d) for d in data) if isinstance(data, list) else data


def shifted(jets: Mapping[Alpha, torch.Tensor], shift: torch.Tensor) -> dict[Alpha, np.ndarray]:
    """The jets as arrays, with constants (components,) added to the values."""
    return {alpha: (jet if alpha else jet + shift).numpy() for alpha, jet in jets.items()}


def mean_free(model: Any, problem: Any) -> Any:
    """The model with every `mean_zero` field shifted to mean zero over the domain: the equations leave it free."""
    components = [(f, k) for f in problem.fields for k in range(f.size)]
    free = [number for number, (f, _) in enumerate(components) if f.mean_zero]
    if not free:
        return model
    points, weights = problem.domain.quadrature(QUADRATURE_DEGREE)
    if problem.time is not None:
        return MeanFree(model, tuple(free), points, weights)
    shift = torch.zeros(len(components), dtype=torch.float64)
    shift[free] = -torch.as_tensor(weights @ model.jets(points, [()])[()][:, free] / weights.sum())
    if isinstance(model, Regionwise):
        return replace(model, parts=tuple(replace(part, shift=part.shift + shift) for part in model.parts))
    return replace(model, shift=model.shift + shift)
