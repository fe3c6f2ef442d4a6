"""A backward regression as the model of a Solution: u(t, x) and its gradient between the times of the grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from mlpde.errors import InputError
from mlpde.representation.regression_features import Regression, Scale

Alpha = tuple[int, ...]


@dataclass(frozen=True)
class BackwardRegression:
    """u at points (x, t): linear in time between the regressions of neighbouring times, and g at the end.

    It holds where the sample paths from x0 are at the time t, at t = 0 near x0; elsewhere it is nan.
    """

    regression: Regression

    kind: ClassVar[str] = "backward_regression"
    local: ClassVar[bool] = True  # no error over a domain can be stated

    def jets(self, points: np.ndarray, derivatives: Iterable[Alpha]) -> dict[Alpha, np.ndarray]:
        """Value () and first derivatives in space (i,), each (n, 1), at points (n, d + 1) with the time last."""
        derivatives, sde = list(derivatives), self.regression.features.sde
        if any(len(alpha) > 1 or max(alpha, default=0) >= sde.dim for alpha in derivatives):
            raise InputError(
                "a BSDE solution offers its value and its gradient in space, no other derivatives"
            )
        value, gradient = np.empty(len(points)), np.empty((len(points), sde.dim))
        for t in np.unique(points[:, -1]):
            rows = points[:, -1] == t
            x = torch.as_tensor(points[rows, :-1]).to(sde.x0)
            value[rows], gradient[rows] = (
                part.cpu().numpy() for part in self.regression.between(float(t), x)
            )
            lost = np.flatnonzero(rows)[~self.regression.reached(float(t), x).cpu().numpy()]
            value[lost], gradient[lost] = np.nan, np.nan
        return {alpha: (gradient[:, alpha[0]] if alpha else value)[:, None] for alpha in derivatives}

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """The coefficients and scales; g, which is among the features, is text of the case."""
        return arrays_of(self.regression), {}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray], settings: Mapping[str, Any]) -> StoredRegression:
        """Without the features, which are made from the case's own terminal value."""
        return StoredRegression(dict(arrays))


@dataclass(frozen=True)
class StoredRegression:
    """What is left of a BackwardRegression without its case: the numbers, which are no function."""

    arrays: Mapping[str, NDArray]

    kind: ClassVar[str] = BackwardRegression.kind
    local: ClassVar[bool] = True

    def jets(self, points: np.ndarray, derivatives: Iterable[Alpha]) -> dict[Alpha, np.ndarray]:
        """InputError, at any points."""
        raise InputError(
            "a loaded BSDE solution cannot be evaluated: its features are functions of the case; solve the case again "
            "(quantities and info have the value, its interval and bias)"
        )

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """The arrays."""
        return dict(self.arrays), {}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray], settings: Mapping[str, Any]) -> StoredRegression:
        """From what `state` gave."""
        return cls(dict(arrays))


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
