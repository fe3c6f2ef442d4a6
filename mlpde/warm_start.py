"""Where the training of a network begins: at random parameters, or at those of a saved solution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from mlpde.errors import InputError
from mlpde.representation.models import NetworkModel
from mlpde.solution import Solution


def initial(start: str | None, network: Any, seed: int) -> torch.Tensor:
    """theta (P,) of the solution saved in the folder `start`, None: random.

    The problems may differ, as in steps of a coefficient, and so may points, conditions' weights and optimisers.
    Raises InputError if there is no solution, or none by a network with the same layers, inputs and hard conditions.
    """
    if start is None:
        return network.initial(seed)
    if not isinstance(start, str | Path):
        raise InputError(f"start must be the folder of a saved solution, not {start!r}")
    model = Solution.load(start).model
    if not isinstance(model, NetworkModel):
        raise InputError(
            f"start={start!r}: that solution is no network, whose parameters training could begin with"
        )
    if _layers(model.network) != _layers(network) or len(model.parameters) != network.size:
        raise InputError(
            f"start={start!r}: that network has {len(model.parameters)} parameters, other layers or inputs than this "
            f"one, with {network.size}: take the same width, depth, activation, inputs and conditions"
        )
    if not bool(model.parameters.isfinite().all()):
        raise InputError(f"start={start!r}: the parameters of that network are not finite")
    return model.parameters.clone()


def _layers(network: Any) -> list[Any]:
    """What parameters have to share to mean alike: the box and the numbers in the inputs may be of another problem."""
    bare = getattr(network, "network", network)  # of what satisfies conditions, or is added to it
    sizes = [bare.inputs, bare.outputs, bare.width, bare.depth, bare.activation]
    return [type(network), type(bare), *sizes, *map(type, bare.features)]
