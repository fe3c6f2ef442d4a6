"""Checks of a solver's settings: one sentence that names the setting and says what it may be."""

from __future__ import annotations

import math
import types
import typing
from numbers import Real
from typing import Any

import numpy as np

from mlpde.errors import InputError, unknown


def is_whole(value: Any, least: int) -> bool:
    """An integer from `least` on; True and False are none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)


def whole(solver: Any, least: int, *settings: str, most: float = math.inf) -> None:
    """The settings are integers from `least` to `most`; those of numpy, which torch refuses, become Python's."""
    for name in settings:
        value = getattr(solver, name)
        if not is_whole(value, least) or value > most:
            limits = f"from {least} on" if most == math.inf else f"from {least} to {most}"
            raise InputError(f"{solver.name}.{name} must be an integer {limits}, not {value!r}")
        object.__setattr__(solver, name, int(value))


def positive(solver: Any, *settings: str, zero: bool = False) -> None:
    """The settings are finite numbers above 0, or 0 where `zero` says so; they become Python's floats."""
    for name in settings:
        value = getattr(solver, name)
        number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
        if not number or value < 0 or (value == 0 and not zero):
            right = "0 or a positive number" if zero else "a positive number"
            raise InputError(f"{solver.name}.{name} must be {right}, not {value!r}")
        object.__setattr__(solver, name, float(value))


def several(solver: Any, *settings: str) -> None:
    """The settings are tuples of different words that their type, a tuple[Literal, ...], lists."""
    hints = typing.get_type_hints(type(solver))
    for name in settings:
        words, value = typing.get_args(typing.get_args(hints[name])[0]), getattr(solver, name)
        if not isinstance(value, tuple | list):
            raise InputError(f"{solver.name}.{name} must be a tuple such as {words[:1]!r}, not {value!r}")
        for word in value:
            if word not in words:
                raise unknown(f"value of {solver.name}.{name}:", word, words)
        if len(set(value)) < len(value):
            raise InputError(f"{solver.name}.{name} names one value twice: {value!r}")
        object.__setattr__(solver, name, tuple(value))


def flags(solver: Any, *settings: str) -> None:
    """The settings are True or False."""
    for name in settings:
        if not isinstance(value := getattr(solver, name), bool):
            raise InputError(f"{solver.name}.{name} must be True or False, not {value!r}")


def chosen(solver: Any, *settings: str) -> None:
    """The settings are among the words that their type, a Literal or None, lists."""
    hints = typing.get_type_hints(type(solver))
    for name in settings:
        kinds, value = typing.get_args(hints[name]), getattr(solver, name)
        words = [word for kind in kinds for word in typing.get_args(kind) or (kind,)]
        if value not in words and (value is not None or types.NoneType not in words):
            words = [word for word in words if word is not types.NoneType]
            raise unknown(f"value of {solver.name}.{name}:", value, words)
