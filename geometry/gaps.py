"""Size fields for the gaps of any plane domain: elements no larger than the gap where two curves nearly touch.

`geometry.grading` knows the gaps between disks, balls and boxes in closed form; here they are searched for.
"""

from itertools import permutations
from typing import Any

import numpy as np

from geometry.checks import check_positive
from geometry.errors import GeometryError

_SMALLEST = 1e-4  # of the diagonal: below it, curves are taken to touch
_SLOPE = 0.5  # how fast elements grow away from a gap


def resolve_gaps(model: Any, across: float = 1.0) -> None:
    """Makes elements no larger than 1 / across of the gap wherever two curves that share no point nearly touch.

    For the end of a `build` function of dimension 2, after `synchronize`; it sets the background size field. A gap
    counts where it is narrower than 1/20 of the bounding box's diagonal, the default size of elements, and has the
    domain in its middle. Gaps between two parts of the same curve are not looked for.
    """
    check_positive("resolve_gaps", "across", across)
    if model.getEntities(3) or not model.getEntities(2):
        raise GeometryError(
            "resolve_gaps: gaps are searched for in plane domains only; set a size field in space."
        )
    box = np.array(model.getBoundingBox(-1, -1)).reshape(2, 3)
    diagonal = float(np.linalg.norm(box[1] - box[0]))
    largest = diagonal / 20
    found = [
        gap
        for one, other in permutations([tag for _, tag in model.getEntities(1)], 2)
        if _may_be_near(model, one, other, largest)
        for gap in _gaps(model, one, other, largest, _SMALLEST * diagonal)
    ]
    balls: list[tuple[np.ndarray, float, float]] = []
    for at, reach, gap in sorted(
        found, key=lambda gap: gap[2]
    ):  # the narrowest first: they cover their neighbours
        if not any(np.linalg.norm(at - c) < r / 2 and gap > size / 2 for c, r, size in balls):
            balls.append((at, reach, gap))
    field = model.mesh.field
    tags = []
    for at, reach, gap in balls:
        size = gap / across
        tags.append(field.add("Ball"))
        options = dict(zip(("XCenter", "YCenter", "ZCenter"), at, strict=True))
        options |= {
            "Radius": reach,
            "VIn": size,
            "VOut": largest,
            "Thickness": max(largest - size, 0) / _SLOPE,
        }
        for option, value in options.items():
            field.setNumber(tags[-1], option, value)
    if tags:
        smallest = field.add("Min")
        field.setNumbers(smallest, "FieldsList", tags)
        field.setAsBackgroundMesh(smallest)


def _may_be_near(model: Any, one: int, other: int, largest: float) -> bool:
    if set(model.getAdjacencies(1, one)[1]) & set(model.getAdjacencies(1, other)[1]):
        return False
    a, b = (np.array(model.getBoundingBox(1, tag)).reshape(2, 3) for tag in (one, other))
    return bool((np.maximum(a[0] - b[1], b[0] - a[1]) < largest).all())


def _gaps(
    model: Any, one: int, other: int, largest: float, smallest: float
) -> list[tuple[np.ndarray, float, float]]:
    """Middle (3,), reach and width of the gaps seen from the curve `one`.

    A distance changes no faster than one walks: seen from the middle of a piece it holds up to the piece's extent.
    Pieces that may have a gap below `largest` are halved until they are no longer than the gap.
    """
    lower, upper = (np.array(bound, dtype=float) for bound in model.getParametrizationBounds(1, one))
    surfaces = [tag for _, tag in model.getEntities(2)]
    found = []
    while len(lower):
        at = lower + (upper - lower) * np.array([0.5, 0.0, 0.25, 0.75, 1.0])[:, None]
        x, *others = np.reshape(model.getValue(1, one, at.ravel()), (5, -1, 3))
        extent = np.max([np.linalg.norm(other - x, axis=1) for other in others], axis=0)
        closest = np.reshape(model.getClosestPoint(1, other, x.ravel())[0], (-1, 3))
        gap = np.linalg.norm(closest - x, axis=1)
        near = gap - extent < largest
        done = near & (extent <= np.maximum(gap, smallest))
        for k in np.flatnonzero(done & (gap > smallest) & (gap < largest)):
            middle = (x[k] + closest[k]) / 2
            if any(model.isInside(2, surface, list(middle)) for surface in surfaces):
                found.append((middle, max(extent[k], gap[k]), float(gap[k])))
        split = near & ~done
        centre = (lower + upper)[split] / 2
        lower, upper = np.concatenate([lower[split], centre]), np.concatenate([centre, upper[split]])
    return found
