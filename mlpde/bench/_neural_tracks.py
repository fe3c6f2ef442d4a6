"""The error of a network while it is trained, against the CPU-seconds that the training has taken."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from mlpde.monitor import Monitor

Track = list[tuple[float, float]]  # CPU-seconds since the start, relative L2 error of the first field


class _Watch(Monitor):
    """Keeps the parameters of every state a solver offers for a checkpoint, and the CPU-seconds."""

    due = True

    def __init__(self) -> None:
        super().__init__()
        self.states: list[tuple[float, np.ndarray]] = []
        self._began = time.process_time()

    def checkpoint(self, arrays: Any, settings: Any) -> None:
        """Keep the present parameters."""
        self.states.append((time.process_time() - self._began, arrays["theta"].copy()))


def timed_errors(case: Any, reference: Any, solver: Any, seed: int) -> Track:
    """The errors of one training; they are measured after it, the last one is that of the solution."""
    import torch

    watch = _Watch()
    solution = solver.solve(case.problem, seed=seed, monitor=watch)
    name = case.problem.fields[0].name

    def error(found: Any) -> float:
        return found.error(reference)[name]["l2"]

    track = [
        (seconds, error(replace(solution, model=replace(solution.model, parameters=torch.as_tensor(theta)))))
        for seconds, theta in watch.states
    ]
    return [*track, (solution.info["cpu_seconds"], error(solution))]


def first_below(track: Track, mark: float) -> float:
    """The CPU-seconds at which the error is first below `mark`; inf if never."""
    return next((seconds for seconds, error in track if error <= mark), float("inf"))


def error_at(track: Track, seconds: float) -> float:
    """The least error up to a time; inf before the first one."""
    return min((error for when, error in track if when <= seconds), default=float("inf"))
