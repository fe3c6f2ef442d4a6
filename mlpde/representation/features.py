"""Functions that a geometry suggests as further inputs of a network: corner functions, log r of holes, and others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from geometry.pieces import Arc
from mlpde.formulation.residual import StrongForm
from mlpde.formulation.space_time import SpaceTime
from mlpde.formulation.torch_expression import Alpha
from mlpde.representation.corner_functions import CornerFunction, corner_functions
from mlpde.representation.differentiation import jet_of
from mlpde.representation.distances import Distance, distance
from mlpde.representation.heat_layers import HeatLayer, heat_layers
from mlpde.representation.jets import Channels


@dataclass(frozen=True)
class Corner:
    """A corner function over extent^exponent."""

    function: CornerFunction
    extent: float

    def jet(self, points: torch.Tensor, channels: Channels) -> torch.Tensor:
        """(channels, n, 1) at points (n, 2)."""
        factor = self.extent**-self.function.exponent
        alphas: Collection[Alpha] = [a for a in channels.carried if not a or a[0] >= 0]
        found = self.function.derivatives(points, alphas)
        zero = torch.zeros_like(points[:, 0])  # the Laplacian, and derivatives by time
        return factor * torch.stack([found.get(alpha, zero) for alpha in channels.carried])[..., None]


@dataclass(frozen=True)
class LogDistance:
    """log(|x - center| / extent), harmonic outside a hole around the centre."""

    center: tuple[float, float]
    extent: float

    def jet(self, points: torch.Tensor, channels: Channels) -> torch.Tensor:
        """(channels, n, 1) at points (n, 2)."""
        return jet_of(self._values, points, channels)

    def _values(self, x: torch.Tensor) -> torch.Tensor:
        away = (x[:, :2] - x.new_tensor(self.center)) / self.extent
        return 0.5 * torch.log((away * away).sum(1))[:, None]


@dataclass(frozen=True)
class WallDistance:
    """The distance function of a named boundary."""

    distance: Distance

    def jet(self, points: torch.Tensor, channels: Channels) -> torch.Tensor:
        """(channels, n, 1) at points (n, 2)."""
        return jet_of(lambda x: self.distance(x[:, :2])[:, None], points, channels)


Feature = Corner | LogDistance | WallDistance | HeatLayer


def features(form: StrongForm, domain: Any, kinds: Collection[str]) -> tuple[Feature, ...]:
    """Those of the kinds "corners", "holes" (circular ones), "layers" and "distances" (to boundaries that have one)."""
    found: list[Feature] = []
    extent = float(np.ptp(domain.bounding_box, axis=0).max())
    start = None
    if "layers" in kinds:
        found += heat_layers(form, domain)
    if isinstance(domain, SpaceTime):
        domain, start = domain.domain, domain.start
    pieces = getattr(domain, "pieces", {})
    if "corners" in kinds:
        found += [Corner(function, extent) for function in corner_functions(form, domain, start)]
    if "holes" in kinds:
        found += [
            LogDistance(arc.center, extent)
            for arcs in pieces.values()
            for arc in arcs
            if isinstance(arc, Arc) and arc.closed and _is_hole(domain, arc)
        ]
    if "distances" in kinds:
        found += [WallDistance(distance(domain, walls)) for walls in pieces.values()]
    return tuple(found)


def _is_hole(domain: Any, arc: Arc) -> bool:
    """True if the domain is outside a whole circle."""
    away = np.linalg.norm(domain.interior(1) - np.array(arc.center), axis=1)
    return bool(away[0] > arc.radius)
