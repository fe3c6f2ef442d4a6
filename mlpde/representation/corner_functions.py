"""What a solution is like at a corner of a plane domain: r^a sin(a theta) or r^a cos(a theta), harmonic.

At a corner of interior angle w the exponents are k pi / w where both sides have Dirichlet (sine) or both have natural
conditions (cosine), and (k - 1/2) pi / w where they change, k = 1, 2, ...; integers give smooth functions
(P. Grisvard, Elliptic Problems in Nonsmooth Domains, 1985, chapter 4).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mlpde.formulation.residual import PointwiseRows, StrongForm
from mlpde.representation.partition_of_unity import Alpha

SMOOTH = 2.0  # exponents from here on are left to the smooth features
NEAR = 1e-3  # of the domain's extent: where the equation at a corner is looked at


@dataclass(frozen=True)
class CornerFunction:
    """r^exponent times sin or cos of exponent * theta about `point`; theta runs from `start` (0) to `start` + `angle`.

    The branch cut halves the outside.
    """

    point: tuple[float, float]
    start: float
    angle: float
    exponent: float
    kind: str

    def derivatives(self, points: torch.Tensor, alphas: Collection[Alpha]) -> dict[Alpha, torch.Tensor]:
        """D^alpha (n,) at points (n, 2), or (n, 3) with the time; derivatives by time vanish and are left out.

        With z = x + i y the function is a part of f(z) = z^a, so d/dx is f'(z) and d/dy is i f'(z).
        """
        away = points[:, :2] - points.new_tensor(self.point)
        lowest = self.angle / 2 - torch.pi
        turned = torch.atan2(away[:, 1], away[:, 0]) - self.start - lowest
        theta = torch.remainder(turned, 2 * torch.pi) + lowest
        r, found = torch.linalg.norm(away, dim=1), {}
        for alpha in alphas:
            if all(direction < 2 for direction in alpha):
                order = len(alpha)
                factor = np.prod([self.exponent - k for k in range(order)])
                phase = (self.exponent - order) * theta - order * self.start + alpha.count(1) * torch.pi / 2
                part = torch.sin(phase) if self.kind == "sin" else torch.cos(phase)
                found[alpha] = factor * r ** (self.exponent - order) * part
        return found


def corner_functions(form: StrongForm, domain: Any, start: float | None = None) -> tuple[CornerFunction, ...]:
    """Those of all corners where a solution of the problem is not smooth; start: the first time, of problems in time.

    For one scalar unknown whose equation at the corner has the principal part c Lap u; else none.
    """
    found: list[CornerFunction] = []
    corners = getattr(domain, "corners", ())
    if form.components != 1 or not corners or len(domain.regions) > 1:
        return ()
    conditions = {rows.where: rows.kind for rows in form.rows if rows.kind in ("natural", "dirichlet")}
    interior = next(rows for rows in form.rows if rows.kind == "interior")
    extent = float(np.ptp(domain.bounding_box, axis=0).max())
    for corner in corners:
        first, second = (conditions.get(name) for name in (corner.first, corner.second))
        if first is None or second is None:  # periodic
            continue
        inward = corner.start + corner.angle / 2
        near = np.array(corner.point) + NEAR * extent * np.array([np.cos(inward), np.sin(inward)])
        if not _laplacian(interior, near, start):
            continue
        for k in range(1, 4):
            exponent = (k if first == second else k - 0.5) * np.pi / corner.angle
            if exponent < SMOOTH and abs(exponent - round(exponent)) > 1e-6:
                kind = "sin" if first == "dirichlet" else "cos"
                found.append(CornerFunction(corner.point, corner.start, corner.angle, exponent, kind))
    return tuple(found)


def _laplacian(rows: PointwiseRows, point: np.ndarray, start: float | None) -> bool:
    """True if the second derivatives in space stand in the equation as c (u_xx + u_yy) at a point (2,)."""
    x = torch.as_tensor(point if start is None else [*point, start], dtype=torch.float64)[None]
    zero = dict.fromkeys(rows.derivatives, torch.zeros((1, 1), dtype=torch.float64))
    _, terms = rows.linearise(x, None, None if rows.linear else zero)
    second = {term.derivative: float(term.coefficient[0]) for term in terms if len(term.derivative) == 2}
    xx, yy, xy = (second.get(alpha, 0.0) for alpha in ((0, 0), (1, 1), (0, 1)))
    return xx != 0 and max(abs(xx - yy), abs(xy)) < 1e-6 * abs(xx)
