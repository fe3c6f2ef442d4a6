"""Checks of a solver's settings: one sentence that names the setting and says what it may be."""

from __future__ import annotations

import math
import typing
from typing import Any

from mlpde.errors import InputError, unknown


def whole(solver: Any, least: int, *settings: str) -> None:
    """The settings are integers from `least` on."""
    for name in settings:
        value = getattr(solver, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise InputError(f"{solver.name}.{name} must be an integer from {least} on, not {value!r}")


def positive(solver: Any, *settings: str, zero: bool = False) -> None:
    """The settings are finite numbers above 0, or 0 where `zero` says so."""
    for name in settings:
        value = getattr(solver, name)
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not number or value < 0 or (value == 0 and not zero):
            right = "0 or a positive number" if zero else "a positive number"
            raise InputError(f"{solver.name}.{name} must be {right}, not {value!r}")


def chosen(solver: Any, *settings: str) -> None:
    """The settings are among the words that their type lists: a Literal, or one that may be None."""
    hints = typing.get_type_hints(type(solver))
    for name in settings:
        words, value = typing.get_args(hints[name]), getattr(solver, name)
        if type(None) in words:
            words = (None, *typing.get_args(words[0]))
        if value not in words:
            raise unknown(f"value of {solver.name}.{name}:", value, [word for word in words if word])
