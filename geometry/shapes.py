"""Ready-made domains. Every one is a Domain whose boundaries have the names given in its docstring.

Element sizes are those of Domain (1/20 of the bounding box's diagonal, 16 elements around a full circle).
"""

import math
from collections.abc import Sequence
from functools import partial
from itertools import combinations
from typing import Any

from geometry.domain import Domain
from geometry.errors import GeometryError

Hole = tuple[float, float, float]


def interval(a: float = 0.0, b: float = 1.0) -> Domain:
    """The interval (a, b). Boundaries: left, right."""
    _check_increasing("interval", ("a", a), ("b", b))
    return Domain(1, partial(_build_interval, a, b))


def rectangle(x0: float = 0.0, y0: float = 0.0, x1: float = 1.0, y1: float = 1.0) -> Domain:
    """The rectangle (x0, x1) x (y0, y1). Boundaries: left, right, bottom, top."""
    _check_increasing("rectangle", ("x0", x0), ("x1", x1))
    _check_increasing("rectangle", ("y0", y0), ("y1", y1))
    return Domain(2, partial(_build_plate, (x0, y0, x1, y1), ()))


def l_shape(size: float = 1.0) -> Domain:
    """(-size, size)^2 without [0, size] x [-size, 0]: the re-entrant corner is the origin.

    Boundaries: reentrant (the two sides that meet in the re-entrant corner), outer.
    """
    _check_positive("l_shape", "size", size)
    return Domain(2, partial(_build_l_shape, size))


def disk(radius: float = 1.0, center: Sequence[float] = (0.0, 0.0)) -> Domain:
    """A disk. Boundary: circle."""
    _check_positive("disk", "radius", radius)
    return Domain(2, partial(_build_rings, {"circle": radius}, _point("disk", center, 2)))


def annulus(inner: float = 0.5, outer: float = 1.0, center: Sequence[float] = (0.0, 0.0)) -> Domain:
    """The ring between two circles of radius inner < outer. Boundaries: inner, outer."""
    _check_positive("annulus", "inner", inner)
    _check_increasing("annulus", ("inner", inner), ("outer", outer))
    return Domain(2, partial(_build_rings, {"outer": outer, "inner": inner}, _point("annulus", center, 2)))


def plate_with_holes(width: float, height: float, holes: Sequence[Hole]) -> Domain:
    """The plate (0, width) x (0, height) without the disks (x, y, radius). Boundaries: left, right, bottom, top, holes.

    Where holes nearly touch each other or a side, elements are no larger than the gap.
    """
    _check_positive("plate_with_holes", "width", width)
    _check_positive("plate_with_holes", "height", height)
    checked = tuple(_hole(width, height, index, hole) for index, hole in enumerate(holes))
    for (i, a), (j, b) in combinations(enumerate(checked), 2):
        if math.hypot(a[0] - b[0], a[1] - b[1]) <= a[2] + b[2]:
            raise GeometryError(
                f"plate_with_holes: hole {i} {a} and hole {j} {b} overlap or touch; their centres must be more than "
                f"{a[2] + b[2]:g} apart."
            )
    return Domain(2, partial(_build_plate, (0.0, 0.0, float(width), float(height)), checked))


def cuboid(
    x0: float = 0.0, y0: float = 0.0, z0: float = 0.0, x1: float = 1.0, y1: float = 1.0, z1: float = 1.0
) -> Domain:
    """The box (x0, x1) x (y0, y1) x (z0, z1). Boundaries: left, right (x), front, back (y), bottom, top (z)."""
    for axis, lower, upper in (("x", x0, x1), ("y", y0, y1), ("z", z0, z1)):
        _check_increasing("cuboid", (f"{axis}0", lower), (f"{axis}1", upper))
    return Domain(3, partial(_build_cuboid, (x0, y0, z0), (x1, y1, z1)))


def ball(radius: float = 1.0, center: Sequence[float] = (0.0, 0.0, 0.0)) -> Domain:
    """A ball. Boundary: sphere."""
    _check_positive("ball", "radius", radius)
    return Domain(3, partial(_build_ball, radius, _point("ball", center, 3)))


# -- build functions: partials of module functions, so that a Domain can be pickled -----------------------------


def _build_interval(a: float, b: float, model: Any) -> None:
    left, right = (model.occ.addPoint(x, 0, 0) for x in (a, b))
    model.occ.addLine(left, right)
    model.occ.synchronize()
    model.addPhysicalGroup(0, [left], name="left")
    model.addPhysicalGroup(0, [right], name="right")


def _build_plate(box: tuple[float, float, float, float], holes: tuple[Hole, ...], model: Any) -> None:
    x0, y0, x1, y1 = box
    bottom, right, top, left = sides = _polygon(model, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    circles = [model.occ.addCircle(x, y, 0, r) for x, y, r in holes]
    loops = [model.occ.addCurveLoop(sides)] + [model.occ.addCurveLoop([circle]) for circle in circles]
    model.occ.addPlaneSurface(loops)
    model.occ.synchronize()
    for name, tag in (("left", left), ("right", right), ("bottom", bottom), ("top", top)):
        model.addPhysicalGroup(1, [tag], name=name)
    if circles:
        model.addPhysicalGroup(1, circles, name="holes")
        _grade_gaps(model, box, holes)


def _build_l_shape(size: float, model: Any) -> None:
    s = size
    sides = _polygon(model, [(-s, -s), (0, -s), (0, 0), (s, 0), (s, s), (-s, s)])
    model.occ.addPlaneSurface([model.occ.addCurveLoop(sides)])
    model.occ.synchronize()
    model.addPhysicalGroup(1, sides[1:3], name="reentrant")
    model.addPhysicalGroup(1, [sides[0], *sides[3:]], name="outer")


def _build_rings(radii: dict[str, float], center: tuple[float, ...], model: Any) -> None:
    circles = {name: model.occ.addCircle(*center, 0, radius) for name, radius in radii.items()}
    model.occ.addPlaneSurface([model.occ.addCurveLoop([tag]) for tag in circles.values()])
    model.occ.synchronize()
    for name, tag in circles.items():
        model.addPhysicalGroup(1, [tag], name=name)


def _build_cuboid(lower: tuple[float, ...], upper: tuple[float, ...], model: Any) -> None:
    model.occ.addBox(*lower, *(b - a for a, b in zip(lower, upper, strict=True)))
    model.occ.synchronize()
    # OpenCASCADE numbers the faces of a box by axis, lower side first.
    for tag, name in enumerate(("left", "right", "front", "back", "bottom", "top"), start=1):
        model.addPhysicalGroup(2, [tag], name=name)


def _build_ball(radius: float, center: tuple[float, ...], model: Any) -> None:
    model.occ.addSphere(*center, radius)
    model.occ.synchronize()
    model.addPhysicalGroup(2, [tag for _, tag in model.getEntities(2)], name="sphere")


def _polygon(model: Any, corners: Sequence[tuple[float, float]]) -> list[int]:
    points = [model.occ.addPoint(x, y, 0) for x, y in corners]
    return [model.occ.addLine(a, b) for a, b in zip(points, points[1:] + points[:1], strict=True)]


def _grade_gaps(model: Any, box: tuple[float, float, float, float], holes: tuple[Hole, ...]) -> None:
    """Size fields for the gaps that are narrower than the elements beside them would be."""
    x0, y0, x1, y1 = box
    default = math.hypot(x1 - x0, y1 - y0) / 20
    balls: list[tuple[float, float, float, float]] = []
    for x, y, r in holes:
        for gap, at in (
            (x - r - x0, ((x - r + x0) / 2, y)),
            (x1 - x - r, ((x + r + x1) / 2, y)),
            (y - r - y0, (x, (y - r + y0) / 2)),
            (y1 - y - r, (x, (y + r + y1) / 2)),
        ):
            balls += _gap_balls(at, gap, 1 / r, default)
    for (x, y, r), (p, q, s) in combinations(holes, 2):
        distance = math.hypot(p - x, q - y)
        middle = (
            (r + (distance - s)) / 2 / distance
        )  # of the gap, as a fraction of the way between the centres
        at = (x + (p - x) * middle, y + (q - y) * middle)
        balls += _gap_balls(at, distance - r - s, 1 / r + 1 / s, 2 * math.pi * max(r, s) / 16)
    fields = []
    for x, y, radius, size in balls:
        fields.append(model.mesh.field.add("Ball"))
        for key, value in (("XCenter", x), ("YCenter", y), ("Radius", radius), ("VIn", size)):
            model.mesh.field.setNumber(fields[-1], key, value)
    if fields:
        smallest = model.mesh.field.add("Min")
        model.mesh.field.setNumbers(smallest, "FieldsList", fields)
        model.mesh.field.setAsBackgroundMesh(smallest)


def _gap_balls(
    at: tuple[float, float], gap: float, curvature: float, largest: float
) -> list[tuple[float, float, float, float]]:
    """Nested balls (x, y, radius, element size), up to the size `largest`, around the middle of a gap.

    At a distance y along the gap its width is gap + curvature y^2 / 2: each ball ends where the width has doubled.
    (A formula as the size field does the same, but gmsh takes 100 times as long.)
    """
    balls = []
    width = gap
    while width < largest:
        balls.append((*at, math.sqrt(2 * (2 * width - gap) / curvature), width))
        width *= 2
    return balls


# -- checks -------------------------------------------------------------------------------------------------------


def _check_number(shape: str, name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise GeometryError(f"{shape}: {name} must be a finite number, not {value!r}.")


def _check_positive(shape: str, name: str, value: float) -> None:
    _check_number(shape, name, value)
    if value <= 0:
        raise GeometryError(f"{shape}: {name} must be positive, not {value!r}.")


def _check_increasing(shape: str, lower: tuple[str, float], upper: tuple[str, float]) -> None:
    _check_number(shape, *lower)
    _check_number(shape, *upper)
    if lower[1] >= upper[1]:
        raise GeometryError(
            f"{shape}: {lower[0]} must be less than {upper[0]}, not {lower[1]!r} and {upper[1]!r}."
        )


def _point(shape: str, center: Sequence[float], dim: int) -> tuple[float, ...]:
    if len(center) != dim:
        raise GeometryError(f"{shape}: center needs {dim} coordinates, not {len(center)}.")
    for value in center:
        _check_number(shape, "each coordinate of center", value)
    return tuple(float(value) for value in center)


def _hole(width: float, height: float, index: int, hole: Hole) -> Hole:
    if len(hole) != 3:
        raise GeometryError(f"plate_with_holes: hole {index} must be (x, y, radius), not {hole!r}.")
    for name, value in zip(("x", "y", "radius"), hole, strict=True):
        _check_number("plate_with_holes", f"{name} of hole {index}", value)
    x, y, r = (float(value) for value in hole)
    _check_positive("plate_with_holes", f"the radius of hole {index}", r)
    if not (r < x < width - r and r < y < height - r):
        raise GeometryError(
            f"plate_with_holes: hole {index} {(x, y, r)} does not lie inside the plate (0, {width:g}) x "
            f"(0, {height:g}); it must not reach a side."
        )
    return x, y, r
