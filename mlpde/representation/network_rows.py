"""The rows of a strong form as a nonlinear least-squares problem for the parameters of a network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from mlpde.formulation.sampling import Located
from mlpde.formulation.weighting import sizes


class WeightedRows(NamedTuple):
    """Rows whose residual is a mean square, of the size of the unknown rather than of its derivatives."""

    located: Located
    weights: torch.Tensor  # (equations,)

    def values(self, side: Located, jets: Any) -> torch.Tensor:
        """The weighted residual (n, K) of one side."""
        return side.rows.residual(side.points, side.normals, jets) * self.weights


@dataclass(frozen=True)
class NetworkRows:
    """r(theta), weighted: all rows of a strong form, one after the other, (N,)."""

    network: Any  # a Network or what has its protocol
    groups: Sequence[WeightedRows]

    @property
    def points(self) -> int:
        """Number of points, counted for each group of rows."""
        return sum(len(group.located.points) for group in self.groups)

    @property
    def count(self) -> int:
        """Number of rows N."""
        return sum(len(g.located.points) * g.located.rows.equations for g in self.groups)

    def residual(self, theta: torch.Tensor) -> torch.Tensor:
        """r (N,), differentiable in theta (P,)."""
        return torch.cat(
            [
                torch.stack(
                    [
                        group.values(side, self.network.jets(theta, side.points, _sorted(side)))
                        for side in group.located.sides
                    ]
                )
                .sum(0)
                .flatten()
                for group in self.groups
            ]
        )

    def residual_and_jacobian(self, theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """r (N,) and its Jacobian (N, P)."""
        residuals, jacobians = [], []
        for group in self.groups:
            parts = [
                self.network.jacobian(
                    theta, side.points, _sorted(side), lambda jets, g=group, s=side: g.values(s, jets)
                )
                for side in group.located.sides
            ]
            residuals.append(sum((r for r, _ in parts[1:]), parts[0][0]).flatten())
            jacobians.append(sum((j for _, j in parts[1:]), parts[0][1]))
        return torch.cat(residuals), torch.cat(jacobians)

    def loss_and_gradient(self, theta: torch.Tensor) -> tuple[float, torch.Tensor]:
        """1/2 |r|^2 and its gradient (P,)."""
        with torch.enable_grad():
            leaf = theta.detach().requires_grad_()
            loss = 0.5 * self.residual(leaf).square().sum()
            (gradient,) = torch.autograd.grad(loss, leaf)
        return float(loss.detach()), gradient


def network_rows(network: Any, theta: torch.Tensor, located: Sequence[Located], domain: Any) -> NetworkRows:
    """Divide each equation by its size, so that no weight is left to choose (see `formulation.weighting`).

    A nonlinear equation is linearised about the network at theta.
    """

    found = sizes(located, lambda side, alphas: network.jets(theta, side.points, sorted(alphas)), domain)
    return NetworkRows(
        network,
        [
            WeightedRows(part, 1 / (size * math.sqrt(len(part.points))))
            for part, size in zip(located, found, strict=True)
        ],
    )


def _sorted(located: Located) -> list[tuple[int, ...]]:
    return sorted(located.rows.derivatives)
