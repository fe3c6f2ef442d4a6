"""What heat conduction answers to a flux or to surroundings at the boundary that set in at the start.

At a straight boundary u_t = k u_xx, u = 0 at t = 0, -u_x = 1 - h u at x = 0 has, with z = x / (2 sqrt(k t)),
h u = erfc(z) - exp(-z^2) erfcx(z + h sqrt(k t)), and u = 2 sqrt(k t) (exp(-z^2) / sqrt(pi) - z erfc(z)) where h = 0:
it starts as sqrt(t), which no smooth function follows (H. S. Carslaw, J. C. Jaeger, Conduction of Heat in Solids, 1959,
sections 2.7 and 2.9). Around a circle of radius R that u, for h + 1 / (2 R), times sqrt(R / r) meets the condition, and
the equation but for k u / (4 r^2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from geometry.pieces import Arc, Piece
from mlpde.formulation.residual import PointwiseRows, StrongForm
from mlpde.formulation.space_time import SpaceTime
from mlpde.formulation.torch_expression import Alpha
from mlpde.representation.differentiation import jet_of
from mlpde.representation.jets import Channels

SOONEST = 1e-12  # squared extents over the diffusivity: an earlier time counts as this one
PROBES = 100  # points inside that tell on which side of a piece the domain is


@dataclass(frozen=True)
class HeatLayer:
    """The sum over pieces of the answers to du/dn = h (1 - u), h the `transfer`; to du/dn = 1 / extent if h = 0."""

    pieces: tuple[Piece, ...]
    sides: tuple[float, ...]  # 1 or -1, by which `_away` is positive inside the domain
    diffusivity: float
    start: float
    extent: float
    transfer: float

    def jet(self, points: torch.Tensor, channels: Channels) -> torch.Tensor:
        """(channels, n, 1) at points (n, 3), the time last."""
        return jet_of(self._values, points, channels)

    def _values(self, x: torch.Tensor) -> torch.Tensor:
        late = (x[:, 2] - self.start).clamp(min=SOONEST * self.extent**2 / self.diffusivity)
        width = 2.0 * torch.sqrt(self.diffusivity * late)
        terms = []
        for piece, side in zip(self.pieces, self.sides, strict=True):
            d = side * _away(piece, x[:, :2])
            if isinstance(piece, Arc) and side > 0:
                radius = piece.radius
                terms.append(
                    torch.sqrt(radius / (radius + d)) * _layer(d, self.transfer + 0.5 / radius, width)
                )
            else:
                terms.append(_layer(d, self.transfer, width))
        return (self.transfer or 1.0 / self.extent) * torch.stack(terms).sum(0)[:, None]


def heat_layers(form: StrongForm, domain: Any) -> list[HeatLayer]:
    """One for each boundary with natural conditions, where the equation on a plane domain is u_t = k Lap u + ...

    Of straight pieces only those on whose line the whole domain lies to one side.
    """
    if (
        not isinstance(domain, SpaceTime)
        or form.components != 1
        or domain.dim != 3
        or len(domain.regions) > 1
    ):
        return []
    k = _diffusivity(next(rows for rows in form.rows if rows.kind == "interior"), domain)
    extent = float(np.ptp(domain.domain.bounding_box, axis=0).max())
    inside = torch.as_tensor(domain.domain.interior(PROBES))
    found = []
    for rows in form.rows:
        pieces = getattr(domain.domain, "pieces", {}).get(rows.where, ()) if rows.kind == "natural" else ()
        sides = {piece: torch.sign(_away(piece, inside)) for piece in pieces}
        beside = {piece: float(side[0]) for piece, side in sides.items() if bool((side == side[0]).all())}
        if k is not None and beside:
            h = _transfer(rows, domain)
            found.append(HeatLayer(tuple(beside), tuple(beside.values()), k, domain.start, extent, h))
    return found


def _diffusivity(rows: PointwiseRows, domain: SpaceTime) -> float | None:
    """k where the equation is u_t = k Lap u + ..., k > 0 a constant; else None."""
    found = _coefficients(rows, torch.as_tensor(domain.interior(PROBES)))
    second = {alpha for alpha in found if len(alpha) == 2}
    if (2,) not in found or second != {(0, 0), (1, 1)}:
        return None
    k = -torch.cat([found[alpha] / found[(2,)] for alpha in second])
    return _constant(k) or None


def _transfer(rows: PointwiseRows, domain: SpaceTime) -> float:
    """h where the boundary condition is du/dn = h (g - u), h > 0 a constant; else 0."""
    points, _, normals = domain.boundary(rows.where, PROBES)
    n = torch.as_tensor(normals)
    found = _coefficients(rows, torch.as_tensor(points), n)
    if not {(), (0,), (1,)} <= set(found):
        return 0.0
    return _constant(found[()] / (found[(0,)] * n[:, 0] + found[(1,)] * n[:, 1]))


def _coefficients(
    rows: PointwiseRows, x: torch.Tensor, normals: torch.Tensor | None = None
) -> dict[Alpha, torch.Tensor]:
    """The coefficients (n,) of the derivatives of u in one equation, about u = 0."""
    zero = dict.fromkeys(rows.derivatives, torch.zeros((len(x), 1), dtype=torch.float64))
    _, terms = rows.linearise(x, normals, None if rows.linear else zero)
    return {term.derivative: term.coefficient for term in terms}


def _constant(values: torch.Tensor) -> float:
    """The positive number that all values are to rounding; 0 if there is none."""
    same = values[0] > 0 and bool((values - values[0]).abs().max() < 1e-9 * values[0])
    return float(values[0]) if same else 0.0


def _layer(d: torch.Tensor, transfer: float, width: torch.Tensor) -> torch.Tensor:
    """u (n,) for -u_x = 1 - h u at distances d from a straight boundary; width = 2 sqrt(k t)."""
    z = d / width
    if not transfer:
        return width * torch.exp(-(z**2)) / math.sqrt(math.pi) - d * torch.erfc(z)
    return (torch.erfc(z) - torch.exp(-(z**2)) * torch.special.erfcx(z + transfer * width / 2)) / transfer


def _away(piece: Piece, x: torch.Tensor) -> torch.Tensor:
    """The distance (n,) of points (n, 2) from the piece's circle, or from its line, there positive on its left."""
    if isinstance(piece, Arc):
        r = torch.linalg.norm(x - x.new_tensor(piece.center), dim=1)
        return r - piece.radius
    (x0, y0), (x1, y1) = piece.start, piece.end
    return ((x1 - x0) * (x[:, 1] - y0) - (y1 - y0) * (x[:, 0] - x0)) / math.hypot(x1 - x0, y1 - y0)
