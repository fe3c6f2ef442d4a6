"""A backward regression as the model of a Solution: u(t, x) and its gradient between the times of the grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from mlpde.formulation.torch_expression import Alpha
from mlpde.representation.regression_features import Regression, Scale
from mlpde.representation.value_in_time import StoredNumbers, jets_in_time


@dataclass(frozen=True)
class BackwardRegression:
    """u at points (x, t): linear in time between the regressions of neighbouring times, and g at the end.

    It holds where the sample paths from x0 are at the time t, at t = 0 near x0; elsewhere it is nan.
    """

    regression: Regression

    kind: ClassVar[str] = "backward_regression"
    local: ClassVar[bool] = True  # no error over a domain can be stated

    def jets(self, points: np.ndarray, derivatives: Iterable[Alpha]) -> dict[Alpha, np.ndarray]:
        """As `jets_in_time`."""

        def at(t: float, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            lost = ~self.regression.reached(t, x)
            value, gradient = self.regression.between(t, x)
            return value.masked_fill(lost, torch.nan), gradient.masked_fill(lost[:, None], torch.nan)

        return jets_in_time(self.regression.features.sde, at, points, derivatives)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """The coefficients and scales; g, which is among the features, is text of the case."""
        return arrays_of(self.regression), {}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray], settings: Mapping[str, Any]) -> StoredNumbers:
        """Without the features, which are made from the case's own terminal value."""
        return StoredNumbers(dict(arrays))


def arrays_of(regression: Regression) -> dict[str, NDArray]:
    """Coefficients (N - 1, K), scales (N - 1, d or k) and y0 (1,)."""
    parts = {name: torch.stack([getattr(s, name) for s in regression.scales]) for name in Scale._fields}
    arrays = {name: part.cpu().numpy() for name, part in parts.items()}
    return arrays | {"coefficients": regression.coefficients.cpu().numpy(), "y0": np.array([regression.y0])}


def regression_of(arrays: Mapping[str, NDArray], features: Any) -> Regression:
    """The regression that `arrays_of` described, over the same features."""
    like = features.sde.x0
    parts = [torch.as_tensor(arrays[name]).to(like) for name in Scale._fields]
    scales = tuple(Scale(*rows) for rows in zip(*parts, strict=True))
    coefficients = torch.as_tensor(arrays["coefficients"]).to(like)
    return Regression(features, scales, coefficients, float(arrays["y0"][0]))
