"""Errors about names that do not exist."""

from collections.abc import Sequence
from difflib import get_close_matches

from geometry.errors import GeometryError


def unknown_name(kind: str, name: object, known: Sequence[str]) -> GeometryError:
    """The error for an unknown region or boundary: lists the names there are, and suggests a close one."""
    close = get_close_matches(str(name), known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    return GeometryError(
        f"there is no {kind} {name!r}; the {kind} names are {', '.join(map(repr, known))}{hint}"
    )
