"""Work and precision: the error of every run of a comparison against the CPU-seconds it took."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from mlpde.plotting import frame
from mlpde.scales import colours

Point = tuple[float, float]  # CPU-seconds, relative L2 error of the worst field


def work_figure(metrics: Mapping[str, Any]) -> Figure | None:
    """A dot for each run, a line through the medians of each solver's configurations, FEM's levels by their estimates.

    The line goes from few to many unknowns: what runs first pays for warming up, and would break another order.
    None unless at least two configurations have an error.
    """
    runs: dict[str, dict[str, list[Point]]] = {}  # solver -> label -> a point for each seed
    for row in sorted(metrics["solutions"], key=lambda row: row["unknowns"]):
        point = _point(row["cpu_seconds"], row["errors"])
        if point:
            runs.setdefault(row["solver"], {}).setdefault(row["label"], []).append(point)
    if sum(map(len, runs.values())) < 2:
        return None
    figure = Figure(figsize=(5, 3.4), layout="constrained")
    axes = figure.subplots()
    palette = colours(list(runs) + ["fem"])
    for solver, labels in runs.items():
        for points in labels.values():
            axes.loglog(*zip(*points, strict=True), "o", color=palette[solver], markersize=3, alpha=0.5)
        medians = [tuple(map(statistics.median, zip(*points, strict=True))) for points in labels.values()]
        axes.loglog(*zip(*medians, strict=True), "o-", color=palette[solver], markersize=5, label=solver)
    levels = _levels(metrics)
    if levels:
        axes.loglog(
            *zip(*levels, strict=True), "x:", color=palette["fem"], label="fem's levels, as it estimates"
        )
    field_wide = any("l2" in e for row in metrics["solutions"] for e in row["errors"].values())
    kind = "L2 error" if field_wide else "error at (0, x0)"
    axes.set(xlabel="CPU seconds", ylabel=f"relative {kind}")
    axes.legend(frameon=False, fontsize=8)
    _whole_decades(axes)
    frame(axes)
    return figure


def _whole_decades(axes: Axes) -> None:
    """On both axes, with no numbers between the powers of ten: runs that differ by little are seen to do so."""
    for limits, limit, axis in (
        (axes.get_xlim(), axes.set_xlim, axes.xaxis),
        (axes.get_ylim(), axes.set_ylim, axes.yaxis),
    ):
        low, high = (math.log10(v) for v in limits)
        limit(10.0 ** math.floor(low), 10.0 ** math.ceil(high))
        axis.set_minor_formatter(NullFormatter())


def _levels(metrics: Mapping[str, Any]) -> list[Point]:
    """The meshes that led to FEM's solution, of the reference or of the first run that refined."""
    for run in [*([metrics["reference"]] if metrics["reference"] else []), *metrics["solutions"]]:
        found = [
            _point(level["cpu_seconds"], level["estimated_error"]) for level in run["info"].get("levels", [])
        ]
        if found:
            return [point for point in found if point]
    return []


def _point(seconds: float, errors: Mapping[str, Any]) -> Point | None:
    """None where an error is missing, no number, or zero."""
    found = [e.get("l2", e.get("y0", 0.0)) for e in errors.values()]
    worst = max((math.inf if e is None else e for e in found), default=0.0)
    return (seconds, worst) if 0 < worst < math.inf and seconds > 0 else None
