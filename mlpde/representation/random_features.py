"""Random feature method: u(x) = sum_s psi_s(x) sum_j c_sj a(k_sj . (x - x_s)/r_s + b_sj) + the same on the
whole box.

k and b are drawn once, uniformly from [-scale, scale], and stay fixed: u is linear in the coefficients c
(Chen, Chi, E, Yang, J. Machine Learning 1(3), 2022, doi:10.4208/jml.220726; in space-time arXiv:2304.06913).
The components of the problem share the features and have coefficients of their own. Derivatives up to order 2
are closed formulas: for a row of the least squares, sum_t c_t D^alpha_t (psi a), the product rule gives a''
(P2 K2) + a' (P1 K1) + a P0 with small matrices P (points) and K (features).

Beside them: the last `polynomials` features of each subdomain are cubes (k . (x - x_s)/r_s + b)^3, as many of which
as there are monomials of degree <= 3 span these; and features on the whole box times functions that are singular at
a corner, or in a hole, in the place of psi.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from mlpde.errors import InputError, unknown
from mlpde.representation.corner_functions import CornerFunction
from mlpde.representation.hole_functions import HoleFunction
from mlpde.representation.partition_of_unity import Alpha, Cover, PartitionOfUnity
from mlpde.representation.ridges import ACTIVATIONS, Ridges, closure, product, splits

_TENSORS = (
    *("weights", "biases", "global_weights", "global_biases"),
    *("corner_weights", "corner_biases", "hole_weights", "hole_biases"),
)
CORNER_FEATURES = 60  # with each corner function
WHOLE_SCALE = 1.5  # what multiplies them is smooth


@dataclass(frozen=True)
class RandomFeatures:
    """Features of the subdomains of `partition`, and global ones on its box.

    weights (subdomains, J, D), biases (subdomains, J), global_weights (Jg, D), global_biases (Jg,), corner_weights
    (corners, Jc, D), corner_biases (corners, Jc), hole_weights (holes, Jh, D), hole_biases (holes, Jh).
    Coefficients are arrays (components, count), count = subdomains * J + Jg + corners * Jc + holes * Jh: subdomain
    after subdomain, then the global features, then those with each corner function, last with each hole function.
    """

    partition: PartitionOfUnity
    activation: str
    weights: torch.Tensor
    biases: torch.Tensor
    global_weights: torch.Tensor
    global_biases: torch.Tensor
    corner_weights: torch.Tensor
    corner_biases: torch.Tensor
    hole_weights: torch.Tensor
    hole_biases: torch.Tensor
    corners: tuple[CornerFunction, ...] = ()
    holes: tuple[HoleFunction, ...] = ()
    polynomials: int = 0

    @classmethod
    def draw(
        cls,
        partition: PartitionOfUnity,
        features: int,
        scale: float = 1.0,
        activation: str = "tanh",
        global_features: int = 0,
        seed: int = 0,
        corners: tuple[CornerFunction, ...] = (),
        polynomials: bool = False,
        holes: tuple[HoleFunction, ...] = (),
        hole_features: int = 0,
    ) -> RandomFeatures:
        """`features` in each subdomain and `global_features` on the box, the same ones for the same seed.

        hole_features: with each of the `holes`.
        polynomials: as many of the features as there are monomials of degree <= 3 are cubes, if that is at most half.
        """
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
        drawn += [
            torch.from_numpy(random.uniform(-WHOLE_SCALE, WHOLE_SCALE, size))
            for shape in ((len(corners), CORNER_FEATURES), (len(holes), hole_features))
            for size in ((*shape, partition.dim), shape)
        ]
        cubes = math.comb(partition.dim + 3, 3) if polynomials else 0
        cubes = cubes if 2 * cubes <= features else 0
        for part in drawn[:2]:
            part[:, features - cubes :] /= scale  # any scale spans the same polynomials
        tensors: dict[str, Any] = dict(zip(_TENSORS, drawn, strict=True))
        return cls(partition, activation, **tensors, corners=corners, holes=holes, polynomials=cubes)

    @property
    def features(self) -> int:
        return self.biases.shape[1]

    @property
    def global_features(self) -> int:
        """The number of features on the whole box, those with corner and hole functions among them."""
        return len(self.global_biases) + self.corner_biases.numel() + self.hole_biases.numel()

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
            for subdomain, window in self.parts(cover.subdomains, psis):
                part = (whole if subdomain is None else local[:, subdomain]).to(points)
                for columns, ridges in self._ridges(here, subdomain, window, betas):
                    z, slopes, psi = ridges.arguments, ridges.slopes, ridges.psi
                    orders = ACTIVATIONS[ridges.activation](z, max(map(len, betas)))
                    plain = {
                        b: orders[len(b)] @ (part[:, columns] * product(slopes, b)).T for b in betas
                    }  # D^beta of the sum without psi
                    for alpha in alphas:
                        for beta, gamma in splits(alpha):
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
        betas = closure({alpha for operator in operators for alpha in operator})
        parts = [ridges.operator_rows(operators) for _, ridges in self._ridges(points, subdomain, psi, betas)]
        return parts[0] if len(parts) == 1 else [torch.cat(rows, dim=1) for rows in zip(*parts, strict=True)]

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
            "corners": [asdict(corner) for corner in self.corners],
            "holes": [asdict(hole) for hole in self.holes],
            "polynomials": self.polynomials,
            "lower": list(grid.lower),
            "upper": list(grid.upper),
            "cells": list(grid.cells),
            "sharp": grid.sharp,
        }

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> RandomFeatures:
        """The object of `arrays` and `settings`."""
        grid = {name: tuple(settings[name]) for name in ("lower", "upper", "cells")}
        partition = PartitionOfUnity(
            **grid,
            owner=arrays["owner"],
            heir=arrays["heir"],
            centres=arrays["centres"],
            radii=arrays["radii"],
            sharp=settings["sharp"],
        )
        corners = tuple(
            CornerFunction(**(corner | {"point": tuple(corner["point"])})) for corner in settings["corners"]
        )
        holes = tuple(HoleFunction(**(hole | {"point": tuple(hole["point"])})) for hole in settings["holes"])
        tensors: dict[str, Any] = {name: torch.from_numpy(arrays[name]) for name in _TENSORS}
        return cls(
            partition,
            settings["activation"],
            **tensors,
            corners=corners,
            holes=holes,
            polynomials=settings["polynomials"],
        )

    def parts(
        self, subdomains: tuple[int, ...], psis: list[dict[Alpha, torch.Tensor]]
    ) -> Iterator[tuple[int | None, dict[Alpha, torch.Tensor]]]:
        """The subdomains of a cover with their psi, and the global features, whose psi is 1."""
        yield from zip(subdomains, psis, strict=True)
        if self.global_features:
            yield None, {(): torch.ones_like(psis[0][()])}

    def _ridges(
        self,
        points: torch.Tensor,
        subdomain: int | None,
        psi: Mapping[Alpha, torch.Tensor],
        betas: Collection[Alpha],
    ) -> list[tuple[slice, Ridges]]:
        """The features of a subdomain with psi, or those on the whole box, in groups, with the columns they have."""
        grid = self.partition
        if subdomain is not None:
            centre, radius = (points.new_tensor(part[subdomain]) for part in (grid.centres, grid.radii))
            weights, biases, random = (
                self.weights[subdomain],
                self.biases[subdomain],
                self.features - self.polynomials,
            )
            drawn = [(weights[:random], biases[:random], psi, self.activation)]
            if self.polynomials:
                drawn.append((weights[random:], biases[random:], psi, "cube"))
        else:
            lower, upper = points.new_tensor(grid.lower), points.new_tensor(grid.upper)
            centre, radius = (lower + upper) / 2, (upper - lower) / 2
            drawn = [(self.global_weights, self.global_biases, psi, self.activation)]
            singular: list[tuple[CornerFunction | HoleFunction, torch.Tensor, torch.Tensor]] = [
                *zip(self.corners, self.corner_weights, self.corner_biases, strict=True),
                *zip(self.holes, self.hole_weights, self.hole_biases, strict=True),
            ]
            for function, weights, biases in singular:
                drawn.append((weights, biases, function.derivatives(points, betas), self.activation))
        found, first = [], 0
        for weights, biases, window, activation in drawn:
            slopes = weights.to(points).T
            z = torch.addmm(biases.to(points), (points - centre) / radius, slopes)
            columns = slice(first, first := first + len(biases))
            found.append((columns, Ridges(z, slopes / radius[:, None], window, activation)))
        return found
