"""Boxes from which disks or balls are taken out: plate_with_holes, hole_cluster, channel, box_with_cavities.

Where holes nearly touch each other or a side, elements are no larger than the gap.
"""

import math
from collections.abc import Sequence
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from geometry.checks import check_increasing, check_number, check_point, check_positive
from geometry.domain import Domain
from geometry.errors import GeometryError
from geometry.grading import grade_gaps

Hole = tuple[float, ...]  # centre, then radius
_SIDES = (("left", "right"), ("front", "back"), ("bottom", "top"))  # by axis, lower side first
_PLATE = (("left", "right"), ("bottom", "top"))
_CHANNEL = (("inlet", "outlet"), ("walls", "walls"))


def plate_with_holes(width: float, height: float, holes: Sequence[Hole]) -> Domain:
    """The plate (0, width) x (0, height) without the disks (x, y, radius).

    Boundaries: left, right, bottom, top, holes.
    """
    box = _rectangle("plate_with_holes", ("width", width), ("height", height))
    return _perforated(box, _check_holes("plate_with_holes", box, "hole", holes), _PLATE, "holes")


def hole_cluster(width: float, height: float, radius: float, gap: float, rings: int = 1) -> Domain:
    """The plate (0, width) x (0, height) with a hexagonal cluster of equal holes, `gap` apart, around its centre.

    One hole in the middle and 6 k holes in each ring k = 1, ..., rings: 7 holes in all for one ring, 19 for two. A row
    of the cluster is parallel to the x axis. Boundaries: left, right, bottom, top, holes.
    """
    box = _rectangle("hole_cluster", ("width", width), ("height", height))
    check_positive("hole_cluster", "radius", radius)
    check_positive("hole_cluster", "gap", gap)
    if isinstance(rings, bool) or not isinstance(rings, int) or rings < 0:
        raise GeometryError(f"hole_cluster: rings must be a whole number from 0 on, not {rings!r}.")
    pitch = 2 * radius + gap
    holes = [
        (width / 2 + pitch * (i + j / 2), height / 2 + pitch * j * math.sqrt(0.75), radius)
        for i in range(-rings, rings + 1)
        for j in range(-rings, rings + 1)
        if abs(i + j) <= rings
    ]
    return _perforated(box, _check_holes("hole_cluster", box, "hole", holes), _PLATE, "holes")


def channel(length: float, height: float, obstacles: Sequence[Hole] = ()) -> Domain:
    """The channel (0, length) x (0, height) without the disks (x, y, radius).

    Boundaries: inlet (x = 0), outlet (x = length), walls (bottom and top), obstacles.
    """
    box = _rectangle("channel", ("length", length), ("height", height))
    return _perforated(box, _check_holes("channel", box, "obstacle", obstacles), _CHANNEL, "obstacles")


def box_with_cavities(lower: Sequence[float], upper: Sequence[float], cavities: Sequence[Hole]) -> Domain:
    """The box between two corners (x, y, z) without the balls (x, y, z, radius).

    Boundaries: left, right (x), front, back (y), bottom, top (z), cavities.
    """
    shape = "box_with_cavities"
    a, b = check_point(shape, lower, 3, "lower"), check_point(shape, upper, 3, "upper")
    for axis, start, end in zip("xyz", a, b, strict=True):
        check_increasing(shape, (f"{axis} of lower", start), (f"{axis} of upper", end))
    return _perforated((a, b), _check_holes(shape, (a, b), "cavity", cavities), _SIDES, "cavities")


Box = tuple[tuple[float, ...], tuple[float, ...]]  # lower and upper corner


def _perforated(box: Box, holes: tuple[Hole, ...], sides: tuple[tuple[str, str], ...], name: str) -> Domain:
    return Domain(len(box[0]), partial(_build, box, holes, sides, name))


def _build(
    box: Box, holes: tuple[Hole, ...], sides: tuple[tuple[str, str], ...], name: str, model: Any
) -> None:
    """A partial of this is the build function, so that a Domain can be pickled."""
    lower, upper = (np.array(corner) for corner in box)
    dim = len(lower)
    if dim == 2:
        whole = model.occ.addRectangle(*lower, 0, *(upper - lower))
        pieces = [model.occ.addDisk(x, y, 0, r, r) for x, y, r in holes]
    else:
        whole = model.occ.addBox(*lower, *(upper - lower))
        pieces = [model.occ.addSphere(*hole) for hole in holes]
    if pieces:
        model.occ.cut([(dim, whole)], [(dim, piece) for piece in pieces])
    model.occ.synchronize()
    names = (*(side for pair in sides for side in pair), name)
    groups: dict[str, list[int]] = {group: [] for group in names}
    for _, tag in model.getEntities(dim - 1):
        centre = np.array(model.occ.getCenterOfMass(dim - 1, tag))[:dim]
        near = [np.abs(centre - corner) < 1e-9 * (upper - lower) for corner in (lower, upper)]
        found = [sides[axis][end] for end in (0, 1) for axis in np.flatnonzero(near[end])]
        groups[found[0] if found else name].append(tag)
    for group, tags in groups.items():
        if tags:
            model.addPhysicalGroup(dim - 1, tags, name=group)
    grade_gaps(model, lower, upper, np.array(holes).reshape(-1, dim + 1))


def _rectangle(shape: str, width: tuple[str, float], height: tuple[str, float]) -> Box:
    check_positive(shape, *width)
    check_positive(shape, *height)
    return (0.0, 0.0), (float(width[1]), float(height[1]))


def _check_holes(shape: str, box: Box, word: str, holes: Sequence[Hole]) -> tuple[Hole, ...]:
    """The holes as tuples of floats, if they lie inside and apart."""
    coordinates = ("x", "y", "z")[: len(box[0])]
    checked = []
    for index, hole in enumerate(holes):
        if len(hole) != len(coordinates) + 1:
            raise GeometryError(
                f"{shape}: {word} {index} must be ({', '.join(coordinates)}, radius), not {hole!r}."
            )
        for name, value in zip((*coordinates, "radius"), hole, strict=True):
            check_number(shape, f"{name} of {word} {index}", value)
        *centre, r = (float(value) for value in hole)
        check_positive(shape, f"the radius of {word} {index}", r)
        if not all(a + r < x < b - r for a, x, b in zip(box[0], centre, box[1], strict=True)):
            sides = " x ".join(f"({a:g}, {b:g})" for a, b in zip(*box, strict=True))
            raise GeometryError(
                f"{shape}: {word} {index} {(*centre, r)} does not lie inside {sides}; it must not reach a side."
            )
        checked.append((*centre, r))
    for (i, a), (j, b) in combinations(enumerate(checked), 2):
        if math.dist(a[:-1], b[:-1]) <= a[-1] + b[-1]:
            raise GeometryError(
                f"{shape}: {word} {i} {a} and {word} {j} {b} overlap or touch; their centres must be more than "
                f"{a[-1] + b[-1]:g} apart."
            )
    return tuple(checked)
