"""Tempering as the model of a Solution: u(t, x) and its gradient by samples drawn anew for every point asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from mlpde.errors import InputError
from mlpde.formulation.stochastic import ForwardBackwardSDE
from mlpde.formulation.tempering import tempered_at
from mlpde.representation.start_value import gradient_at_start

Alpha = tuple[int, ...]


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
        """Value () and first derivatives in space (i,), each (n, 1), at points (n, d + 1) with the time last."""
        derivatives, sde = list(derivatives), self.sde
        if any(len(alpha) > 1 or max(alpha, default=0) >= sde.dim for alpha in derivatives):
            raise InputError(
                "a BSDE solution offers its value and its gradient in space, no other derivatives"
            )
        value, gradient = np.empty(len(points)), np.empty((len(points), sde.dim))
        for t in np.unique(points[:, -1]):
            rows = points[:, -1] == t
            x = torch.as_tensor(points[rows, :-1]).to(sde.x0)
            value[rows], gradient[rows] = (
                part.cpu().numpy() for part in tempered_at(sde, self.a, float(t), x, self.seed)
            )
        start = (points[:, -1] == 0) & (points[:, :-1] == sde.x0.cpu().numpy()).all(1)
        better = gradient_at_start(sde, self.z0)
        value[start] = self.y0
        gradient[start] = np.where(np.isnan(better), gradient[start], better)
        return {alpha: (gradient[:, alpha[0]] if alpha else value)[:, None] for alpha in derivatives}

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """y0 and z0; the functions are text of the case."""
        return {"y0": np.array([self.y0]), "z0": self.z0.cpu().numpy()}, {}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray], settings: Mapping[str, Any]) -> TemperedExpectation:
        """InputError: the samples are weighted by the case's own terminal value."""
        raise InputError(
            "a saved BSDE solution by tempering cannot be evaluated: it needs the functions of the case; solve the "
            "case again (metrics.json has the value, its interval and bias)"
        )
