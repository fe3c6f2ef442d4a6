"""A BSDE solution as the model of a Solution: its value and gradient at one time after the other, and what is saved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from mlpde.errors import InputError
from mlpde.formulation.stochastic import ForwardBackwardSDE
from mlpde.formulation.torch_expression import Alpha

AtTime = Callable[[float, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]  # (t, x) -> u (m,), grad u (m, d)


def jets_in_time(
    sde: ForwardBackwardSDE, at: AtTime, points: np.ndarray, derivatives: Iterable[Alpha]
) -> dict[Alpha, np.ndarray]:
    """Value () and first derivatives in space (i,), each (n, 1), at points (n, d + 1) with the time last.

    InputError for other derivatives.
    """
    derivatives = list(derivatives)
    if any(len(alpha) > 1 or max(alpha, default=0) >= sde.dim for alpha in derivatives):
        raise InputError("a BSDE solution offers its value and its gradient in space, no other derivatives")
    value, gradient = np.empty(len(points)), np.empty((len(points), sde.dim))
    for t in np.unique(points[:, -1]):
        rows = points[:, -1] == t
        found = at(float(t), torch.as_tensor(points[rows, :-1]).to(sde.x0))
        value[rows], gradient[rows] = (part.cpu().numpy() for part in found)
    return {alpha: (gradient[:, alpha[0]] if alpha else value)[:, None] for alpha in derivatives}


@dataclass(frozen=True)
class StoredNumbers:
    """What is left of a model whose functions are text of the case: its numbers, which are no function."""

    arrays: Mapping[str, NDArray]

    kind: ClassVar[str] = "stored_numbers"
    local: ClassVar[bool] = True

    def jets(self, points: np.ndarray, derivatives: Iterable[Alpha]) -> dict[Alpha, np.ndarray]:
        """InputError, at any points."""
        raise InputError(
            "a loaded BSDE solution cannot be evaluated: it needs functions of the case; solve the case again "
            "(quantities and info have the value, its interval and bias)"
        )

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """The arrays."""
        return dict(self.arrays), {}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray], settings: Mapping[str, Any]) -> StoredNumbers:
        """From what `state` gave."""
        return cls(dict(arrays))
