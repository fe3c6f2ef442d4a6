"""u and its gradient at one place, the start (0, x0) of the paths: all that methods for this value alone return."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from mlpde.errors import InputError
from mlpde.formulation.stochastic import ForwardBackwardSDE
from mlpde.formulation.torch_expression import Alpha

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ValueAtStart:
    """value = u(0, x0), gradient (d,) = grad u(0, x0) at x0 (d,); nothing is known elsewhere."""

    x0: Array
    value: float
    gradient: Array
    kind: ClassVar[str] = "value_at_start"
    local: ClassVar[bool] = True

    def jets(self, points: Array, derivatives: Iterable[Alpha]) -> dict[Alpha, Array]:
        """() and (i,), each (n, 1), at points (n, d + 1) that all are (x0, 0); anything else raises InputError."""
        derivatives, dim = list(derivatives), len(self.x0)
        if not np.array_equal(points, np.broadcast_to([*self.x0, 0.0], (len(points), dim + 1))):
            raise InputError(
                "this method finds u and its gradient at t = 0 and x = x0 alone, no function of x and t: "
                "for values elsewhere set x0 there, or take a solver such as bsde"
            )
        if any(len(alpha) > 1 or max(alpha, default=0) >= dim for alpha in derivatives):
            raise InputError(
                "this method finds u and its gradient in space, an output needs other derivatives"
            )
        return {
            alpha: np.full((len(points), 1), self.gradient[alpha[0]] if alpha else self.value)
            for alpha in derivatives
        }

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """The three of them."""
        return {"x0": self.x0, "value": np.array([self.value]), "gradient": self.gradient}, {}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray], settings: Mapping[str, Any]) -> ValueAtStart:
        """From what `state` gave."""
        return cls(arrays["x0"], float(arrays["value"][0]), arrays["gradient"])


def gradient_at_start(sde: ForwardBackwardSDE, z: torch.Tensor) -> Array:
    """grad u (d,) at (0, x0) from z = sigma^T grad u (d,) there; nan where sigma is singular."""
    one_by_one = torch.eye(sde.dim, dtype=z.dtype, device=z.device)
    transposed = sde.diffused(0.0, sde.x0.expand(sde.dim, -1), one_by_one)  # row i: sigma e_i
    gradient, failed = torch.linalg.solve_ex(transposed.double(), z.double())
    return np.full(sde.dim, np.nan) if int(failed) else gradient.cpu().numpy()
