"""The mean square of a network's strong residual at random points, and its gradient in the parameters.

J(theta) = sum over groups of rows of  (1/n) sum_i sum_k (w_k r_k(x_i))^2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from mlpde.formulation.residual import PointwiseRows
from mlpde.formulation.sampling import Located
from mlpde.representation.laplacians import Method, estimated_jets
from mlpde.representation.network import Network


@dataclass(frozen=True)
class SquaredResidual:
    """weights: of the equations (K,) of each group of rows.  dim: of space, for the Laplacian."""

    network: Network
    weights: Sequence[tuple[PointwiseRows, torch.Tensor]]
    dim: int

    def __call__(
        self,
        theta: torch.Tensor,
        located: Sequence[Located],
        method: Method = "exact",
        generator: torch.Generator | None = None,
    ) -> tuple[float, torch.Tensor]:
        """J and its gradient (P,) at the points of `located`.

        With an estimate of the Laplacian, r^2 is the product of two independent residuals, so that the mean of J over
        the estimates is that of the exact residual (Sirignano and Spiliopoulos, section 3.1).
        """
        leaf = theta.detach().requires_grad_()
        with torch.enable_grad():
            one = self._residuals(leaf, located, method, generator)
            other = one if method == "exact" else self._residuals(leaf, located, method, generator)
            loss = torch.stack([(a * b).sum(1).mean() for a, b in zip(one, other, strict=True)]).sum()
        return float(loss.detach()), torch.autograd.grad(loss, leaf)[0]

    def _residuals(
        self,
        theta: torch.Tensor,
        located: Sequence[Located],
        method: Method,
        generator: torch.Generator | None,
    ) -> list[torch.Tensor]:
        jets = partial(estimated_jets, self.network, theta, dim=self.dim, method=method, generator=generator)
        return [
            part.residual(lambda side, alphas: jets(side.points, alphas)) * self._weight(part)
            for part in located
        ]

    def _weight(self, part: Located) -> torch.Tensor:
        return next(weight for rows, weight in self.weights if rows is part.rows)
