"""What a long run shows: a live bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

LINE_EVERY = 5.0  # seconds

Display = Callable[[int, int | None, float, Mapping[str, Any]], None]


def figures_text(figures: Mapping[str, Any]) -> str:
    """ "loss 1.2e-03  residual 3.4e-02": numbers only, after what is being done."""
    numbers = {k: v for k, v in figures.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    texts = {k: str(v) if isinstance(v, int) else f"{v:.1e}" for k, v in numbers.items()}
    doing = [figures["doing"]] if "doing" in figures else []
    return "  ".join([*doing, *(f"{name.replace('_', ' ')} {text}" for name, text in texts.items())])


@contextmanager
def displays() -> Iterator[Callable[[str], Display]]:
    """Gives `display(label)`: a function that shows the steps of one run, on stderr."""
    if not sys.stderr.isatty():
        yield plain_lines
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:>12}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:

        def bar(label: str) -> Display:
            task = progress.add_task(label, total=None, figures="")

            def show(step: int, total: int | None, seconds: float, figures: Mapping[str, Any]) -> None:
                progress.update(task, completed=step, total=total, figures=figures_text(figures))

            return show

        yield bar


def plain_lines(label: str) -> Display:
    """The same as lines of text, at most one every LINE_EVERY seconds, the last step, and what is done first."""
    last, started = time.monotonic(), False

    def show(step: int, total: int | None, seconds: float, figures: Mapping[str, Any]) -> None:
        nonlocal last, started
        first = "doing" in figures and not started
        if not first and step != total and time.monotonic() - last < LINE_EVERY:
            return
        last, started = time.monotonic(), True
        of, left = "", ""
        if total is not None:
            of = f"/{total}"
            left = f", about {seconds * (total - step) / step:.0f} s left" if 0 < step < total else ""
        print(
            f"{label}: step {step}{of}  {seconds:.0f} s{left}  {figures_text(figures)}",
            file=sys.stderr,
            flush=True,
        )

    return show
