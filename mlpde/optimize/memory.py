"""Whether dense matrices of a training step fit into the machine's memory."""

from __future__ import annotations

import os

from mlpde.errors import InputError

COPIES = 4  # of the Jacobian, in a factorisation


def fits(rows: int, columns: int) -> bool:
    """Whether a matrix (rows, columns) of float64 fits with the copies of its factorisation."""
    return _needed(rows, columns) <= _available()


def check_memory(rows: int, columns: int, method: str, remedy: str) -> None:
    """InputError if it does not fit: which method needs it, and what to do instead."""
    if not fits(rows, columns):
        raise InputError(
            f"{method} needs {_needed(rows, columns) / 2**30:.0f} GiB for {rows} rows and {columns} parameters, the "
            f"machine has {_available() / 2**30:.0f}: take {remedy}"
        )


def _needed(rows: int, columns: int) -> int:
    return COPIES * 8 * rows * columns


def _available() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
