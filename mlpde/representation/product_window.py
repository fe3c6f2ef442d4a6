"""Functions that vanish on the boundary of a box in any dimension, for the modes of an eigenproblem.

u = w N with w = prod_i (1 - y_i^2) over the constrained directions of the normalised point y in [-1, 1]^d.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

from mlpde.formulation.torch_expression import Alpha, Jets
from mlpde.representation.network import Network

Tensor = torch.Tensor


@dataclass(frozen=True)
class WindowedNetwork:
    """A network N as w N, with the parameters and the protocol of N; values and first derivatives.

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
        """As of `Network`, for values and first derivatives."""
        wanted = list(derivatives)
        return self._windowed(self.network.jets(parameters, points, _carried(wanted)), points, wanted)

    def jacobian(
        self,
        parameters: Tensor,
        points: Tensor,
        derivatives: Iterable[Alpha],
        residual: Callable[[Jets], Tensor],
    ) -> tuple[Tensor, Tensor]:
        """As of `Network`, for values and first derivatives."""
        wanted = list(derivatives)
        return self.network.jacobian(
            parameters, points, _carried(wanted), lambda jets: residual(self._windowed(jets, points, wanted))
        )

    def _windowed(self, jets: Jets, points: Tensor, wanted: list[Alpha]) -> Jets:
        lower, upper = points.new_tensor(self.network.lower), points.new_tensor(self.network.upper)
        y, slope = (2 * points - lower - upper) / (upper - lower), 2 / (upper - lower)
        factors = torch.ones_like(y)
        factors[:, list(self.directions)] = 1 - y[:, list(self.directions)] ** 2
        window = factors.prod(1)[:, None]
        found = {}
        for alpha in wanted:
            if not alpha:
                found[alpha] = window * jets[()]
                continue
            (i,) = alpha
            found[alpha] = window * jets[alpha]
            if i in self.directions:
                others = torch.cat([factors[:, :i], factors[:, i + 1 :]], 1).prod(1)
                found[alpha] = found[alpha] - (2 * y[:, i] * slope[i] * others)[:, None] * jets[()]
        return found


def _carried(wanted: list[Alpha]) -> list[Alpha]:
    return list(dict.fromkeys([(), *wanted]))
