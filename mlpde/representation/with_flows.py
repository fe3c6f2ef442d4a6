"""A network to which flows at corners are added, each as a whole: u + sum_k c_k S_k, the c_k parameters too."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import torch

from mlpde.formulation.torch_expression import Alpha, Jets
from mlpde.representation.differentiation import at_points
from mlpde.representation.jets import Channels
from mlpde.representation.network import Network
from mlpde.representation.stokes_corners import StokesCorner


@dataclass(frozen=True)
class WithFlows:
    """A network and K flows of a velocity and a pressure, with the protocol of the network; parameters (P + K,)."""

    network: Network
    flows: tuple[StokesCorner, ...]

    @property
    def size(self) -> int:
        """Number of parameters P + K."""
        return self.network.size + len(self.flows)

    def initial(self, seed: int = 0) -> torch.Tensor:
        """Those of the network, and no flow."""
        return torch.nn.functional.pad(self.network.initial(seed), (0, len(self.flows)))

    def jets(self, parameters: torch.Tensor, points: torch.Tensor, derivatives: Iterable[Alpha]) -> Jets:
        """As of `Network`."""
        channels = Channels.of(derivatives, self.network.inputs)
        jets = self.network.jets(parameters[: self.network.size], points, channels.requested)
        flows = self._flows(points, channels)
        c = parameters[self.network.size :]
        return {alpha: value + flows[alpha] @ c for alpha, value in jets.items()}

    def jacobian(
        self,
        parameters: torch.Tensor,
        points: torch.Tensor,
        derivatives: Iterable[Alpha],
        residual: Callable[[Jets], torch.Tensor],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As of `Network`."""
        channels = Channels.of(derivatives, self.network.inputs)
        flows = self._flows(points, channels)
        own = parameters[self.network.size :].expand(len(points), -1).clone().requires_grad_()
        columns: list[torch.Tensor] = []

        def with_flows(jets: Jets) -> torch.Tensor:
            values = residual(
                {a: jets[a] + torch.einsum("nmk,nk->nm", flows[a], own) for a in channels.requested}
            )
            columns.extend(
                torch.autograd.grad(values[:, k].sum(), own, retain_graph=True)[0]
                for k in range(values.shape[1])
            )
            return values

        values, jacobian = self.network.jacobian(
            parameters[: self.network.size], points, channels.requested, with_flows
        )
        return values, torch.cat([jacobian, torch.stack(columns, 1).flatten(0, 1)], 1)

    def _flows(self, points: torch.Tensor, channels: Channels) -> Jets:
        """(n, M, K) of each derivative."""
        found = [
            at_points(points, (flow, channels), partial(flow.jet, points, channels)) for flow in self.flows
        ]
        return channels.select(torch.stack(found, -1))
