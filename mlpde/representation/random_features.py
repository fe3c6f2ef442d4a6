"""Random feature method: u(x) = sum_s psi_s(x) sum_j c_sj a(k_sj . (x - x_s)/r_s + b_sj) + the same on the
whole box.

k and b are drawn once, uniformly from [-scale, scale], and stay fixed: u is linear in the coefficients c
(Chen, Chi, E, Yang, J. Machine Learning 1(3), 2022, doi:10.4208/jml.220726; in space-time arXiv:2304.06913).
The components of the problem share the features and have coefficients of their own. Derivatives up to order 2
are closed formulas: for a row of the least squares, sum_t c_t D^alpha_t (psi a), the product rule gives a''
(P2 K2) + a' (P1 K1) + a P0 with small matrices P (points) and K (features).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mlpde.errors import InputError, unknown
from mlpde.representation.partition_of_unity import Alpha, Cover, PartitionOfUnity


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


# Value and derivatives up to an order, elementwise.
ACTIVATIONS: dict[str, Callable[[torch.Tensor, int], list[torch.Tensor]]] = {
    "tanh": _tanh,
    "sin": _sin,
    "cos": _cos,
}
_TENSORS = ("weights", "biases", "global_weights", "global_biases")


@dataclass(frozen=True)
class RandomFeatures:
    """Features of the subdomains of `partition`, and global ones on its box.

    weights (subdomains, J, D), biases (subdomains, J), global_weights (Jg, D), global_biases (Jg,).
    Coefficients are arrays (components, count), count = subdomains * J + Jg: subdomain after subdomain, the
    global features last.
    """

    partition: PartitionOfUnity
    activation: str
    weights: torch.Tensor
    biases: torch.Tensor
    global_weights: torch.Tensor
    global_biases: torch.Tensor

    @classmethod
    def draw(
        cls,
        partition: PartitionOfUnity,
        features: int,
        scale: float = 1.0,
        activation: str = "tanh",
        global_features: int = 0,
        seed: int = 0,
    ) -> "RandomFeatures":
        """`features` in each subdomain and `global_features` on the box, the same ones for the same seed."""
        if activation not in ACTIVATIONS:
            raise unknown("activation", activation, ACTIVATIONS)
        if features < 1 or global_features < 0:
            raise InputError(
                f"at least one feature a subdomain is needed, got {features} and {global_features} global ones"
            )
        if not (np.isfinite(scale) and scale > 0):
            raise InputError(f"the scale of the random features must be a positive number, got {scale}")
        random = np.random.default_rng(seed)
        shapes = [(partition.subdomains, features), (global_features,)]
        drawn = [
            torch.from_numpy(random.uniform(-scale, scale, size))
            for shape in shapes
            for size in ((*shape, partition.dim), shape)
        ]
        return cls(partition, activation, *drawn)

    @property
    def features(self) -> int:
        return self.biases.shape[1]

    @property
    def global_features(self) -> int:
        return len(self.global_biases)

    @property
    def count(self) -> int:
        return self.biases.numel() + self.global_features

    def evaluate(
        self, points: torch.Tensor, coefficients: torch.Tensor, alphas: Collection[Alpha]
    ) -> dict[Alpha, torch.Tensor]:
        """D^alpha u (n, components) at the points (n, D) for each of the `alphas`."""
        if coefficients.ndim != 2 or coefficients.shape[1] != self.count:
            raise InputError(
                f"coefficients (components, {self.count}) are needed, got {tuple(coefficients.shape)}"
            )
        betas = closure(alphas)
        jets = {alpha: points.new_zeros((len(points), len(coefficients))) for alpha in alphas}
        local, whole = self.split(coefficients)
        for cover in self.partition.covers(points):
            here = points[cover.rows]
            psis = self.partition.weights(here, cover, betas)
            for subdomain, psi in self.parts(cover.subdomains, psis):
                part = (whole if subdomain is None else local[:, subdomain]).to(points)
                z, slopes = self._arguments(here, subdomain)
                orders = ACTIVATIONS[self.activation](z, max(map(len, betas)))
                plain = {
                    b: orders[len(b)] @ (part * _product(slopes, b)).T for b in betas
                }  # D^beta of the sum without psi
                for alpha in alphas:
                    for beta, gamma in _splits(alpha):
                        if gamma in psi:
                            jets[alpha][cover.rows] += psi[gamma][:, None] * plain[beta]
        return jets

    def derivatives(
        self, points: torch.Tensor, cover: Cover, subdomain: int | None, alphas: Collection[Alpha]
    ) -> dict[Alpha, torch.Tensor]:
        """D^alpha (psi a_j) (n, J) at the points (n, D) of a cover, for one of its subdomains (None: the
        global features)."""
        psis = self.partition.weights(points, cover, closure(alphas))
        psi = dict(self.parts(cover.subdomains, psis))[subdomain]
        one = points.new_ones(len(points))
        return {alpha: self.operator_rows(points, subdomain, psi, [{alpha: one}])[0] for alpha in alphas}

    def operator_rows(
        self,
        points: torch.Tensor,
        subdomain: int | None,
        psi: Mapping[Alpha, torch.Tensor],
        operators: list[dict[Alpha, torch.Tensor]],
    ) -> list[torch.Tensor]:
        """sum_alpha c_alpha(x) D^alpha (psi a_j)(x), (n, J), for each of the operators alpha -> c_alpha
        (n,)."""
        z, slopes = self._arguments(points, subdomain)
        collected: list[dict[Alpha, torch.Tensor]] = []  # of each operator: beta -> the factor of D^beta a
        for operator in operators:
            factors: dict[Alpha, torch.Tensor] = {}
            for alpha, coefficient in operator.items():
                for beta, gamma in _splits(alpha):
                    if gamma in psi:
                        product = coefficient * psi[gamma]
                        factors[beta] = factors[beta] + product if beta in factors else product
            collected.append(factors)
        orders = ACTIVATIONS[self.activation](
            z, max((len(b) for factors in collected for b in factors), default=0)
        )
        rows = []
        for factors in collected:
            total = torch.zeros_like(z)
            for order, values in enumerate(orders):
                betas = [beta for beta in factors if len(beta) == order]
                if betas:
                    points_side = torch.stack([factors[beta] for beta in betas], dim=1)
                    features_side = torch.stack([_product(slopes, beta) for beta in betas])
                    total.addcmul_(values, points_side @ features_side)
            rows.append(total)
        return rows

    def coefficients(self, x: torch.Tensor) -> torch.Tensor:
        """(components, count) from the least-squares unknowns, whose blocks are (component, feature) of one
        subdomain."""
        components = len(x) // self.count
        blocks = x[: components * self.biases.numel()].reshape(-1, components, self.features)
        whole = x[components * self.biases.numel() :].reshape(components, -1)
        return torch.cat([blocks.transpose(0, 1).reshape(components, -1), whole], dim=1)

    def split(self, coefficients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The coefficients as (components, subdomains, J) and (components, Jg)."""
        local, whole = coefficients.split([self.biases.numel(), self.global_features], dim=1)
        return local.reshape(len(coefficients), -1, self.features), whole

    def arrays(self) -> dict[str, np.ndarray]:
        """All numbers as arrays, for a file; with `settings` they restore the object."""
        tensors = {name: getattr(self, name).cpu().numpy() for name in _TENSORS}
        return tensors | {
            name: getattr(self.partition, name) for name in ("owner", "heir", "centres", "radii")
        }

    def settings(self) -> dict[str, Any]:
        """What `arrays` lacks, as JSON can hold it."""
        grid = self.partition
        return {
            "activation": self.activation,
            "lower": list(grid.lower),
            "upper": list(grid.upper),
            "cells": list(grid.cells),
        }

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> "RandomFeatures":
        """The object of `arrays` and `settings`."""
        grid = {name: tuple(settings[name]) for name in ("lower", "upper", "cells")}
        partition = PartitionOfUnity(
            **grid,
            owner=arrays["owner"],
            heir=arrays["heir"],
            centres=arrays["centres"],
            radii=arrays["radii"],
        )
        return cls(partition, settings["activation"], *(torch.from_numpy(arrays[name]) for name in _TENSORS))

    def parts(
        self, subdomains: tuple[int, ...], psis: list[dict[Alpha, torch.Tensor]]
    ) -> Iterator[tuple[int | None, dict[Alpha, torch.Tensor]]]:
        """The subdomains of a cover with their psi, and the global features, whose psi is 1."""
        yield from zip(subdomains, psis, strict=True)
        if self.global_features:
            yield None, {(): torch.ones_like(psis[0][()])}

    def _arguments(self, points: torch.Tensor, subdomain: int | None) -> tuple[torch.Tensor, torch.Tensor]:
        """z = k . (x - centre)/radius + b (n, J) and its slopes k / radius (D, J)."""
        if subdomain is None:
            lower, upper = points.new_tensor(self.partition.lower), points.new_tensor(self.partition.upper)
            centre, radius = (lower + upper) / 2, (upper - lower) / 2
            weights, biases = self.global_weights, self.global_biases
        else:
            centre = points.new_tensor(self.partition.centres[subdomain])
            radius = points.new_tensor(self.partition.radii[subdomain])
            weights, biases = self.weights[subdomain], self.biases[subdomain]
        weights = weights.to(points).T
        return torch.addmm(biases.to(points), (points - centre) / radius, weights), weights / radius[:, None]


def closure(alphas: Collection[Alpha]) -> list[Alpha]:
    """The derivatives and all lower ones that the product rule brings in."""
    if any(len(alpha) > 2 or tuple(sorted(alpha)) != alpha for alpha in alphas):
        raise InputError(f"derivatives (), (i,) and (i, j) with i <= j are available, got {sorted(alphas)}")
    return sorted(
        {part for alpha in alphas for pair in _splits(alpha) for part in pair}, key=lambda a: (len(a), a)
    )


def _splits(alpha: Alpha) -> list[tuple[Alpha, Alpha]]:
    """The pairs (beta, gamma) of the product rule D^alpha (a psi) = sum D^beta a D^gamma psi."""
    if not alpha:
        return [((), ())]
    if len(alpha) == 1:
        return [(alpha, ()), ((), alpha)]
    first, second = (alpha[0],), (alpha[1],)
    return [(alpha, ()), (first, second), (second, first), ((), alpha)]


def _product(slopes: torch.Tensor, alpha: Alpha) -> torch.Tensor:
    return slopes[list(alpha)].prod(dim=0)
