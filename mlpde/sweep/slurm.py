"""Runs by Slurm: one job array of submitit, one element a run."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpde.errors import InputError
from mlpde.sweep.local import ATTEMPTS, RUNS, Show, carry_out, clear, is_done, log_of
from mlpde.sweep.plan import Run

JOBS = "slurm"  # in the sweep's folder: submitit's files, and the jobs' own output
POLL = 5.0  # seconds between two questions to the queue
ANSWER = 20  # seconds for sinfo
PATIENCE = 60  # questions in a row that the queue may leave unanswered: it does at times of much work
GRACE = 10.0  # seconds in which a result may arrive by the file system after the job has left the queue


@dataclass(frozen=True)
class Slurm:
    """How jobs are asked for.  time: minutes of a run, after which Slurm ends it."""

    partition: str | None = None
    account: str | None = None
    time: int = 60


def trouble(partition: str | None = None) -> str:
    """Why no jobs can be submitted from here, and what would mend it; "" if they can."""
    missing = [
        name for name in ("sbatch", "srun", "squeue", "scancel", "sinfo") if shutil.which(name) is None
    ]
    if missing:
        return f"Slurm's {', '.join(missing)} not found on the PATH: start it where jobs are submitted"
    command = ["sinfo", "--all", "--noheader", "--format=%R"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ANSWER)
    except subprocess.TimeoutExpired:
        return f"Slurm's sinfo does not answer within {ANSWER} s: ask who runs the cluster whether slurmctld does"
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return f"Slurm does not answer ({said}): ask who runs the cluster whether slurmctld does"
    there = sorted(set(done.stdout.split()))
    if partition is not None and not set(partition.split(",")) <= set(there):
        return f"Slurm has no partition {partition!r}: there is {', '.join(there) or 'none'}"
    return ""


def run_by_slurm(
    runs: Sequence[Run], folder: Path, workers: int, options: Slurm, show: Show
) -> dict[Run, int]:
    """Exit codes of the runs; a job that ends without one is submitted once more.

    At most `workers` jobs at a time.  KeyboardInterrupt and SystemExit cancel the jobs and leave what is done.
    Raises InputError with what sbatch says if it takes no job.
    """
    codes: dict[Run, int] = {}
    left = list(runs)
    for _ in range(ATTEMPTS):
        for run in left:
            clear(folder, run)
        jobs = dict(zip(left, _submit(left, folder, workers, options), strict=True))
        try:
            codes |= _watch(jobs, folder, codes, show)
        except BaseException:
            for number in {job.job_id.split("_")[0] for job in jobs.values()}:
                subprocess.run(["scancel", number], check=False)
            raise
        left = [run for run in left if codes[run] < 0]
        if not left:
            break
    return codes


def _submit(runs: Sequence[Run], folder: Path, workers: int, options: Slurm) -> list[Any]:
    import submitit
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    executor = submitit.AutoExecutor(folder=folder / JOBS, cluster="slurm")
    executor.update_parameters(
        name="mlpde",
        timeout_min=options.time,
        cpus_per_task=1,
        slurm_array_parallelism=workers,
        slurm_use_srun=False,  # a run is one process: srun would only start MPI's wires
        **{f"slurm_{key}": value for key in ("partition", "account") if (value := getattr(options, key))},
    )
    commands = [run.command((folder / RUNS / run.name).absolute()) for run in runs]
    logs = [log_of(folder, run).absolute() for run in runs]
    try:
        return executor.map_array(carry_out, commands, logs)
    except (FailedJobError, FailedSubmissionError) as error:
        said = "; ".join(line.removeprefix("sbatch: error: ") for line in str(error).strip().splitlines())
        raise InputError(f"sbatch takes no job: {said}") from error


def _watch(jobs: dict[Run, Any], folder: Path, before: dict[Run, int], show: Show) -> dict[Run, int]:
    """Exit codes, -1 where a job left the queue without one: killed, out of time, or its node went down."""
    from submitit.core.utils import FailedJobError, UncompletedJobError

    codes: dict[Run, int] = {}
    gone: dict[Run, float] = {}
    unanswered = 0
    while len(codes) < len(jobs):
        if (queued := _queue({job.job_id.split("_")[0] for job in jobs.values()})) is None:
            unanswered += 1
            if unanswered > PATIENCE:
                raise InputError(
                    "squeue does not answer: repeat the command when Slurm works; what is done is kept"
                )
            time.sleep(POLL)
            continue
        unanswered = 0
        for run, job in jobs.items():
            if run in codes:
                continue
            if job.paths.result_pickle.exists():
                try:
                    codes[run] = job.result()
                except (FailedJobError, UncompletedJobError) as error:  # out of time, or a node without mlpde
                    with log_of(folder, run).open("a") as log:
                        log.write(f"{error}\n")
                    codes[run] = -1
            elif job.job_id not in queued:
                since = gone.setdefault(run, time.monotonic())
                if time.monotonic() - since > GRACE:
                    codes[run] = 0 if is_done(folder, run) else -1
        every = before | codes
        failed = sum(code != 0 for run, code in every.items() if run in codes or run not in jobs)
        done = sum(code == 0 for code in every.values())
        show(done, sum(state == "RUNNING" for state in queued.values()), failed)
        if len(codes) < len(jobs):
            time.sleep(POLL)
    return codes


def _queue(numbers: set[str]) -> dict[str, str] | None:
    """State of the jobs that Slurm still knows, by their number; None if it does not answer.

    Asked of squeue: submitit asks sacct, which needs an accounting database that not every cluster has.
    """
    command = ["squeue", "--noheader", "--array", "--format=%i %T", "--jobs", ",".join(sorted(numbers))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return {} if "Invalid job id" in done.stderr else None  # how squeue says that all of them have ended
    return dict(line.split(None, 1) for line in done.stdout.splitlines() if line.strip())
