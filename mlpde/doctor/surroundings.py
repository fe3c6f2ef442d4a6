"""The machine, its folders, its scheduler."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mlpde.doctor.finding import Finding
from mlpde.files import refused

LEAST_MEMORY, LEAST_DISK = 1.0, 1.0  # GiB: below that the smallest problems in three dimensions fail
GIB = 2**30


def check_memory() -> Finding:
    """What is free now; in a container or a job, what its limit leaves."""
    from mlpde.machine import free_memory

    free = free_memory()
    problem = f"less than {LEAST_MEMORY:g} GiB: end other programs, or ask for a larger job"
    return Finding(f"{free:.1f} GiB free", problem if free < LEAST_MEMORY else "")


def check_cores() -> Finding:
    """The cores that this process may use."""
    cores = len(os.sched_getaffinity(0))
    return Finding(f"{cores}, OMP_NUM_THREADS {os.environ.get('OMP_NUM_THREADS', 'not set')}")


def check_disk() -> Finding:
    """Room for results, here."""
    free = shutil.disk_usage(Path.cwd()).free / GIB
    problem = f"less than {LEAST_DISK:g} GiB: make room, or write results elsewhere by --out"
    return Finding(f"{free:.1f} GiB free in {Path.cwd()}", problem if free < LEAST_DISK else "")


def check_cache() -> Finding:
    """Where compiled forms and meshes are kept."""
    from geometry.cache import cache_folder

    return _writable(cache_folder().parents[1], "set XDG_CACHE_HOME to a folder that can be written")


def check_home() -> Finding:
    """Some libraries write there."""
    return _writable(Path.home(), "set HOME to a folder that can be written", needed=False)


def _writable(folder: Path, remedy: str, needed: bool = True) -> Finding:
    if why := refused(folder):
        return Finding(str(folder), f"{why}: {remedy}", needed)
    return Finding(f"{folder} can be written")


def check_slurm() -> Finding:
    """Whether jobs can be submitted from here: only `mlpde sweep --slurm` needs it."""
    from mlpde.sweep.slurm import trouble

    if why := trouble():
        return Finding("", f"{why}; only `mlpde sweep --slurm` needs it", needed=False)
    return Finding("sbatch, srun, squeue, scancel are there, and sinfo answers")
