"""What a viscous flow is like at a re-entrant corner between walls at rest: u = r^a, p = r^(a - 1) times angles.

With the stream function psi = r^(a + 1) F(theta) about the bisector of the angle w, F = F' = 0 at +-w/2,
F = cos((a - 1) w/2) cos((a + 1) theta) - cos((a + 1) w/2) cos((a - 1) theta) for sin(a w) = -a sin(w), and with sines
for sin(a w) = a sin(w); u = (psi_y, -psi_x), p = -r^(a - 1) sin((a - 1) theta) or cosine, up to a factor
(H. K. Moffatt, J. Fluid Mech. 18, 1964, doi:10.1017/S0022112064000015). Of a complex exponent both parts are flows.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import newton

from mlpde.formulation.residual import PointwiseRows, StrongForm
from mlpde.representation.differentiation import jet_of
from mlpde.representation.jets import Channels


@dataclass(frozen=True)
class StokesCorner:
    """Such a flow, at lengths over `extent`; bisector: its angle to the x-axis."""

    point: tuple[float, float]
    bisector: float
    angle: float
    exponent: float
    even: bool  # cosines
    viscosity: float
    extent: float
    wave: float = 0.0  # the imaginary part of the exponent
    imaginary: bool = False  # the flow is the imaginary part

    def jet(self, points: torch.Tensor, channels: Channels) -> torch.Tensor:
        """(channels, n, 3), of u, v and p, at points (n, 2)."""
        return jet_of(self._values, points, channels)

    def _values(self, x: torch.Tensor) -> torch.Tensor:
        c, s = float(np.cos(self.bisector)), float(np.sin(self.bisector))
        away = (x[:, :2] - x.new_tensor(self.point)) / self.extent
        along, across = c * away[:, 0] + s * away[:, 1], c * away[:, 1] - s * away[:, 0]
        log_r, theta = torch.log(along**2 + across**2) / 2, torch.atan2(across, along)
        a = complex(self.exponent, self.wave) if self.wave else self.exponent
        half, plus, minus = self.angle / 2, a + 1, a - 1
        wave, number, sign = (torch.cos, np.cos, -1.0) if self.even else (torch.sin, np.sin, 1.0)
        turned, turn = (torch.sin, np.sin) if self.even else (torch.cos, np.cos)
        # the ratio of the two waves, by F = 0 or by F' = 0, of which one may say nothing, as at a slit
        by_value = number(minus * half), number(plus * half)
        by_slope = minus * turn(minus * half), plus * turn(plus * half)
        first, second = (
            c.item() for c in max(by_value, by_slope, key=lambda pair: abs(pair[0]) + abs(pair[1]))
        )
        power, lower = torch.exp(a * log_r), torch.exp(minus * log_r)
        outward = (
            power * sign * (first * plus * turned(plus * theta) - second * minus * turned(minus * theta))
        )
        around = -plus * power * (first * wave(plus * theta) - second * wave(minus * theta))
        phi = theta + self.bisector
        u = outward * torch.cos(phi) - around * torch.sin(phi)
        v = outward * torch.sin(phi) + around * torch.cos(phi)
        p = -sign * 4 * a * second * self.viscosity / self.extent * lower * turned(minus * theta)
        flow = torch.stack([u, v, p], 1)
        return (flow.imag if self.imaginary else flow.real) if self.wave else flow


def stokes_corners(form: StrongForm, domain: Any) -> tuple[StokesCorner, ...]:
    """All that are not smooth, where the equations are those of a plane viscous flow."""
    corners = getattr(domain, "corners", ())
    interior = next(rows for rows in form.rows if rows.kind == "interior")
    if domain.dim != 2 or form.components != 3 or not corners:
        return ()
    viscosity = _viscosity(interior, domain)
    if viscosity is None:
        return ()
    fixed = {rows.where for rows in form.rows if rows.kind == "dirichlet" and rows.equations == 2}
    extent = float(np.ptp(domain.bounding_box, axis=0).max())
    return tuple(
        StokesCorner(
            corner.point,
            corner.start + corner.angle / 2,
            corner.angle,
            a.real,
            even,
            viscosity,
            extent,
            a.imag,
            imaginary,
        )
        for corner in corners
        if {corner.first, corner.second} <= fixed
        for even in (True, False)
        for a in exponents(corner.angle, even)
        for imaginary in ((False, True) if a.imag else (False,))
    )


def exponents(angle: float, even: bool) -> list[complex]:
    """The solutions a of sin(a w) = -a sin(w), even, or a sin(w), 1/2 <= Re a < 2, Im a >= 0; none unless re-entrant.

    Second derivatives of u are unbounded there. a = 1 is left out, where F = 0.
    """
    if angle <= np.pi * (1 + 1e-9):
        return []
    sign = 1.0 if even else -1.0
    starts = np.add.outer(np.linspace(0.5, 2.0, 61), 1j * np.linspace(0.0, 1.5, 31)).ravel()
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):  # not every start finds one
        a, good, _ = newton(
            lambda a: np.sin(a * angle) + sign * a * np.sin(angle),
            starts,
            lambda a: angle * np.cos(a * angle) + sign * np.sin(angle),
            full_output=True,
        )
    kept = [z for z in a[good] if 0.5 - 1e-9 <= z.real < 2.0 and z.imag > -1e-9 and abs(z - 1) > 1e-6]
    found: list[complex] = []
    for z in sorted(kept, key=lambda z: (z.real, z.imag)):
        if all(abs(z - other) > 1e-6 for other in found):
            found.append(complex(z.real, z.imag if z.imag > 1e-9 else 0.0))
    return found


def _viscosity(rows: PointwiseRows, domain: Any) -> float | None:
    """nu where equations 0 and 1 are -nu Lap u + grad p + ..., at one point; else None."""
    x = torch.as_tensor(domain.interior(1))
    zero = dict.fromkeys(rows.derivatives, torch.zeros((1, 3), dtype=torch.float64))
    _, terms = rows.linearise(x, None, None if rows.linear else zero)
    found = {(t.equation, t.component, t.derivative): float(t.coefficient[0]) for t in terms}
    second = {key: c for key, c in found.items() if len(key[2]) == 2 and c != 0}
    wanted = [(k, k, (i, i)) for k in (0, 1) for i in (0, 1)]
    ratios = [-second.get(key, 0.0) / (found.get((key[0], 2, (key[0],))) or np.inf) for key in wanted]
    alike = set(second) == set(wanted) and max(ratios) - min(ratios) <= 1e-9 * max(ratios)
    return ratios[0] if alike else None
