"""What a check gives, and what becomes of an exception in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

SHARED = "Debian and Ubuntu: apt-get install libgl1 libglu1-mesa libxrender1 libxcursor1 libxft2 libxinerama1"


@dataclass(frozen=True)
class Finding:
    """problem: what is wrong and what mends it, "" if nothing is.  needed: without it mlpde does not work."""

    found: str
    problem: str = ""
    needed: bool = True

    @property
    def word(self) -> str:
        """How the line begins."""
        return "fine" if not self.problem else "problem" if self.needed else "note"


def examine(check: Callable[[], Finding]) -> Finding:
    """The check's finding; whatever it raises is one."""
    try:
        return check()
    except ModuleNotFoundError as error:
        return Finding("", f"{error.name} is not installed: pip install mlpde, with its dependencies")
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        remedy = f". {SHARED}" if "cannot open shared object" in str(error) else ""
        return Finding("", f"{type(error).__name__}: {lines[0]}{remedy}")
