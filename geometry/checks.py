"""What parameters of shapes must be; every message begins with the shape's name."""

import math
from collections.abc import Sequence
from pathlib import Path

from geometry.errors import GeometryError


def check_number(shape: str, name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise GeometryError(f"{shape}: {name} must be a finite number, not {value!r}.")


def check_positive(shape: str, name: str, value: float) -> None:
    check_number(shape, name, value)
    if value <= 0:
        raise GeometryError(f"{shape}: {name} must be positive, not {value!r}.")


def check_increasing(shape: str, lower: tuple[str, float], upper: tuple[str, float]) -> None:
    check_number(shape, *lower)
    check_number(shape, *upper)
    if lower[1] >= upper[1]:
        raise GeometryError(
            f"{shape}: {lower[0]} must be less than {upper[0]}, not {lower[1]!r} and {upper[1]!r}."
        )


def check_point(shape: str, point: Sequence[float], dim: int, name: str = "center") -> tuple[float, ...]:
    if len(point) != dim:
        raise GeometryError(f"{shape}: {name} needs {dim} coordinates, not {len(point)}.")
    for value in point:
        check_number(shape, f"each coordinate of {name}", value)
    return tuple(float(value) for value in point)


def check_file(path: Path) -> None:
    if path.is_dir():
        raise GeometryError(f"{path}: it is a folder, not a file.")
    if not path.is_file():
        raise GeometryError(f"{path}: there is no such file.")
