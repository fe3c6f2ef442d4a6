"""The straight and the circular pieces of a plane domain's boundary."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from geometry.curves import Curve

_CLOSE = 1e-9  # of a curve's length


class Segment(NamedTuple):
    """A straight piece from one end to the other."""

    start: tuple[float, float]
    end: tuple[float, float]


class Arc(NamedTuple):
    """A circular piece; start and end coincide where it is the whole circle."""

    start: tuple[float, float]
    end: tuple[float, float]
    center: tuple[float, float]
    radius: float
    middle: tuple[float, float]  # the point half way from start to end

    @property
    def closed(self) -> bool:
        """True for a whole circle."""
        return bool(np.linalg.norm(np.subtract(self.end, self.start)) < _CLOSE * self.radius)


Piece = Segment | Arc


def find_pieces(
    curves: Mapping[int, Curve], boundaries: Mapping[str, Sequence[int]]
) -> dict[str, tuple[Piece, ...]]:
    """The pieces of every boundary that has no others, by its name; a slit, which has two sides, counts as other."""
    found = {}
    for name, tags in boundaries.items():
        pieces = [_piece(curves[tag]) if tag in curves and tag > 0 else None for tag in tags]
        if all(pieces):
            found[name] = tuple(piece for piece in pieces if piece is not None)
    return found


def _piece(curve: Curve) -> Piece | None:
    x, _ = curve.at(np.linspace(0.0, curve.length, 17))
    start, end, middle = (tuple(x[k].tolist()) for k in (0, -1, 8))
    chord = x[-1] - x[0]
    away = (x - x[0]) @ np.array([-chord[1], chord[0]])
    if abs(np.linalg.norm(chord) - curve.length) < _CLOSE * curve.length:
        return Segment(start, end) if np.abs(away).max() < _CLOSE * curve.length**2 else None
    # |p|^2 = 2 c . p + const for the points p of a circle about c
    shifted = x - x.mean(0)
    solution = np.linalg.lstsq(np.column_stack([2 * shifted, np.ones(17)]), (shifted**2).sum(1), rcond=None)[
        0
    ]
    center = x.mean(0) + solution[:2]
    radii = np.linalg.norm(x - center, axis=1)
    if np.ptp(radii) > _CLOSE * curve.length:
        return None
    return Arc(start, end, tuple(center.tolist()), float(radii.mean()), middle)
