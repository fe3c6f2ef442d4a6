"""What a solution is like around a circular hole: log r, (R/r)^k cos(k theta) and (R/r)^k sin(k theta), k = 1, 2, ...

With z = x + i y from the centre they are parts of log(R/z) and (R/z)^k. Together with smooth functions they are the
harmonic functions around a circle (Laurent's series), and times smooth functions the displacements of plane elasticity
(N. I. Muskhelishvili, Some Basic Problems of the Mathematical Theory of Elasticity, 1953, chapter 5).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from geometry.pieces import Arc
from mlpde.representation.partition_of_unity import Alpha

ORDERS = (0, 2, 4, 6)  # times smooth functions, x and y among them, these give the ones between as well
CLOSE = 1e-3  # of a radius: how far points on a boundary may lie off the circle
PROBES = 400  # points on each boundary that tell whether the domain enters the circle


@dataclass(frozen=True)
class HoleFunction:
    """The real part ("cos") or the imaginary part ("sin") of (radius/z)^order, or of log(radius/z) for order 0."""

    point: tuple[float, float]
    radius: float
    order: int
    kind: str

    def derivatives(self, points: torch.Tensor, alphas: Collection[Alpha]) -> dict[Alpha, torch.Tensor]:
        """D^alpha (n,) at points (n, 2): d/dx is f'(z) and d/dy is i f'(z)."""
        away = points - points.new_tensor(self.point)
        z, found = torch.complex(away[:, 0], away[:, 1]), {}
        for alpha in alphas:
            n, k = len(alpha), self.order
            if k:
                factor = math.prod(-k - j for j in range(n))
                value = factor * self.radius**k * z ** (-k - n)
            else:
                value = torch.log(self.radius / z) if n == 0 else -math.prod(-j for j in range(1, n)) * z**-n
            value = value * 1j ** alpha.count(1)
            found[alpha] = value.real if self.kind == "cos" else value.imag
        return found


def hole_functions(domain: Any) -> tuple[HoleFunction, ...]:
    """Those of all circles that the domain has on its boundary and lies outside of, whole or in part; dim 2."""
    arcs = [p for pieces in getattr(domain, "pieces", {}).values() for p in pieces if isinstance(p, Arc)]
    if not arcs:
        return ()
    inside = [domain.interior(PROBES, seed=0), *(domain.boundary(b, PROBES)[0] for b in domain.boundaries)]
    points, circles = np.concatenate(inside), dict[tuple[float, ...], Arc]()
    for arc in arcs:
        nearest = np.linalg.norm(points - np.array(arc.center), axis=1).min()
        if nearest > (1 - CLOSE) * arc.radius:
            place = np.round(np.array(arc.center) / arc.radius / CLOSE).astype(int)
            circles.setdefault(tuple(place), arc)
    return tuple(
        HoleFunction(arc.center, arc.radius, k, kind)
        for arc in circles.values()
        for k in ORDERS
        for kind in (("cos", "sin") if k else ("cos",))
    )
