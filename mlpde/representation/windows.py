"""Smooth functions that vanish on parts of the boundary and are positive inside."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import torch

from geometry import Ball, Box
from mlpde.errors import InputError
from mlpde.formulation.torch_expression import Tensor
from mlpde.representation.distances import distance


def window(domain: Any, boundaries: Collection[str]) -> Callable[[Tensor], Tensor]:
    """w (n,) of points (n, d): zero on the boundaries named, of height 1.

    Of a box the product over its directions of 4 s (1 - s), s in [0, 1], or of s, 1 - s where one side is named; of a
    ball 1 - |x|^2 / r^2; of a plane domain with straight and circular boundaries their distance function (see
    `distances`).  InputError for other domains.
    """
    if not boundaries:
        return lambda x: torch.ones_like(x[:, 0])
    if isinstance(domain, Ball):
        return lambda x: 1 - (x * x).sum(1) / domain.radius**2
    if not isinstance(domain, Box):
        missing = [name for name in boundaries if name not in domain.pieces]
        if missing:
            raise InputError(
                f"wan.adversary='network' needs a function that vanishes on boundary {missing[0]!r}, which has none: "
                "it does not consist of straight and circular pieces of a plane domain; use adversary='riesz'"
            )
        return distance(domain, [piece for name in boundaries for piece in domain.pieces[name]])
    lower, upper = (torch.as_tensor(corner) for corner in domain.bounding_box)
    sides = [[f"x{i}{side}" in boundaries for side in "-+"] for i in range(domain.dim)]
    low, high = torch.tensor(sides).unbind(1)

    def product(x: Tensor) -> Tensor:
        s = (x - lower) / (upper - lower)
        ones = torch.ones_like(s)
        both = torch.where(low & high, 4 * ones, ones)
        return (both * torch.where(low, s, ones) * torch.where(high, 1 - s, ones)).prod(1)

    return product
