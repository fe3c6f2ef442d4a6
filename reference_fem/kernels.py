"""FFCx kernels, compiled or read from the cache, whatever was killed there before.

FFCx marks a kernel that is being compiled by its C file, and waits for it.  The file of a process that was killed stays
for ever, and so would the waiting.  Whoever compiles holds a shared lock here: where the lock can be had alone, nobody
compiles, and the C files without a finished kernel are left over.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from mpi4py import MPI

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
from dolfinx.jit import get_options

WAIT = 600  # seconds for a kernel that another process compiles; DOLFINx's own are ten
LOOK = 20  # seconds after which left over files are looked for again


def compiled(make: Callable[..., Any], *arguments: Any, comm: MPI.Comm) -> Any:
    """make(*arguments), a form or an expression of DOLFINx; collective on `comm`.

    Raises TimeoutError, or RuntimeError on several ranks, if another process compiles the same for WAIT seconds.
    """
    folder = Path(get_options()["cache_dir"]) / "mlpde"  # of our own: other programs do not take the lock
    if comm.size > 1:  # an error of one rank ends the others' call: no second try
        with _sharing(folder):
            return make(*arguments, jit_options={"cache_dir": folder, "timeout": WAIT})
    waited = 0
    while True:
        try:
            with _sharing(folder):
                return make(*arguments, jit_options={"cache_dir": folder, "timeout": LOOK})
        except TimeoutError:
            waited += LOOK
            if waited >= WAIT:
                raise


@contextmanager
def _sharing(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        # some file systems of clusters have no locks: there, what is left over stays
        if _locked(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
            for source in folder.glob("*.c"):
                if not source.with_suffix(".c.cached").exists():
                    source.unlink(missing_ok=True)
        _locked(lock, fcntl.LOCK_SH)
        yield


def _locked(file: IO[str], how: int) -> bool:
    try:
        fcntl.flock(file, how)
    except OSError:
        return False
    return True
