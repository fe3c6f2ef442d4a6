"""What can be seen of a function where no mesh exists: its values along a line and on a plane.

In a Box or a Ball the line is the diagonal through the centre, the plane that of x0 and x1 through the centre.  On the
whole space it is a line at half time along which all components grow alike, through a path from x0, which is where u is
known: in many dimensions no path comes near x0 again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlpde.fields import Fields, compared
from mlpde.problem import SemilinearParabolic
from mlpde.solution import Array, Solution

TITLES = {
    "diagonal": "along the diagonal",
    "plane": "on the plane of x0 and x1",
    "ray": "along a path at half time + s (1, ..., 1) / sqrt(d)",
}
COORDINATES = {
    "diagonal": ("distance from the centre",),
    "plane": ("x0", "x1"),
    "ray": ("s",),
}
PATHS, STEPS = 256, 8  # from x0, that tell where the ray is and how long
LONG = 2.0  # standard deviations of the paths along it
FEWEST = 5  # points of it with a value, else it is left out
ON_LINE, ON_PLANE = 201, 61  # points in a direction
ON_RAY = 41  # where a point may take a tenth of a second, by tempering


def slices(solutions: Mapping[str, Solution], domain: Any) -> dict[str, Fields]:
    """Fields on the diagonal and on the plane by their names in TITLES, at the default time."""
    return {"diagonal": _diagonal(solutions, domain), "plane": plane(solutions, domain)}


def ray(solutions: Mapping[str, Solution], problem: SemilinearParabolic) -> Fields | None:
    """The fields where the paths from x0 are at half time; None if no solution is known there."""
    known = {label: one for label, one in solutions.items() if one.model.kind != "value_at_start"}
    if not known:
        return None
    centre, half = _middle(problem)
    distance = np.linspace(-1, 1, ON_RAY)[:, None] * half
    points = centre + distance / np.sqrt(problem.dim)
    found = {label: one.values(points, [problem.horizon / 2])[0] for label, one in known.items()}
    if max(int(np.isfinite(v).sum()) for values in found.values() for v in values.values()) < FEWEST:
        return None
    cells = np.stack([np.arange(ON_RAY - 1), np.arange(1, ON_RAY)], axis=1)
    return compared(found, distance, cells)


def _middle(problem: SemilinearParabolic) -> tuple[Array, float]:
    """Of the paths from x0 at half time the one in the middle along (1, ..., 1), (d,), and how far they go there."""
    import torch

    from mlpde.formulation.stochastic import ForwardBackwardSDE

    sde, random = ForwardBackwardSDE(problem), torch.Generator().manual_seed(0)
    dt, x = problem.horizon / 2 / STEPS, sde.x0.expand(PATHS, -1)
    for n in range(STEPS):
        dw = torch.randn(x.shape, generator=random, dtype=x.dtype) * dt**0.5
        x = sde.step(n * dt, dt, x, dw)
    along = x.sum(1) / problem.dim**0.5
    return x[(along - along.mean()).abs().argmin()].numpy(), LONG * float(along.std())


def plane(solutions: Mapping[str, Solution], domain: Any) -> Fields:
    """The fields on the plane of x0 and x1, triangulated, nan outside the domain."""
    lower, upper = domain.bounding_box
    axes = [np.linspace(a, b, ON_PLANE) for a, b in zip(lower[:2], upper[:2], strict=True)]
    flat = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    points = np.tile((lower + upper) / 2, (len(flat), 1))
    points[:, :2] = flat
    corner = (np.arange(ON_PLANE - 1)[:, None] * ON_PLANE + np.arange(ON_PLANE - 1)).ravel()
    a, b, c, d = corner, corner + ON_PLANE, corner + ON_PLANE + 1, corner + 1
    cells = np.concatenate([np.stack(triangle, axis=1) for triangle in ((a, b, c), (a, c, d))])
    return _sampled(solutions, points, flat, cells)


def _diagonal(solutions: Mapping[str, Solution], domain: Any) -> Fields:
    lower, upper = domain.bounding_box
    centre, half = (lower + upper) / 2, (upper - lower) / 2
    if not domain.contains(upper[None])[0]:  # a ball: its radius along the same direction
        half = half / np.sqrt(domain.dim)
    place = np.linspace(-1.0, 1.0, ON_LINE) * (1 - 1e-12)
    cells = np.stack([np.arange(ON_LINE - 1), np.arange(1, ON_LINE)], axis=1)
    distance = (place * np.linalg.norm(half))[:, None]
    return _sampled(solutions, centre + place[:, None] * half, distance, cells)


def _sampled(solutions: Mapping[str, Solution], points: Array, coordinates: Array, cells: NDArray) -> Fields:
    found = {label: one.values(points, [None])[0] for label, one in solutions.items()}
    return compared(found, coordinates, cells)
