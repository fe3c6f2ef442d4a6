"""Where a figure was measured: the machine, its speed, the versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = (
    "mlpde",
    "numpy",
    "scipy",
    "torch",
    "fenics-ufl",
    "fenics-basix",
    "fenics-dolfinx",
    "dolfinx-solver-real",
    "gmsh",
)
CALIBRATION_SIZE = 1000  # rows of the square matrices whose product is timed


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide about results, as far as installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine(processes: int = 1) -> dict[str, Any]:
    """Processor, cores this process may use, memory in GiB, MPI processes, GFlop/s of a dense product (float64)."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "threads": os.environ.get("OMP_NUM_THREADS", "default"),
        "processes": processes,
        "gflops": round(gigaflops(), 1),
    }


def free_memory() -> float:
    """GiB that this process can still get (Linux): of the machine, and of the limit of its container or job."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    free = sizes["MemAvailable"] / 2**20
    group = Path("/sys/fs/cgroup")  # of version 2; inside a container its own
    try:
        limit, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # no such file, or "max"
        return free
    return min(free, (limit - used) / 2**30)


def gigaflops() -> float:
    """Best of three products of two matrices of CALIBRATION_SIZE rows, in 1e9 floating-point operations a second."""
    a = np.random.default_rng(0).standard_normal((CALIBRATION_SIZE, CALIBRATION_SIZE))
    best = min(_seconds(a) for _ in range(3))
    return 2 * CALIBRATION_SIZE**3 / best / 1e9


def _seconds(a: np.ndarray) -> float:
    start = time.perf_counter()
    a @ a
    return time.perf_counter() - start


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()
