"""Tempering as the model of a Solution: u(t, x) and its gradient by samples drawn anew for every point asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from mlpde.formulation.stochastic import ForwardBackwardSDE
from mlpde.formulation.tempering import tempered_at
from mlpde.formulation.torch_expression import Alpha
from mlpde.representation.start_value import gradient_at_start
from mlpde.representation.value_in_time import StoredNumbers, jets_in_time


@dataclass(frozen=True)
class TemperedExpectation:
    """u for the driver -(a / 2) |z|^2 at any points (x, t), by samples that `seed` fixes, and g at the end.

    y0, z0 (d,): u and sigma^T grad u at (0, x0), which more samples have found; they are taken there.
    """

    sde: ForwardBackwardSDE
    a: float
    seed: int
    y0: float
    z0: torch.Tensor

    kind: ClassVar[str] = "tempered_expectation"
    local: ClassVar[bool] = True  # x is in the whole space, of which there is no error

    def jets(self, points: np.ndarray, derivatives: Iterable[Alpha]) -> dict[Alpha, np.ndarray]:
        """As `jets_in_time`."""
        sde = self.sde
        better = torch.as_tensor(gradient_at_start(sde, self.z0)).to(sde.x0.device)

        def at(t: float, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            value, gradient = tempered_at(sde, self.a, t, x, self.seed)
            start = (x == sde.x0).all(1) & (t == 0)
            known = start[:, None] & ~better.isnan()
            return torch.where(start, self.y0, value.double()), torch.where(known, better, gradient.double())

        return jets_in_time(sde, at, points, derivatives)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """y0 and z0; the functions are text of the case."""
        return {"y0": np.array([self.y0]), "z0": self.z0.cpu().numpy()}, {}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray], settings: Mapping[str, Any]) -> StoredNumbers:
        """Without the terminal value by which samples are weighted: it is the case's own."""
        return StoredNumbers(dict(arrays))
