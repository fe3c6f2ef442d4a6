"""Automatic weights of residuals: every equation divided by its size for the slowest mode of the domain.

An equation sum c_(m,alpha) D^alpha u_m = f is divided by the sum over its terms of rms(c) |D^alpha| U_m with
|d/dx_i| = pi / L, L the shortest side of the domain, |d/dt| = pi / T, and |Lap| = d (pi / L)^2.  U_m = 1, but a
multiplier, whose own equation does not contain it, as a pressure, is as large as what it balances in the equations
that do.  So all equations are in the units of the unknowns, and no weight is left to choose.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from mlpde.errors import InputError
from mlpde.formulation.sampling import Located, State
from mlpde.formulation.space_time import SpaceTime
from mlpde.formulation.torch_expression import Alpha, laplacian


def sizes(located: Sequence[Located], state: State, domain: Any) -> list[torch.Tensor]:
    """The size (K,) of each equation of every group of rows, linearised about a function.

    Raises InputError if an equation does not contain the unknowns.
    """
    parts = [_magnitudes(part, state, domain) for part in located]
    inside = [part for rows, part in zip(located, parts, strict=True) if rows.rows.kind == "interior"]
    units = _units(torch.stack(inside).amax(0))
    found = [part @ units for part in parts]
    for part, size in zip(located, found, strict=True):
        if not (size > 0).all():
            raise InputError(
                f"an equation of the {part.rows.kind} residual on {part.rows.where!r} does not contain the unknowns"
            )
    return found


def _magnitudes(located: Located, state: State, domain: Any) -> torch.Tensor:
    """(K, M): how large each component, if it is of size 1, is in each equation."""
    with torch.no_grad():
        _, terms = located.linearise(state)
        components = state(located, [()])[()].shape[1]
    size = located.points.new_zeros(located.rows.equations, components)
    for equation, component, alpha, coefficient in terms:
        size[equation, component] += coefficient.square().mean().sqrt() * _size_of(alpha, domain)
    return size


def _units(inside: torch.Tensor) -> torch.Tensor:
    """U (M,), from the magnitudes (M, M) of the components in the interior equations."""
    units, multiplier = torch.ones_like(inside[0]), inside.diagonal() == 0
    for m in multiplier.nonzero()[:, 0]:
        balanced, own = inside[:, ~multiplier].sum(1)[inside[:, m] > 0], inside[inside[:, m] > 0, m]
        if balanced.any():
            units[m] = balanced.norm() / own.norm()
    return units


def _size_of(alpha: Alpha, domain: Any) -> float:
    lower, upper = domain.bounding_box
    dim = domain.domain.dim if isinstance(domain, SpaceTime) else domain.dim
    frequency = math.pi / (upper - lower)
    shortest = frequency[:dim].max()
    if alpha == laplacian(dim):
        return dim * shortest**2
    return math.prod(shortest if i < dim else frequency[i] for i in alpha)
