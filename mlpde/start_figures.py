"""Pictures of u(0, x0): every run with its interval beside the known value, and how the value settled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mlpde.plotting import frame
from mlpde.scales import PALETTE, colours
from mlpde.start_report import NAME, known_value

Metrics = Mapping[str, Any]


def interval_figure(metrics: Metrics) -> Figure | None:
    """A row for each run: y0, its 95 % interval (thick), the same widened by the bias indicator (thin), its bounds.

    None if no run has an interval.
    """
    runs = [row for row in metrics["solutions"] if isinstance(row["quantities"].get(NAME), Mapping)]
    if not runs:
        return None
    figure = Figure(figsize=(6.4, 1.2 + 0.32 * len(runs)), layout="constrained")
    axes = figure.subplots()
    palette = colours(list(dict.fromkeys(row["label"] for row in runs)))
    for place, row in enumerate(runs):
        y0, colour = row["quantities"][NAME], palette[row["label"]]
        half = y0["ci95"] or 0.0
        wide = half + (y0["bias"] or 0.0)
        axes.plot([y0["value"] - wide, y0["value"] + wide], [place, place], color=colour, linewidth=1)
        axes.plot(
            [y0["value"] - half, y0["value"] + half], [place, place], color=colour, linewidth=4, alpha=0.6
        )
        axes.plot(y0["value"], place, "o", color=colour, markersize=4)
        for end, mark in (("lower", "|"), ("upper", "|")):
            if y0[end] is not None:
                axes.plot(y0[end], place, mark, color=colour, markersize=10)
    known = known_value(metrics)
    if known:
        axes.axvline(known[0], color=PALETTE["reference"], linewidth=1, linestyle="--", label=known[1])
        axes.legend(frameon=False, fontsize=8)
    axes.set_yticks(range(len(runs)), [f"{row['label']}, seed {row['seed']}" for row in runs], fontsize=8)
    axes.set_ylim(len(runs) - 0.5, -0.5)
    axes.set_xlabel(
        "u(0, x0): 95 % interval (thick), widened by the bias indicator (thin), bounds (ticks)", fontsize=8
    )
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.ticklabel_format(axis="x", useOffset=False)
    frame(axes)
    return figure


def settling_figure(metrics: Metrics) -> Figure | None:
    """y0 with its 95 % interval round by round, of the first run of every solver that tells it; None if none does."""
    first = {row["label"]: row["info"].get("history", []) for row in reversed(metrics["solutions"])}
    told = {label: [h for h in rows if h.get(NAME) is not None] for label, rows in reversed(first.items())}
    told = {label: rows for label, rows in told.items() if len(rows) > 1}
    if not told:
        return None
    for row in metrics["solutions"]:
        y0, rows = row["quantities"].get(NAME), told.get(row["label"], [])
        if row["info"].get("history") is first.get(row["label"]) and rows and isinstance(y0, Mapping):
            if y0["value"] != rows[-1][NAME]:  # a last correction
                rows.append({"step": rows[-1]["step"] + 1, NAME: y0["value"], "ci95": y0["ci95"]})
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes, palette = figure.subplots(), colours(list(told))
    for label, rows in told.items():
        axes.errorbar(
            [row["step"] for row in rows],
            [row[NAME] for row in rows],
            [row.get("ci95") or 0.0 for row in rows],
            color=palette[label],
            marker="o" if len(rows) < 20 else None,
            markersize=4,
            linewidth=1.2,
            capsize=2,
            label=label,
        )
    known = known_value(metrics)
    if known:
        axes.axhline(known[0], color=PALETTE["reference"], linewidth=1, linestyle="--", label=known[1])
    axes.set(xlabel="step", ylabel="u(0, x0)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.legend(frameon=False, fontsize=8)
    frame(axes)
    return figure
