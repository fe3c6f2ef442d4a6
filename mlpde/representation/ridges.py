"""Ridge functions psi(x) a(k . x + b) and their derivatives up to order 2, in closed form by the product rule."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import torch

from mlpde.errors import InputError
from mlpde.representation.partition_of_unity import Alpha


def _tanh(z: torch.Tensor, order: int) -> list[torch.Tensor]:
    value = torch.tanh(z)
    slope = 1 - value**2 if order > 0 else value
    return [value, slope, -2 * value * slope][: order + 1] if order > 1 else [value, slope][: order + 1]


def _sin(z: torch.Tensor, order: int) -> list[torch.Tensor]:
    value = torch.sin(z)
    return [value, torch.cos(z), -value][: order + 1] if order > 0 else [value]


def _cos(z: torch.Tensor, order: int) -> list[torch.Tensor]:
    value = torch.cos(z)
    return [value, -torch.sin(z), -value][: order + 1] if order > 0 else [value]


def _cube(z: torch.Tensor, order: int) -> list[torch.Tensor]:
    return [z**3, 3 * z**2, 6 * z][: order + 1]


# Value and derivatives up to an order, elementwise.
ACTIVATIONS: dict[str, Callable[[torch.Tensor, int], list[torch.Tensor]]] = {
    "tanh": _tanh,
    "sin": _sin,
    "cos": _cos,
    "cube": _cube,
}


class Ridges(NamedTuple):
    """Features psi(x) a(z(x)) with the same psi: z (n, J), its slopes dz/dx (D, J), the derivatives of psi (n,)."""

    arguments: torch.Tensor
    slopes: torch.Tensor
    psi: Mapping[Alpha, torch.Tensor]
    activation: str

    def operator_rows(self, operators: list[dict[Alpha, torch.Tensor]]) -> list[torch.Tensor]:
        """As `RandomFeatures.operator_rows`."""
        collected: list[dict[Alpha, torch.Tensor]] = []  # of each operator: beta -> the factor of D^beta a
        for operator in operators:
            factors: dict[Alpha, torch.Tensor] = {}
            for alpha, coefficient in operator.items():
                for beta, gamma in splits(alpha):
                    if gamma in self.psi:
                        term = coefficient * self.psi[gamma]
                        factors[beta] = factors[beta] + term if beta in factors else term
            collected.append(factors)
        orders = ACTIVATIONS[self.activation](
            self.arguments, max((len(b) for factors in collected for b in factors), default=0)
        )
        rows = []
        for factors in collected:
            total = torch.zeros_like(self.arguments)
            for order, values in enumerate(orders):
                betas = [beta for beta in factors if len(beta) == order]
                if betas:
                    points_side = torch.stack([factors[beta] for beta in betas], dim=1)
                    features_side = torch.stack([product(self.slopes, beta) for beta in betas])
                    total.addcmul_(values, points_side @ features_side)
            rows.append(total)
        return rows


def closure(alphas: Collection[Alpha]) -> list[Alpha]:
    """The derivatives and all lower ones that the product rule brings in."""
    if any(len(alpha) > 2 or tuple(sorted(alpha)) != alpha for alpha in alphas):
        raise InputError(f"derivatives (), (i,) and (i, j) with i <= j are available, got {sorted(alphas)}")
    return sorted(
        {part for alpha in alphas for pair in splits(alpha) for part in pair}, key=lambda a: (len(a), a)
    )


def splits(alpha: Alpha) -> list[tuple[Alpha, Alpha]]:
    """The pairs (beta, gamma) of the product rule D^alpha (a psi) = sum D^beta a D^gamma psi."""
    if not alpha:
        return [((), ())]
    if len(alpha) == 1:
        return [(alpha, ()), ((), alpha)]
    first, second = (alpha[0],), (alpha[1],)
    return [(alpha, ()), (first, second), (second, first), ((), alpha)]


def product(slopes: torch.Tensor, alpha: Alpha) -> torch.Tensor:
    """The factor (J,) of the slopes (D, J) that D^alpha a(z) brings."""
    return slopes[list(alpha)].prod(dim=0)
