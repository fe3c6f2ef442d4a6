"""The corners of a plane domain: where two boundary curves meet, and at what interior angle."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from geometry.curves import Curve


class Corner(NamedTuple):
    """A vertex with its interior angle, which runs counter-clockwise from the curve of `first` to that of `second`."""

    point: tuple[float, float]
    start: float  # direction of the first curve at the vertex, as an angle to the x-axis
    angle: float  # in (0, 2 pi)
    first: str  # boundary names
    second: str


def find_corners(
    curves: Mapping[int, Curve], sides: Mapping[int, float], names: Mapping[int, str]
) -> tuple[Corner, ...]:
    """All vertices where exactly two curve ends meet; sides: 1 where the domain lies to the left of a curve."""
    ends = []
    for tag, curve in curves.items():
        points, tangents = curve.at(np.array([0.0, curve.length]))
        for point, direction, left in (
            (points[0], tangents[0], sides[tag]),
            (points[1], -tangents[1], -sides[tag]),
        ):
            ends.append((point, float(np.arctan2(direction[1], direction[0])), left > 0, names[tag]))
    if not ends:
        return ()
    extent = np.ptp([end[0] for end in ends], axis=0).max()
    found, waiting = [], list(ends)
    while waiting:
        point = waiting[0][0]
        here = [end for end in waiting if np.linalg.norm(end[0] - point) < 1e-9 * extent]
        waiting = [end for end in waiting if np.linalg.norm(end[0] - point) >= 1e-9 * extent]
        first, second = [end for end in here if end[2]], [end for end in here if not end[2]]
        if len(first) == len(second) == 1:
            angle = (second[0][1] - first[0][1]) % (2 * np.pi)
            found.append(Corner(tuple(point.tolist()), first[0][1], float(angle), first[0][3], second[0][3]))
    return tuple(found)


def find_tips(curves: Mapping[int, Curve], slits: Mapping[int, str]) -> tuple[Corner, ...]:
    """The ends of slits (names by tag) inside the domain, where no other curve begins: corners of angle 2 pi."""
    ends = []
    for tag, curve in curves.items():
        points, tangents = curve.at(np.array([0.0, curve.length]))
        ends += [(tag, points[0], tangents[0]), (tag, points[1], -tangents[1])]
    if not ends:
        return ()
    places = np.array([end[1] for end in ends])
    near = np.linalg.norm(places[:, None] - places, axis=2) < 1e-9 * np.ptp(places, axis=0).max()
    return tuple(
        Corner(tuple(point.tolist()), float(np.arctan2(t[1], t[0])), 2 * np.pi, slits[tag], slits[tag])
        for (tag, point, t), alone in zip(ends, near.sum(1) == 1, strict=True)
        if tag in slits and alone
    )
