"""Runs on this machine: so many processes at a time, each of them replaceable.

Threads of `concurrent.futures` wait for the processes.  submitit's LocalExecutor starts all jobs at once, whatever
their number, and spends two more starts of Python on each; a process pool would be lost as a whole with one worker.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from mlpde.errors import InputError
from mlpde.sweep.plan import Run

RUNS, LOGS = "runs", "logs"  # in the sweep's folder
ATTEMPTS = 2  # of a run that is killed; one that fails by itself would fail again
TICK = 1.0  # seconds between two looks at the progress
PR_SET_PDEATHSIG = 1  # of prctl(2)
_LIBC = ctypes.CDLL(None)  # loaded here: between fork and exec nothing may be loaded

Show = Callable[[int, int, int], None]  # done, running, failed


def is_done(folder: Path, run: Run) -> bool:
    """A run's folder appears as a whole, at its end; one whose figures cannot be read is made again."""
    try:
        json.loads((folder / RUNS / run.name / "metrics.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return True


def others(folder: Path, runs: Sequence[Run]) -> list[str]:
    """Names of the results that are of none of these runs."""
    names = {run.name for run in runs}
    return sorted(
        path.parent.name
        for path in (folder / RUNS).glob("[!.]*/metrics.json")
        if path.parent.name not in names
    )


def log_of(folder: Path, run: Run) -> Path:
    """What the run printed."""
    return folder / LOGS / f"{run.name}.log"


@contextmanager
def alone(folder: Path, part: bool) -> Iterator[None]:
    """Only one sweep works in a folder, or several parts of one; InputError if another one does."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if part else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"another `mlpde sweep` is at work in {folder}: wait for its end") from error
        yield


def carry_out(
    command: Sequence[str], log: Path, started: Callable[[subprocess.Popen], None] | None = None
) -> int:
    """Run a command, its output into `log`; once more if a signal ends it.  The exit code, negative for a signal.

    The process ends with the one that waits for it: no run goes on behind a sweep that was killed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    code = 0
    for _ in range(ATTEMPTS):
        with log.open("a") as output:
            output.write(f"$ {shlex.join(command)}\n")
            output.flush()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with_parent,
                start_new_session=True,  # Ctrl-C is the sweep's
            )
            if started is not None:
                started(process)
            code = process.wait()
            if code >= 0:
                return code
            output.write(f"ended by signal {-code} ({signal.Signals(-code).name})\n")
    return code


def clear(folder: Path, run: Run) -> None:
    """Remove what a killed run left half-written; its checkpoint stays."""
    place = folder / RUNS / run.name
    for path in place.parent.glob(f".{run.name}.*"):
        shutil.rmtree(path)
    for path in place.glob(".*"):
        path.unlink()


def run_here(runs: Sequence[Run], folder: Path, workers: int, show: Show) -> dict[Run, int]:
    """Exit codes of the runs, `workers` of them at a time; those that failed are there to be read in their logs.

    KeyboardInterrupt and SystemExit end what runs and leave what is done.
    """
    stopping, guard = threading.Event(), threading.Lock()
    at_work: set[subprocess.Popen] = set()

    def one(run: Run) -> int:
        def started(process: subprocess.Popen) -> None:
            with guard:
                at_work.add(process)
                if stopping.is_set():
                    process.kill()

        if stopping.is_set():
            return -signal.SIGTERM
        clear(folder, run)
        return carry_out(run.command(folder / RUNS / run.name), log_of(folder, run), started)

    with ThreadPoolExecutor(workers) as pool:
        futures: dict[Future[int], Run] = {pool.submit(one, run): run for run in runs}
        try:
            pending = set(futures)
            while pending:
                _, pending = wait(pending, timeout=TICK, return_when=FIRST_COMPLETED)
                codes = [future.result() for future in futures if future not in pending]
                failed = sum(code != 0 for code in codes)
                show(len(codes) - failed, min(workers, len(pending)), failed)
        except BaseException:
            stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)
            with guard:
                for process in at_work:
                    process.kill()
            raise
    return {run: future.result() for future, run in futures.items()}


def progress(total: int, before: int, display: Callable[..., None]) -> Show:
    """Turns (done, running, failed) into a line with the time that is left; `before` of the runs were done before."""
    start = time.monotonic()

    def show(done: int, running: int, failed: int) -> None:
        seconds, over = time.monotonic() - start, done + failed
        figures: dict[str, int] = {"running": running, "failed": failed}
        if over:
            figures["seconds_left"] = round(seconds / over * (total - before - over))
        display(before + over, total, seconds, figures)

    return show


def _end_with_parent() -> None:
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
