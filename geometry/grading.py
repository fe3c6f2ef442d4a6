"""Size fields for gaps between round holes, and between holes and the sides of a box, in the plane and in space."""

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np

from geometry.meshing import EDGES_PER_CIRCLE


def grade_gaps(model: Any, lower: np.ndarray, upper: np.ndarray, holes: np.ndarray) -> None:
    """Makes elements no larger than the gap wherever it is narrower than the elements beside it would be.

    lower, upper (dim,): corners of the box; holes (n, dim + 1): centre and radius of each.
    """
    default = float(np.linalg.norm(upper - lower)) / 20
    balls: list[tuple[np.ndarray, float, float]] = []
    for *centre, radius in holes:
        for axis in range(len(lower)):
            for wall in (lower[axis], upper[axis]):
                at = np.array(centre)
                gap = abs(wall - at[axis]) - radius
                at[axis] = wall + math.copysign(gap / 2, at[axis] - wall)
                balls += [(at, *ball) for ball in _nested(gap, 1 / radius, default)]
    for (*a, r), (*b, s) in combinations(holes, 2):
        start, way = np.array(a), np.array(b) - np.array(a)
        distance = float(np.linalg.norm(way))
        at = start + way * (r + (distance - s)) / 2 / distance
        largest = 2 * math.pi * max(r, s) / EDGES_PER_CIRCLE
        balls += [(at, *ball) for ball in _nested(distance - r - s, 1 / r + 1 / s, largest)]
    fields = []
    for at, radius, size in balls:
        fields.append(model.mesh.field.add("Ball"))
        where = zip(("XCenter", "YCenter", "ZCenter"), at, strict=False)
        for key, value in (*where, ("Radius", radius), ("VIn", size)):
            model.mesh.field.setNumber(fields[-1], key, value)
    if fields:
        smallest = model.mesh.field.add("Min")
        model.mesh.field.setNumbers(smallest, "FieldsList", fields)
        model.mesh.field.setAsBackgroundMesh(smallest)


def _nested(gap: float, curvature: float, largest: float) -> Iterator[tuple[float, float]]:
    """Radius and element size of nested balls around the middle of a gap, up to the size `largest`.

    At a distance y along the gap its width is gap + curvature y^2 / 2: each ball ends where the width has doubled.
    (A formula as the size field does the same, but gmsh takes 100 times as long.)
    """
    width = gap
    while width < largest:
        yield math.sqrt(2 * (2 * width - gap) / curvature), width
        width *= 2
