"""The one error that means "the input is wrong": a single sentence for the user, exit code 2 on the command line."""

from __future__ import annotations

import difflib
import linecache
import os
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_LIBRARIES = ("site-packages", "dist-packages", "/lib/python")
_OURS = tuple(
    str(Path(__file__).parent.parent / package) + os.sep for package in ("mlpde", "geometry", "reference_fem")
)


class InputError(ValueError):
    """Wrong input; the message says what is wrong, where, and what would be right."""


def unknown(kind: str, name: object, valid: Iterable[str]) -> InputError:
    """The sentence for a name that does not exist: what was given, what exists, the closest match."""
    names = sorted(valid)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.7)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return InputError(f"unknown {kind} {name!r}: there is {', '.join(map(repr, names)) or 'none'}{hint}")


def user_line(error: BaseException) -> str:
    """`file:line: text` of the deepest frame of `error` that belongs to the user's own code."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        generated = frame.filename.startswith("<")  # such as a dataclass's __init__
        ours = frame.filename.startswith(_OURS) or any(part in frame.filename for part in _LIBRARIES)
        if not ours and not generated and frame.lineno:
            text = frame.line or linecache.getline(frame.filename, frame.lineno).strip()
            return f"{frame.filename}:{frame.lineno}: {text}"
    return ""


def call_user(function: Callable, arguments: tuple, what: str) -> Any:
    """`function(*arguments)` of the user's; an exception in it becomes an InputError that shows the user's line."""
    try:
        return function(*arguments)
    except InputError:
        raise
    except Exception as error:
        where = user_line(error)
        hint = ""
        if isinstance(error, RecursionError) or "bool in a Python context" in str(error):
            hint = (  # UFL's own words where Python's min or max compares expressions
                "; over the components of a vector write total(vector), smallest(vector) or largest(vector), not sum, "
                "min or max"
            )
        raise InputError(
            f"{what} failed{' at ' + where if where else ''}: {type(error).__name__}: {error}{hint}"
        ) from error
