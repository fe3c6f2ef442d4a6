"""Automatic weights of residuals: every equation divided by its size for the slowest mode of the domain.

An equation sum c_alpha D^alpha u = f is divided by the sum over its terms of rms(c_alpha) |D^alpha| with
|d/dx_i| = pi / L, L the shortest side of the domain, |d/dt| = pi / T, and |Lap| = d (pi / L)^2.  So all equations are
in the units of the unknown, and no weight is left to choose.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from mlpde.errors import InputError
from mlpde.formulation.sampling import Located, State
from mlpde.formulation.space_time import SpaceTime
from mlpde.formulation.torch_expression import Alpha, laplacian


def sizes(located: Located, state: State, domain: Any) -> torch.Tensor:
    """The size (K,) of each equation of a group of rows, linearised about a function.

    Raises InputError if an equation does not contain the unknowns.
    """
    rows = located.rows
    with torch.no_grad():
        _, terms = located.linearise(state)
    size = located.points.new_zeros(rows.equations)
    for equation, _, alpha, coefficient in terms:
        size[equation] += coefficient.square().mean().sqrt() * _size_of(alpha, domain)
    if not (size > 0).all():
        raise InputError(
            f"an equation of the {rows.kind} residual on {rows.where!r} does not contain the unknowns"
        )
    return size


def _size_of(alpha: Alpha, domain: Any) -> float:
    lower, upper = domain.bounding_box
    dim = domain.domain.dim if isinstance(domain, SpaceTime) else domain.dim
    frequency = math.pi / (upper - lower)
    shortest = frequency[:dim].max()
    if alpha == laplacian(dim):
        return dim * shortest**2
    return math.prod(shortest if i < dim else frequency[i] for i in alpha)
