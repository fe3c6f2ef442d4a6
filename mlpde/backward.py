"""A solution of the initial value problem in s = T - t as one of the backward problem in t."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from mlpde.saved_solution import model_class
from mlpde.solution import Array, Derivative, Model


@dataclass(frozen=True)
class Backward:
    """u(t, x) = v(T - t, x), for the model of v and T = horizon."""

    model: Model
    horizon: float
    kind: ClassVar[str] = "backward"

    def jets(self, points: Array, derivatives: Iterable[Derivative]) -> dict[Derivative, Array]:
        """Those of v at (x, T - t), with the other sign for every derivative by t."""
        forward = points.copy()
        forward[:, -1] = self.horizon - points[:, -1]
        time = points.shape[1] - 1
        jets = self.model.jets(forward, derivatives := list(derivatives))
        return {alpha: (-1) ** alpha.count(time) * jets[alpha] for alpha in derivatives}

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """That of v, with its kind and T."""
        arrays, settings = self.model.state()
        return arrays, {"kind": self.model.kind, "horizon": self.horizon, "settings": settings}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray], settings: Mapping[str, Any]) -> Backward:
        """The model that `state` described."""
        return cls(
            model_class(settings["kind"]).from_state(arrays, settings["settings"]), settings["horizon"]
        )
