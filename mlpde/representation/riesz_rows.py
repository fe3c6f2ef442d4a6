"""The weak residual of a network against its exact adversary, and its conditions, as one least-squares residual."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from mlpde.formulation.residual import Rows
from mlpde.formulation.riesz import RieszResidual, State
from mlpde.formulation.sampling import Located
from mlpde.formulation.torch_expression import Jets


def state_of(network: Any, theta: torch.Tensor) -> State:
    """The network as a function, without derivatives in its parameters."""

    def state(points: torch.Tensor, derivatives: Any) -> Jets:
        with torch.no_grad():
            return network.jets(theta, points, derivatives)

    return state


@dataclass(frozen=True)
class Condition:
    """u_m - g = 0 at points of the boundary, as a mean square over all of it: the units are those of the unknown."""

    located: Located
    weight: float

    def values(self, jets: Jets) -> torch.Tensor:
        """The weighted residual (n, K)."""
        return self.located.rows.residual(self.located.points, self.located.normals, jets) * self.weight


def on_boundary(
    conditions: Sequence[Rows], domain: Any, points: int, seed: int | None = None
) -> list[Condition]:
    """Each condition at its share of about so many points, evenly spread or by `seed`."""
    total = sum(domain.boundary(name, 1)[1].sum() for name in domain.boundaries)
    found = []
    for rows in conditions:
        if rows.kind == "point":
            x = torch.tensor([rows.where], dtype=torch.float64)
            found.append(Condition(Located(rows, x, None), 1.0))
            continue
        share = domain.boundary(rows.where, 1)[1].sum() / total
        x, _, normals = domain.boundary(rows.where, math.ceil(points * share), seed=seed)
        located = Located(rows, torch.as_tensor(x), torch.as_tensor(normals))
        found.append(Condition(located, math.sqrt(share / len(x))))
    return found


@dataclass(frozen=True, eq=False)
class RieszRows:
    """r(theta) = (L^-1 F, weighted conditions), (N,), of a network with the protocol of `Network`."""

    network: Any
    tested: RieszResidual
    conditions: Sequence[Condition]

    @cached_property
    def _factors(self) -> list[torch.Tensor]:
        return self.tested.factorise()

    def _whitened(self, functional: np.ndarray) -> list[torch.Tensor]:
        columns = torch.as_tensor(functional)
        return [
            torch.linalg.solve_triangular(factor, columns[block], upper=False)
            for factor, block in zip(self._factors, self.tested.blocks, strict=True)
        ]

    def residual(self, theta: torch.Tensor) -> torch.Tensor:
        """r (N,)."""
        state = state_of(self.network, theta)
        parts = self._whitened(self.tested.functional(state)[:, None])
        parts += [c.values(state(c.located.points, [()])).reshape(-1, 1) for c in self.conditions]
        return torch.cat(parts)[:, 0]

    def residual_and_jacobian(self, theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """r (N,) and its Jacobian (N, P)."""
        f, slope = self.tested.jacobian(lambda *of: self.network.jacobian(theta, *of))
        parts = self._whitened(np.column_stack([f, slope]))
        for c in self.conditions:
            r, jacobian = self.network.jacobian(theta, c.located.points, [()], c.values)
            parts.append(torch.cat([r.reshape(-1, 1), jacobian], 1))
        joined = torch.cat(parts)
        return joined[:, 0], joined[:, 1:]


def relative_conditions(conditions: Sequence[Condition], state: State, size: np.ndarray) -> float:
    """The largest rms of u_m - g over the size (M,) of the unknown, at the conditions' points.

    A condition on an unknown whose size is zero counts by its datum's.
    """
    worst = 0.0
    for c in conditions:
        points = c.located.points
        jets = state(points, [()])
        residual, terms = c.located.rows.linearise(points, c.located.normals, jets)
        for k, m, _, _ in terms:
            datum = (residual[:, k] - jets[()][:, m]).square().mean().sqrt()
            scale = float(datum) + size[m]
            if scale > 0:
                worst = max(worst, float(residual[:, k].square().mean().sqrt()) / scale)
    return worst
