"""Ready-made domains. Every one is a Domain whose boundaries have the names given in its docstring.

Element sizes are those of Domain (1/20 of the bounding box's diagonal, 16 elements around a full circle).
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from geometry.checks import check_increasing, check_point, check_positive
from geometry.domain import Domain
from geometry.errors import GeometryError

_THINNEST = (
    1e-3  # width of a ring over its radius: 12 500 elements in 5 s, and gmsh's time grows as their square
)


def interval(a: float = 0.0, b: float = 1.0) -> Domain:
    """The interval (a, b). Boundaries: left, right."""
    check_increasing("interval", ("a", a), ("b", b))
    return Domain(1, partial(_build_interval, a, b))


def rectangle(x0: float = 0.0, y0: float = 0.0, x1: float = 1.0, y1: float = 1.0) -> Domain:
    """The rectangle (x0, x1) x (y0, y1). Boundaries: left, right, bottom, top."""
    check_increasing("rectangle", ("x0", x0), ("x1", x1))
    check_increasing("rectangle", ("y0", y0), ("y1", y1))
    return Domain(2, partial(_build_rectangle, x0, y0, x1, y1))


def l_shape(size: float = 1.0) -> Domain:
    """(-size, size)^2 without [0, size] x [-size, 0]: the re-entrant corner is the origin.

    Boundaries: reentrant (the two sides that meet in the re-entrant corner), outer.
    """
    check_positive("l_shape", "size", size)
    return Domain(2, partial(_build_l_shape, size))


def slit_square(size: float = 1.0) -> Domain:
    """(-size, size)^2 without the slit [0, size) x {0}, whose tip is the origin.

    Boundaries: outer, slit (both of its sides: functions may jump across it).
    """
    check_positive("slit_square", "size", size)
    return Domain(2, partial(_build_slit_square, size))


def disk(radius: float = 1.0, center: Sequence[float] = (0.0, 0.0)) -> Domain:
    """A disk. Boundary: circle."""
    check_positive("disk", "radius", radius)
    return Domain(2, partial(_build_rings, {"circle": radius}, check_point("disk", center, 2)))


def annulus(inner: float = 0.5, outer: float = 1.0, center: Sequence[float] = (0.0, 0.0)) -> Domain:
    """The ring between two circles of radius inner < outer. Boundaries: inner, outer.

    Elements are no longer than the ring is wide, so the width must be at least 10^-3 of the outer radius.
    """
    check_positive("annulus", "inner", inner)
    check_increasing("annulus", ("inner", inner), ("outer", outer))
    if outer - inner < _THINNEST * outer:
        raise GeometryError(
            f"annulus: the width of the ring is {(outer - inner) / outer:.3g} of its outer radius, less than "
            f"{_THINNEST:g}, which would take too many elements; make it wider, or solve on an interval."
        )
    return Domain(
        2, partial(_build_rings, {"outer": outer, "inner": inner}, check_point("annulus", center, 2))
    )


def cuboid(
    x0: float = 0.0, y0: float = 0.0, z0: float = 0.0, x1: float = 1.0, y1: float = 1.0, z1: float = 1.0
) -> Domain:
    """The box (x0, x1) x (y0, y1) x (z0, z1). Boundaries: left, right (x), front, back (y), bottom, top (z)."""
    for axis, lower, upper in (("x", x0, x1), ("y", y0, y1), ("z", z0, z1)):
        check_increasing("cuboid", (f"{axis}0", lower), (f"{axis}1", upper))
    return Domain(3, partial(_build_cuboid, (x0, y0, z0), (x1, y1, z1)))


def ball(radius: float = 1.0, center: Sequence[float] = (0.0, 0.0, 0.0)) -> Domain:
    """A ball. Boundary: sphere."""
    check_positive("ball", "radius", radius)
    return Domain(3, partial(_build_ball, radius, check_point("ball", center, 3)))


def torus(major: float = 1.0, minor: float = 0.4, center: Sequence[float] = (0.0, 0.0, 0.0)) -> Domain:
    """A solid ring around the z axis through its center: a disk of radius minor, its middle at distance major > minor.

    Boundary: surface.
    """
    check_positive("torus", "minor", minor)
    check_increasing("torus", ("minor", minor), ("major", major))
    return Domain(3, partial(_build_torus, major, minor, check_point("torus", center, 3)))


# -- build functions: partials of module functions, so that a Domain can be pickled -----------------------------


def _build_interval(a: float, b: float, model: Any) -> None:
    left, right = (model.occ.addPoint(x, 0, 0) for x in (a, b))
    model.occ.addLine(left, right)
    model.occ.synchronize()
    model.addPhysicalGroup(0, [left], name="left")
    model.addPhysicalGroup(0, [right], name="right")


def _build_rectangle(x0: float, y0: float, x1: float, y1: float, model: Any) -> None:
    sides = _polygon(model, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    model.occ.addPlaneSurface([model.occ.addCurveLoop(sides)])
    model.occ.synchronize()
    for tag, name in zip(sides, ("bottom", "right", "top", "left"), strict=True):
        model.addPhysicalGroup(1, [tag], name=name)


def _build_l_shape(size: float, model: Any) -> None:
    s = size
    sides = _polygon(model, [(-s, -s), (0, -s), (0, 0), (s, 0), (s, s), (-s, s)])
    model.occ.addPlaneSurface([model.occ.addCurveLoop(sides)])
    model.occ.synchronize()
    model.addPhysicalGroup(1, sides[1:3], name="reentrant")
    model.addPhysicalGroup(1, [sides[0], *sides[3:]], name="outer")


def _build_slit_square(size: float, model: Any) -> None:
    square = model.occ.addRectangle(-size, -size, 0, 2 * size, 2 * size)
    slit = model.occ.addLine(model.occ.addPoint(0, 0, 0), model.occ.addPoint(size, 0, 0))
    _, ([(_, surface)], [(_, line)]) = model.occ.fragment([(2, square)], [(1, slit)])
    model.occ.synchronize()
    sides = [tag for _, tag in model.getBoundary([(2, surface)], oriented=False)]
    model.addPhysicalGroup(1, sides, name="outer")
    model.addPhysicalGroup(1, [line], name="slit")


def _build_rings(radii: dict[str, float], center: tuple[float, ...], model: Any) -> None:
    circles = {name: model.occ.addCircle(*center, 0, radius) for name, radius in radii.items()}
    model.occ.addPlaneSurface([model.occ.addCurveLoop([tag]) for tag in circles.values()])
    model.occ.synchronize()
    for name, tag in circles.items():
        model.addPhysicalGroup(1, [tag], name=name)
    width = max(radii.values()) - min(radii.values())
    if 0 < width < max(radii.values()) * math.sqrt(8) / 20:  # less than elements would measure
        model.mesh.setSize(model.getEntities(0), width)


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


def _build_torus(major: float, minor: float, center: tuple[float, ...], model: Any) -> None:
    model.occ.addTorus(*center, major, minor)
    model.occ.synchronize()
    model.addPhysicalGroup(2, [tag for _, tag in model.getEntities(2)], name="surface")


def _polygon(model: Any, corners: Sequence[tuple[float, float]]) -> list[int]:
    points = [model.occ.addPoint(x, y, 0) for x, y in corners]
    return [model.occ.addLine(a, b) for a, b in zip(points, points[1:] + points[:1], strict=True)]
