"""A CAD curve in the plane as piecewise Chebyshev polynomials: exact points by arc length, without gmsh."""

from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.polynomial import chebyshev

_DEGREE = 12
_T = np.cos(np.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1))  # Chebyshev points in (-1, 1)
_TO_COEFFICIENTS = np.linalg.inv(chebyshev.chebvander(_T, _DEGREE))


@dataclass(frozen=True, eq=False)
class Curve:
    """Position and derivative per panel: exact to rounding for analytic curves, algebraically at knots of splines."""

    position: np.ndarray  # (degree + 1, panels, 2) Chebyshev coefficients on [-1, 1]
    derivative: np.ndarray  # (degree + 1, panels, 2)
    arc: np.ndarray  # (degree + 2, panels): arc length from the panel's start
    start: np.ndarray  # (panels + 1,) arc length where the panels start

    @property
    def length(self) -> float:
        return float(self.start[-1])

    def at(self, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, 2) and unit tangents (n, 2) at arc lengths s (n,)."""
        panel = np.clip(np.searchsorted(self.start, s, side="right") - 1, 0, len(self.start) - 2)
        width = np.diff(self.start)[panel]
        local = s - self.start[panel]
        t = 2.0 * local / width - 1.0
        for _ in range(8):  # Newton's method for arc(t) = local
            missed = _evaluate(self.arc[:, panel], t) - local
            # at once where the curve is straight
            if (np.abs(missed) <= 4 * np.finfo(float).eps * width).all():
                break
            speed = np.linalg.norm(_evaluate(self.derivative[:, panel], t), axis=-1)
            t = np.clip(t - missed / speed, -1.0, 1.0)
        tangent = _evaluate(self.derivative[:, panel], t)
        return _evaluate(self.position[:, panel], t), tangent / np.linalg.norm(tangent, axis=1)[:, None]


def _evaluate(coefficients: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Values (n, ...) of polynomial i, coefficients[:, i], at t[i]."""
    if coefficients.ndim == 3:
        t = t[:, None]
    return chebyshev.chebval(t, coefficients, tensor=False)


def read_curve(model: ModuleType, tag: int) -> Curve:
    """The gmsh curve `tag`, with as many panels as its shape needs."""
    (lower,), (upper,) = model.getParametrizationBounds(1, tag)
    panels = 1 if model.getType(1, tag) == "Line" else 8
    while True:
        edges = np.linspace(lower, upper, panels + 1)
        middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
        t = (middle[None] + half[None] * _T[:, None]).ravel()
        x = np.array(model.getValue(1, tag, t)).reshape(_DEGREE + 1, panels, 3)[..., :2]
        dx = np.array(model.getDerivative(1, tag, t)).reshape(_DEGREE + 1, panels, 3)[..., :2] * half[:, None]
        position, derivative = (np.tensordot(_TO_COEFFICIENTS, values, 1) for values in (x, dx))
        speed = np.tensordot(_TO_COEFFICIENTS, np.linalg.norm(dx, axis=-1), 1)
        tail = max(_tail(position), _tail(speed[..., None]))
        if tail < 1e-14 or panels >= 1024:
            break
        panels *= 2
    arc = chebyshev.chebint(speed, lbnd=-1)
    start = np.concatenate([[0.0], np.cumsum(chebyshev.chebval(1.0, arc))])
    return Curve(position, derivative, arc, start)


def find_crossing(curves: dict[int, Curve]) -> tuple[int, int, np.ndarray] | None:
    """Numbers of two curves that cross, or of one that crosses itself, and the place (2,); None if there is none.

    gmsh meshes a surface with such a boundary wrongly, or for minutes without an answer. Curves are compared as
    polygons of 257 sides, so only gaps far below what can be meshed are mistaken for crossings.
    """
    from scipy.spatial import cKDTree

    sides = (
        257  # prime, so that a crossing at half, a third, ... of two curves is inside sides of both polygons
    )
    polygons = [curve.at(np.linspace(0, curve.length, sides + 1))[0] for curve in curves.values()]
    start = np.concatenate([x[:-1] for x in polygons])
    end = np.concatenate([x[1:] for x in polygons])
    tags = np.repeat(list(curves), sides)
    longest = np.linalg.norm(end - start, axis=1).max()
    i, j = cKDTree((start + end) / 2).query_pairs(longest, output_type="ndarray").T
    sides_of_i = np.stack([_area(start[i], end[i], start[j]), _area(start[i], end[i], end[j])])
    sides_of_j = np.stack([_area(start[j], end[j], start[i]), _area(start[j], end[j], end[i])])
    apart = (sides_of_i.prod(0) < 0) & (sides_of_j.prod(0) < 0)
    # Neighbours share a point, up to rounding.
    clear = np.abs(np.concatenate([sides_of_i, sides_of_j])).min(0) > 1e-9 * longest**2
    crossing = np.flatnonzero(apart & clear)
    if not len(crossing):
        return None
    first = crossing[0]
    one, other = sorted((int(tags[i[first]]), int(tags[j[first]])))
    return one, other, (start[i[first]] + end[i[first]]) / 2


def _area(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Twice the signed area (n,) of the triangles a, b, c (n, 2)."""
    return (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])


def _tail(coefficients: np.ndarray) -> float:
    """Size of the last two coefficients beside the largest: what the truncated series leaves out."""
    return float(np.abs(coefficients[-2:]).max() / np.abs(coefficients).max())
