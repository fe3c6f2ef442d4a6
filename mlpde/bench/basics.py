"""What everybody waits for: `import mlpde`, and ten thousand point values of a FEM, an RFM and a PINN solution."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import numpy as np

from mlpde.bench import print_table

REPEATS = 7


def main() -> None:
    """Print both tables."""
    from mlpde.case_files import load
    from mlpde.solvers import solver
    from mlpde.solving import solve

    def seconds(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - start

    rows = [
        [code or "an empty program", min(seconds(code) for _ in range(REPEATS))]
        for code in ("", "import mlpde")
    ]
    print_table("start (asked: import mlpde under 0.5 s)", ["program", "seconds, best of 7"], rows)

    case = load("plate_with_holes")
    points = case.problem.domain.interior(10_000, seed=1)
    rows = []
    chosen: dict[str, dict[str, Any]] = {
        "fem": {},
        "rfm": {"features": 100, "partition": (8, 4)},
        "pinn": {"iterations": 3},
    }
    for name, settings in chosen.items():
        solution = solve(case, solver(name, **settings))
        times = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            solution(points)
            times.append(time.perf_counter() - start)
        rows.append([name, float(np.median(times))])
    print_table("10,000 values (asked: under 0.2 s)", ["solution by", "median seconds"], rows)
