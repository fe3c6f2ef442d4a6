"""Functions that vanish on the boundary of a box in any dimension, for the modes of an eigenproblem.

u = w N with w = prod_i (1 - y_i^2) over the constrained directions of the normalised point y in [-1, 1]^d.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

from mlpde.formulation.torch_expression import Alpha, Jets
from mlpde.representation.network import Network

Tensor = torch.Tensor


@dataclass(frozen=True)
class WindowedNetwork:
    """A network N as w N, with the parameters and the protocol of N; derivatives up to the second order.

    directions: those whose two faces carry u = 0.
    """

    network: Network
    directions: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of parameters P."""
        return self.network.size

    def initial(self, seed: int = 0) -> Tensor:
        """Those of N, shape (P,)."""
        return self.network.initial(seed)

    def jets(self, parameters: Tensor, points: Tensor, derivatives: Iterable[Alpha]) -> Jets:
        """As of `Network`, up to the second order."""
        wanted = list(derivatives)
        return self._windowed(self.network.jets(parameters, points, _carried(wanted)), points, wanted)

    def jacobian(
        self,
        parameters: Tensor,
        points: Tensor,
        derivatives: Iterable[Alpha],
        residual: Callable[[Jets], Tensor],
    ) -> tuple[Tensor, Tensor]:
        """As of `Network`, up to the second order."""
        wanted = list(derivatives)
        return self.network.jacobian(
            parameters, points, _carried(wanted), lambda jets: residual(self._windowed(jets, points, wanted))
        )

    def _windowed(self, jets: Jets, points: Tensor, wanted: list[Alpha]) -> Jets:
        lower, upper = points.new_tensor(self.network.lower), points.new_tensor(self.network.upper)
        y, slope = (2 * points - lower - upper) / (upper - lower), 2 / (upper - lower)
        constrained = list(self.directions)
        factors = [
            torch.ones_like(y),
            torch.zeros_like(y),
            torch.zeros_like(y),
        ]  # derivatives of order 0, 1, 2
        for factor, values in zip(
            factors, (1 - y**2, -2 * y * slope, (-2 * slope**2).expand_as(y)), strict=True
        ):
            factor[:, constrained] = values[:, constrained]

        def window(alpha: Alpha) -> Tensor:
            return torch.stack([factors[alpha.count(i)][:, i] for i in range(y.shape[1])]).prod(0)[:, None]

        return {
            alpha: torch.stack([window(one) * jets[other] for one, other in _splits(alpha)]).sum(0)
            for alpha in wanted
        }


def _splits(alpha: Alpha) -> list[tuple[Alpha, Alpha]]:
    """The pairs of derivatives in Leibniz' rule for D^alpha(w N); alpha may be a Laplacian."""
    if alpha and alpha[0] < 0:
        return [pair for i in range(-alpha[0]) for pair in _splits((i, i))]
    chosen = itertools.product((True, False), repeat=len(alpha))
    return [
        (
            tuple(i for i, first in zip(alpha, own, strict=True) if first),
            tuple(i for i, first in zip(alpha, own, strict=True) if not first),
        )
        for own in chosen
    ]


def _carried(wanted: list[Alpha]) -> list[Alpha]:
    return list(dict.fromkeys(other for alpha in wanted for _, other in _splits(alpha)))
