"""Errors about names that do not exist, and names that a user's function gives to places."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches

import numpy as np

from geometry.errors import GeometryError
from geometry.places import rounded


def unknown_name(kind: str, name: object, known: Sequence[str]) -> GeometryError:
    """The error for an unknown region or boundary: lists the names there are, and suggests a close one."""
    close = get_close_matches(str(name), known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    return GeometryError(
        f"there is no {kind} {name!r}; the {kind} names are {', '.join(map(repr, known))}{hint}"
    )


def name_at(function: Callable[[np.ndarray], str], centre: np.ndarray, box: np.ndarray) -> str:
    """The name that a user's function gives to the part of the boundary with this centre (dim,), "" for None.

    box (n, dim): points as far apart as the domain is wide.
    """
    who = f"boundaries={getattr(function, '__name__', repr(function))}"
    try:
        name = function(centre)
    except Exception as error:
        raise GeometryError(
            f"{who} fails at {rounded(centre, box)}: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(name, str | None):
        raise GeometryError(f"{who} must return a name, not {name!r}.")
    return name or ""
