"""A plane spur gear with involute teeth."""

import math
from functools import partial
from typing import Any

import numpy as np

from geometry.checks import check_increasing, check_positive
from geometry.domain import Domain
from geometry.errors import GeometryError

_DEGREE = 8  # of the polynomial that stands for an involute, which is entire: 1e-7 of the module


def gear(teeth: int = 12, module: float = 0.1, bore: float = 0.2, pressure_angle: float = 20.0) -> Domain:
    """A spur gear around the origin with a round bore of radius `bore`, in the proportions of ISO 53.

    Pitch radius m z / 2 for module m and z teeth; tips m above it and roots 1.25 m below; flanks are involutes of the
    base circle of radius (m z / 2) cos(pressure_angle), radial lines below it. The pressure angle is in degrees. One
    tooth points along the x axis. Boundaries: teeth (the whole rim), bore.
    """
    if isinstance(teeth, bool) or not isinstance(teeth, int) or teeth < 6:
        raise GeometryError(f"gear: teeth must be a whole number from 6 on, not {teeth!r}.")
    check_positive("gear", "module", module)
    check_positive("gear", "bore", bore)
    check_positive("gear", "pressure_angle", pressure_angle)
    check_increasing("gear", ("pressure_angle", pressure_angle), ("45 degrees", 45.0))
    root = module * (teeth / 2 - 1.25)
    check_increasing("gear", ("bore", bore), ("the root radius", root))
    flank = _flank(teeth, module, math.radians(pressure_angle))
    if flank[-1, 1] >= 0 or math.atan2(-flank[0, 1], flank[0, 0]) >= math.pi / teeth:
        raise GeometryError(
            f"gear: {teeth} teeth with a pressure angle of {pressure_angle:g} degrees cross at their tips or roots; "
            "take a smaller angle."
        )
    return Domain(2, partial(_build, teeth, root, bore, flank))


def _flank(teeth: int, module: float, pressure_angle: float) -> np.ndarray:
    """Points (degree + 1, 2) on the lower flank of the tooth along the x axis, at equal roll angles.

    At the roll angle t the involute of the base circle has the radius base sqrt(1 + t^2), and has turned by t - atan t.
    """
    pitch = module * teeth / 2
    base = pitch * math.cos(pressure_angle)
    highest = math.sqrt(((pitch + module) / base) ** 2 - 1)
    # at the base circle the involute has a cusp, which no polynomial follows: start 1 % of the tooth above it
    root, start = pitch - 1.25 * module, base * math.sqrt(1 + (0.1 * highest) ** 2)
    start = max(start, root + module / 4) if root < start else root  # no element as short as the line below
    t = np.linspace(math.sqrt((start / base) ** 2 - 1), highest, _DEGREE + 1)
    # on the pitch circle a tooth is as wide as a gap
    angle = math.pi / (2 * teeth) + math.tan(pressure_angle) - pressure_angle - (t - np.arctan(t))
    return base * np.sqrt(1 + t**2)[:, None] * np.stack([np.cos(angle), -np.sin(angle)], axis=1)


def _build(teeth: int, root: float, bore: float, flank: np.ndarray, model: Any) -> None:
    occ = model.occ
    at, k = np.linspace(0, 1, _DEGREE + 1)[:, None], np.arange(_DEGREE + 1)
    bernstein = np.array([math.comb(_DEGREE, i) for i in k]) * at**k * (1 - at) ** (_DEGREE - k)
    control = np.linalg.solve(bernstein, flank)  # of the Bezier curve through the points
    foot = flank[0] * (root / np.linalg.norm(flank[0]))
    has_foot = np.linalg.norm(foot - flank[0]) > 1e-9 * root  # the root lies below the base circle
    half = np.vstack([foot, control]) if has_foot else control

    centre = occ.addPoint(0, 0, 0)
    sides = []  # of every tooth: points up its lower flank and down its upper one
    for tooth in range(teeth):
        c, s = math.cos(2 * math.pi * tooth / teeth), math.sin(2 * math.pi * tooth / teeth)
        mirrored = half[::-1] * [1, -1]
        sides.append(
            [[occ.addPoint(c * x - s * y, s * x + c * y, 0) for x, y in side] for side in (half, mirrored)]
        )
    rim = []
    for (up, down), (following, _) in zip(sides, sides[1:] + sides[:1], strict=True):
        if has_foot:
            rim.append(occ.addLine(up[0], up[1]))
        rim.append(occ.addBezier(up[-_DEGREE - 1 :]))
        rim.append(occ.addCircleArc(up[-1], centre, down[0]))
        rim.append(occ.addBezier(down[: _DEGREE + 1]))
        if has_foot:
            rim.append(occ.addLine(down[-2], down[-1]))
        rim.append(occ.addCircleArc(down[-1], centre, following[0]))
    hole = occ.addCircle(0, 0, 0, bore)
    occ.addPlaneSurface([occ.addCurveLoop(rim), occ.addCurveLoop([hole])])
    on_rim = {point for side in sides for points in side for point in (points[0], points[-1])}
    on_rim |= {points[k] for side in sides for points, k in zip(side, (1, -2), strict=True) if has_foot}
    control_points = {point for side in sides for points in side for point in points}
    occ.remove([(0, point) for point in {centre, *control_points} - on_rim])
    occ.synchronize()
    model.addPhysicalGroup(1, rim, name="teeth")
    model.addPhysicalGroup(1, [hole], name="bore")
