"""Several MPI ranks as one program: what is serial runs on rank 0, rank 0 alone speaks, and an error ends all of them.

Outside mpiexec nothing here imports mpi4py, and everything is as if there were no MPI.
"""

from __future__ import annotations

import os
import pickle
import re
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
STARTERS = (  # who starts several processes: the variables of their number and of this one, and the remedy
    (
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_RANK",
        "Open MPI's mpiexec",
        "mpi4py here belongs to another MPI, or is missing: use the mpiexec beside this Python",
    ),
    (
        "SLURM_STEP_NUM_TASKS",
        "SLURM_PROCID",
        "srun",
        "start with `srun --mpi=pmi2`, or what `srun --mpi=list` names for this MPI",
    ),
    (
        "PMI_SIZE",
        "PMI_RANK",
        "mpiexec",
        "mpi4py here belongs to another MPI, or is missing: use the mpiexec beside this Python",
    ),
)

_alone = False  # rank 0 is inside a function of `on_root`


@cache
def _communicators() -> tuple[Any, Any] | None:
    """One communicator for work and one for errors, None where there is one rank; the first call is collective."""
    if not any(name in os.environ for name in LAUNCHED):
        return None
    try:
        if _foreign():
            return None
        from mpi4py import MPI
    except ImportError:  # then no solver here is parallel
        return None
    if MPI.COMM_WORLD.size == 1:
        return None
    with suppress(ImportError):  # all ranks initialise PETSc together: rank 0 alone would wait for the others
        import petsc4py.PETSc  # noqa: F401
    return MPI.COMM_WORLD.Dup(), MPI.COMM_WORLD.Dup()


def _foreign() -> bool:
    """Whether Open MPI started us, but mpi4py is of another MPI, which would end the process when initialised."""
    if "OMPI_COMM_WORLD_SIZE" not in os.environ:
        return False
    import mpi4py

    mpi4py.rc.initialize, mpi4py.rc.finalize = False, True
    from mpi4py import MPI

    if MPI.get_vendor()[0] != "Open MPI":
        return True
    MPI.Init_thread()
    return False


def ranks() -> int:
    """How many ranks work together."""
    found = _communicators()
    return 1 if found is None else found[0].size


def world() -> Any:
    """mpi4py's communicator of the ranks that work together, None for one rank and in a function of `on_root`."""
    found = _communicators()
    return None if found is None or _alone else found[0]


def strangers() -> str | None:
    """What is wrong, and the remedy, where several processes were started but MPI knows of one: each is rank 0 of 1.

    So it is with `srun --mpi=none`, or with the mpiexec of another MPI than mpi4py's.
    """
    if ranks() > 1:
        return None
    for size, _, starter, remedy in STARTERS:
        started = int(os.environ.get(size, 1))
        if started > 1 and not (starter == "srun" and _leftover()):
            return f"{starter} started {started} processes, but MPI joins 1: each would do all the work; {remedy}"
    return None


def refuse_strangers() -> None:
    """Raise InputError on the first of the processes that `strangers` tells of, and end the others after it spoke."""
    sentence = strangers()
    if sentence is None:
        return
    if any(os.environ.get(rank, "0") != "0" for _, rank, _, _ in STARTERS):
        time.sleep(PATIENCE)  # the first process to fail may end all, so it should be the one that speaks
        sys.exit(2)
    raise InputError(sentence)


def _leftover() -> bool:
    """Whether srun's variables are another step's: in a shell of `srun --pty`, or a batch job submitted from a step."""
    first_alone = (
        os.environ.get("SLURM_GTIDS") == "0"
    )  # as in every batch script, and with one task on the first node
    one_a_node = re.match(r"1\b", os.environ.get("SLURM_STEP_TASKS_PER_NODE", "1"))
    return sys.stdin.isatty() or (first_alone and not one_a_node)


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
