"""Several MPI ranks as one program: what is serial runs on rank 0, rank 0 alone speaks, and an error ends all of them.

Outside mpiexec nothing here imports mpi4py, and everything is as if there were no MPI.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from functools import cache, wraps
from io import StringIO
from typing import Any

from geometry.errors import GeometryError
from mlpde.errors import InputError

LAUNCHED = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK")  # set by MPICH and Slurm, PMIx, Open MPI
POLL = 0.01  # seconds between two looks at a barrier: ranks that wait leave their cores to rank 0
PATIENCE = 5.0  # seconds in which all ranks fail, if they fail for the same reason

_alone = False  # rank 0 is inside a function of `on_root`


@cache
def _communicators() -> tuple[Any, Any] | None:
    """One communicator for work and one for errors, None where there is one rank; the first call is collective."""
    if not any(name in os.environ for name in LAUNCHED):
        return None
    try:
        from mpi4py import MPI
    except ImportError:  # then no solver here is parallel
        return None
    if MPI.COMM_WORLD.size == 1:
        return None
    with suppress(ImportError):  # all ranks initialise PETSc together: rank 0 alone would wait for the others
        import petsc4py.PETSc  # noqa: F401
    return MPI.COMM_WORLD.Dup(), MPI.COMM_WORLD.Dup()


def ranks() -> int:
    """How many ranks work together."""
    found = _communicators()
    return 1 if found is None else found[0].size


def world() -> Any:
    """mpi4py's communicator of the ranks that work together, None for one rank and in a function of `on_root`."""
    found = _communicators()
    return None if found is None or _alone else found[0]


def on_root[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """The function as a collective one: it runs on rank 0, and every rank gets its result, or its error.

    The result is pickled for the others; an error other than of input reaches them as a RuntimeError.
    """

    @wraps(function)
    def collective(*args: P.args, **kwargs: P.kwargs) -> R:
        found = _communicators()
        if found is None or _alone:
            return function(*args, **kwargs)
        work, _ = found
        if work.rank > 0:
            _wait(work)
            result, failure = pickle.loads(work.bcast(None))
            if failure is not None:
                raise failure
            return result
        try:
            with _on_its_own():
                result = function(*args, **kwargs)
            message = pickle.dumps((result, None))
        except Exception as error:
            known = isinstance(error, InputError | GeometryError | MemoryError)
            _wait(work)
            work.bcast(pickle.dumps((None, error if known else RuntimeError(f"rank 0 failed: {error!r}"))))
            raise
        _wait(work)
        work.bcast(message)
        return result

    return collective


@contextmanager
def one_voice() -> Iterator[None]:
    """Only rank 0 prints.  A rank that fails alone says why, and ends the others, which would wait for it for ever."""
    found = _communicators()
    if found is None:
        yield
        return
    _, errors = found
    kept = StringIO()
    try:
        if errors.rank > 0:
            with redirect_stdout(StringIO()), redirect_stderr(kept):
                yield
        else:
            yield
    except BaseException as error:
        expected = isinstance(error, SystemExit)
        if (expected and not error.code) or _wait(errors, PATIENCE):  # type: ignore[attr-defined]
            raise
        print(
            kept.getvalue() + ("" if expected else traceback.format_exc()),
            end="",
            file=sys.stderr,
            flush=True,
        )
        errors.Abort(2 if expected else 1)


@contextmanager
def _on_its_own() -> Iterator[None]:
    global _alone
    _alone = True
    try:
        yield
    finally:
        _alone = False


def _wait(communicator: Any, patience: float = float("inf")) -> bool:
    """Wait for all ranks without using the processor; False if they have not come in time."""
    request, start = communicator.Ibarrier(), time.monotonic()
    while not request.Test():
        if time.monotonic() - start > patience:
            return False
        time.sleep(POLL)
    return True
