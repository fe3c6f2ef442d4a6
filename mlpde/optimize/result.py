"""What the iterative methods that train a network return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch


class HasParameters(Protocol):
    """The state of a method."""

    @property
    def theta(self) -> torch.Tensor: ...


@dataclass(frozen=True)
class Result[S: HasParameters]:
    """The last state and why the iteration ended: "tolerance", "max_iterations", "stopped" or "stagnation"."""

    state: S
    reason: str

    @property
    def theta(self) -> torch.Tensor:
        """The parameters (P,)."""
        return self.state.theta
