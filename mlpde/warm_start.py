"""Where the training of a network begins: at random parameters, or at those of a saved solution."""

from __future__ import annotations

from typing import Any

import torch

from mlpde.errors import InputError
from mlpde.representation.models import NetworkModel
from mlpde.solution import Solution


def initial(start: str | None, network: Any, seed: int) -> torch.Tensor:
    """theta (P,) of the solution saved in the folder `start`, None: random.

    The problems may differ, as in steps of a coefficient, and so may points, conditions' weights and optimisers.
    Raises InputError if there is no solution, or none by a network with the same layers and inputs.
    """
    if start is None:
        return network.initial(seed)
    model = Solution.load(start).model
    if not isinstance(model, NetworkModel):
        raise InputError(
            f"start={start!r}: that solution is no network, whose parameters training could begin with"
        )
    if _layers(model.network) != _layers(network) or len(model.parameters) != network.size:
        raise InputError(
            f"start={start!r}: that network has {len(model.parameters)} parameters, other layers or inputs than this "
            f"one, with {network.size}: take the same width, depth, activation and inputs"
        )
    return model.parameters.clone()


def _layers(network: Any) -> Any:
    """The network without what satisfies conditions or is added to it."""
    return getattr(network, "network", network)
