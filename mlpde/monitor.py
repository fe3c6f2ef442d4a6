"""Monitor: what an iterative solver tells while it runs, and the checkpoint from which it goes on."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mlpde.errors import InputError
from mlpde.files import plain

Display = Callable[
    [int, int | None, float, Mapping[str, Any]], None
]  # step, total (None: not known), seconds, figures


class Monitor:
    """`Monitor()` keeps the history and does nothing else: for use from Python.

    checkpoint_file: where the state is kept, if anywhere.
    identity: what the state belongs to (case, configuration, seed, version); `resume()` refuses anything else's.
    display: called with every update.
    """

    save_every = 30.0  # seconds: a checkpoint is at most a minute old if a step takes less than half a minute

    def __init__(
        self,
        checkpoint_file: Path | None = None,
        identity: Mapping[str, Any] | None = None,
        resume: bool = False,
        display: Display | None = None,
    ) -> None:
        self.history: list[dict[str, Any]] = []
        self._file = checkpoint_file
        self._identity = plain(dict(identity or {}))
        self._resume = resume
        self._display = display
        self._start = self._saved = time.monotonic()
        self._cpu = time.process_time()
        self.earlier = {"seconds": 0.0, "cpu_seconds": 0.0}  # of the runs that this one continues

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of this run and of the ones it continues."""
        return time.monotonic() - self._start

    def doing(self, what: str, step: int) -> None:
        """Show, after `step` steps of a number that is not known, what is being done; the history keeps nothing."""
        if self._display is not None:
            self._display(step, None, self.seconds, {"doing": what})

    def update(self, step: int, total: int | None, **figures: Any) -> None:
        """Record a step of `total`: `loss=`, `residual=` (the independent one), ... become a row of the history."""
        self.history.append({"step": int(step), "seconds": self.seconds, **plain(figures)})
        if self._display is not None:
            self._display(step, total, self.seconds, figures)

    @property
    def due(self) -> bool:
        """True if `checkpoint` would save: for a solver whose state takes time to collect."""
        return self._file is not None and time.monotonic() - self._saved >= self.save_every

    def checkpoint(self, arrays: Mapping[str, NDArray], settings: Mapping[str, Any]) -> None:
        """Save the solver's state if the last time was long enough ago; cheap to call in every step."""
        if self._file is None or not self.due:
            return
        from safetensors.numpy import save_file

        record = {
            "identity": self._identity,
            "settings": plain(settings),
            "history": self.history,
            "seconds": self.seconds,
            "cpu_seconds": self.earlier["cpu_seconds"] + time.process_time() - self._cpu,
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        save_file(dict(arrays), temporary, metadata={"mlpde": json.dumps(record)})
        temporary.replace(self._file)
        self._saved = time.monotonic()

    def resume(self) -> tuple[dict[str, NDArray], dict[str, Any]] | None:
        """(arrays, settings) of the last checkpoint; None if there is none or a fresh start was asked for.

        Raises InputError if the checkpoint belongs to another case, configuration, seed or version.
        """
        if not self._resume or self._file is None or not self._file.exists():
            return None
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self._file, framework="numpy") as stored:
                record = json.loads((stored.metadata() or {})["mlpde"])
                arrays = {name: stored.get_tensor(name) for name in stored.keys()}
            earlier = {what: record[what] for what in self.earlier}
        except (SafetensorError, KeyError, json.JSONDecodeError) as error:
            raise InputError(
                f"{self._file} is not a checkpoint of mlpde: remove it or start without --resume"
            ) from error
        for key, value in self._identity.items():
            if record["identity"].get(key) != value:
                saved, present = _differences(str(record["identity"].get(key)), str(value))
                remedy = (
                    "restore that file" if key == "case file" else "repeat the run with the same settings"
                )
                raise InputError(
                    f"the checkpoint {self._file} has {key} {saved}, this run has {present}: "
                    f"{remedy}, or start anew without --resume"
                )
        self.history = record["history"]
        self.earlier = earlier
        self._start = time.monotonic() - earlier["seconds"]
        return arrays, record["settings"]


def _differences(one: str, other: str) -> tuple[str, str]:
    """The settings name=value in which two configurations differ; all of both where they have no such."""
    first, second = (re.findall(r"\w+=(?:\([^()]*\)|[^,()]*)", text) for text in (one, other))
    found = tuple(
        ", ".join(part for part in mine if part not in theirs)
        for mine, theirs in ((first, second), (second, first))
    )
    same_kind = one.split("(")[0] == other.split("(")[0]
    return (found[0], found[1]) if same_kind and all(found) else (one, other)
