"""What a viscous flow is like at a re-entrant corner between walls at rest: u = r^a, p = r^(a - 1) times angles.

With the stream function psi = r^(a + 1) F(theta) about the bisector of the angle w, F = F' = 0 at +-w/2,
F = cos((a - 1) w/2) cos((a + 1) theta) - cos((a + 1) w/2) cos((a - 1) theta) for sin(a w) = -a sin(w), and with sines
for sin(a w) = a sin(w); u = (psi_y, -psi_x), p = -r^(a - 1) sin((a - 1) theta) or cosine, up to a factor
(H. K. Moffatt, J. Fluid Mech. 18, 1964, doi:10.1017/S0022112064000015).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from scipy.optimize import brentq

from mlpde.formulation.residual import PointwiseRows, StrongForm
from mlpde.representation.differentiation import jet_of
from mlpde.representation.jets import Channels

PARTS: tuple[Literal["u", "v", "p"], ...] = ("u", "v", "p")


@dataclass(frozen=True)
class StokesCorner:
    """One part of such a flow, u, v or p, at lengths over `extent`; bisector: its angle to the x-axis."""

    point: tuple[float, float]
    bisector: float
    angle: float
    exponent: float
    even: bool  # cosines
    part: Literal["u", "v", "p"]
    extent: float

    def jet(self, points: torch.Tensor, channels: Channels) -> torch.Tensor:
        """(channels, n, 1) at points (n, 2)."""
        return jet_of(self._values, points, channels)

    def _values(self, x: torch.Tensor) -> torch.Tensor:
        c, s = float(np.cos(self.bisector)), float(np.sin(self.bisector))
        away = (x[:, :2] - x.new_tensor(self.point)) / self.extent
        along, across = c * away[:, 0] + s * away[:, 1], c * away[:, 1] - s * away[:, 0]
        r, theta, a = torch.sqrt(along**2 + across**2), torch.atan2(across, along), self.exponent
        if self.part == "p":
            wave = torch.sin if self.even else torch.cos
            return (r ** (a - 1) * wave((a - 1) * theta))[:, None]
        half, plus, minus = self.angle / 2, a + 1, a - 1
        wave, number, sign = (torch.cos, np.cos, -1.0) if self.even else (torch.sin, np.sin, 1.0)
        turned = torch.sin if self.even else torch.cos
        first, second = float(number(minus * half)), float(number(plus * half))
        outward = r**a * sign * (first * plus * turned(plus * theta) - second * minus * turned(minus * theta))
        around = -plus * r**a * (first * wave(plus * theta) - second * wave(minus * theta))
        phi = theta + self.bisector
        if self.part == "u":
            return (outward * torch.cos(phi) - around * torch.sin(phi))[:, None]
        return (outward * torch.sin(phi) + around * torch.cos(phi))[:, None]


def stokes_corners(form: StrongForm, domain: Any) -> tuple[StokesCorner, ...]:
    """The parts u, v, p of all that are not smooth, where the equations are those of a plane viscous flow."""
    corners = getattr(domain, "corners", ())
    interior = next(rows for rows in form.rows if rows.kind == "interior")
    if domain.dim != 2 or form.components != 3 or not corners or not _viscous(interior, domain):
        return ()
    fixed = {rows.where for rows in form.rows if rows.kind == "dirichlet" and rows.equations == 2}
    extent = float(np.ptp(domain.bounding_box, axis=0).max())
    return tuple(
        StokesCorner(corner.point, corner.start + corner.angle / 2, corner.angle, a, even, part, extent)
        for corner in corners
        if {corner.first, corner.second} <= fixed
        for even in (True, False)
        for a in exponents(corner.angle, even)
        for part in PARTS
    )


def exponents(angle: float, even: bool) -> list[float]:
    """The solutions a in [1/2, 1) of sin(a w) = -a sin(w), even, or a sin(w); none unless re-entrant."""
    sign = 1.0 if even else -1.0

    def f(a: float) -> float:
        return float(np.sin(a * angle) + sign * a * np.sin(angle))

    grid = np.linspace(0.49, 0.999, 100)
    values = [f(a) for a in grid]
    return [
        float(brentq(f, grid[k], grid[k + 1])) for k in range(len(grid) - 1) if values[k] * values[k + 1] < 0
    ]


def _viscous(rows: PointwiseRows, domain: Any) -> bool:
    """True if second derivatives stand in the equations as those of two components' Laplacians alone."""
    x = torch.as_tensor(domain.interior(1))
    zero = dict.fromkeys(rows.derivatives, torch.zeros((1, 3), dtype=torch.float64))
    _, terms = rows.linearise(x, None, None if rows.linear else zero)
    second = {
        (t.equation, t.component, t.derivative): float(t.coefficient[0])
        for t in terms
        if len(t.derivative) == 2
    }
    size = max(map(abs, second.values()), default=0.0)
    kept = {key: value for key, value in second.items() if abs(value) > 1e-9 * size}
    pairs = {(0, 0, (0, 0)), (0, 0, (1, 1)), (1, 1, (0, 0)), (1, 1, (1, 1))}
    return set(kept) == pairs and max(abs(abs(v) - size) for v in kept.values()) < 1e-9 * size
