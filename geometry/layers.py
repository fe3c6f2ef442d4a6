"""Layers of thin elements along boundaries of a plane domain, for solutions that change fast across them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from geometry.checks import check_increasing, check_number, check_positive
from geometry.errors import GeometryError
from geometry.names import unknown_name


def boundary_layer(
    model: Any, names: str | Sequence[str], first: float, thickness: float, ratio: float = 1.2
) -> None:
    """Makes layers of triangles along named boundaries: heights first, first * ratio, ... up to `thickness` in all.

    For the end of a `build` function of dimension 2, once the physical groups have their names. Along the boundary
    elements keep their size. A mesh of half the size has layers of half the height, as many within each old one.
    Raises GeometryError for names that do not exist, and numbers out of range.
    """
    for parameter, value in (("first", first), ("thickness", thickness), ("ratio", ratio)):
        check_positive("boundary_layer", parameter, value)
    check_increasing("boundary_layer", ("first", first), ("thickness", thickness))
    check_number("boundary_layer", "ratio", ratio)
    if not 1 <= ratio <= 3:
        raise GeometryError(f"boundary_layer: ratio must lie between 1 and 3, not {ratio!r}.")
    if model.getEntities(3):
        raise GeometryError("boundary_layer: layers are made in plane domains only; grade the size in space.")
    groups = {model.getPhysicalName(1, group): group for _, group in model.getPhysicalGroups(1)}
    curves: list[int] = []
    for name in (names,) if isinstance(names, str) else names:
        if name not in groups:
            raise unknown_name("boundary", name, sorted(groups))
        curves += map(int, model.getEntitiesForPhysicalGroup(1, groups[name]))
    ends = Counter(point for curve in curves for point in model.getAdjacencies(1, curve)[1])
    field = model.mesh.field
    tag = field.add("BoundaryLayer")
    field.setNumbers(tag, "CurvesList", curves)
    field.setNumbers(tag, "PointsList", [point for point, count in ends.items() if count == 1])
    for option, value in {"Size": first, "Thickness": thickness, "Ratio": ratio, "Quads": 0}.items():
        field.setNumber(tag, option, value)
    field.setAsBoundaryLayer(tag)


def scale_layers(model: Any, factor: float) -> None:
    """Layers for elements `factor` times as large: heights change by the factor, their growth over a distance stays."""
    field = model.mesh.field
    for tag in field.list():
        if field.getType(tag) == "BoundaryLayer":
            field.setNumber(tag, "Size", field.getNumber(tag, "Size") * factor)
            field.setNumber(tag, "Ratio", field.getNumber(tag, "Ratio") ** factor)
