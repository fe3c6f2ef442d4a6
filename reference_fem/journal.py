"""The journal of runs in time: what is shown after every step, and the checkpoint from which a run goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from mlpde.errors import InputError
from mlpde.monitor import Monitor
from reference_fem.difference_formulas import STENCIL
from reference_fem.time_stepping import State


@dataclass
class Record:
    """One run as far as it is: its times, the values that are wanted (by number), the last states, the step size."""

    times: list[float]
    values: dict[int, NDArray]
    states: list[State]
    step: int


class Journal:
    """The records of all runs of one solution, in the order in which they are begun.

    On several ranks nothing is saved; InputError if a run is to go on there.
    """

    def __init__(self, monitor: Monitor | None) -> None:
        self.monitor = monitor or Monitor()
        self.records: list[Record] = []
        self.alone = MPI.COMM_WORLD.size == 1
        found = self.monitor.resume()
        if found and not self.alone:
            raise InputError(
                "--resume of a FEM run in time works on one rank only: start without mpiexec, or anew"
            )
        self._restored = _unpacked(*found) if found else []

    def begin(self, start: Callable[[], State], step: int = 0) -> Record:
        """The record of the next run: the restored one, or a new one that holds the start."""
        if self._restored:
            record = self._restored.pop(0)
        else:
            state = start()
            record = Record([state.t], {0: state.u}, [state], step)
        self.records.append(record)
        return record

    def accept(self, record: Record, state: State, total: int, wanted: bool = True) -> None:
        """Enter a step of a run of `total`."""
        if wanted:
            record.values[len(record.times)] = state.u
        record.times.append(state.t)
        record.states = [*record.states[1 - STENCIL :], state]
        self.monitor.update(len(record.times) - 1, total, t=state.t)
        if self.alone and self.monitor.due:
            self.monitor.checkpoint(*_packed(self.records))


def _packed(records: list[Record]) -> tuple[dict[str, NDArray], dict[str, Any]]:
    arrays: dict[str, NDArray] = {}
    for n, record in enumerate(records):
        arrays[f"{n}.times"] = np.asarray(record.times)
        arrays[f"{n}.values"] = np.stack(list(record.values.values()))
        arrays[f"{n}.numbers"] = np.asarray(list(record.values))
        arrays[f"{n}.states"] = np.stack([np.stack(state.levels) for state in record.states])
    return arrays, {"steps": [record.step for record in records]}


def _unpacked(arrays: Mapping[str, NDArray], settings: Mapping[str, Any]) -> list[Record]:
    records = []
    for n, step in enumerate(settings["steps"]):
        times, values, numbers, levels = (
            arrays[f"{n}.{name}"] for name in ("times", "values", "numbers", "states")
        )
        states = [
            State(float(t), tuple(level)) for t, level in zip(times[-len(levels) :], levels, strict=True)
        ]
        records.append(Record(times.tolist(), dict(zip(numbers.tolist(), values, strict=True)), states, step))
    return records
