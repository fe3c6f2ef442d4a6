"""Files and folders that are never seen half-written, and JSON that every reader takes."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


@contextmanager
def replacing(target: str | Path) -> Iterator[Path]:
    """`with replacing(folder) as temporary:` fill `temporary`; it becomes `folder` at the end, or vanishes on an error.

    The temporary folder lies beside its target, so that the last step is a rename.
    """
    target = Path(target).absolute()
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if target.exists():
            old = temporary.with_suffix(".old")
            target.rename(old)
            temporary.rename(target)
            shutil.rmtree(old)
        else:
            temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@contextmanager
def replacing_file(target: str | Path) -> Iterator[Path]:
    """The same for one file, which is written under a temporary name beside it."""
    target = Path(target).absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def refused(folder: Path) -> str:
    """Why nothing can be written into the folder, which need not exist: "Permission denied in /above"; "" if it can."""
    above = folder.absolute()
    while not os.path.exists(above):  # Path.exists raises where a folder above may not be entered
        above = above.parent
    try:
        with tempfile.TemporaryFile(dir=above):
            return ""
    except OSError as error:
        return f"{error.strerror} in {above}"


def plain(value: Any) -> Any:
    """`value` as strict JSON takes it: numpy numbers and arrays as Python's, nan and infinity as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
