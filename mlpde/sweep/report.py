"""The report of a sweep: tables, box plots over seeds, and error against work, a case after the other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

from mlpde import plotting
from mlpde.report import (
    Metrics,
    error_table,
    number,
    output_table,
    quantity_table,
    render,
    summarise,
    verdict,
)
from mlpde.scales import STYLE, colours
from mlpde.work_precision import work_figure


def write_report(folder: Path, metrics: Metrics) -> list[str]:
    """report.html, report.md and figures/* from the sweep's metrics.json; gives the sentences on what came out."""
    figures: list[tuple[str, Path, Path]] = []
    tables: dict[str, Any] = {}
    summaries, versions = [], dict[str, str]()
    sentences = _sentences(folder, metrics)
    with matplotlib.rc_context(STYLE):
        for name, case in metrics["cases"].items():
            tables[f"{name}: errors and cost"] = error_table(case)
            tables[f"{name}: outputs"] = output_table(case)
            tables[f"{name}: quantities"] = quantity_table(case)
            for title, figure in (
                ("errors over the seeds", box_figure(case)),
                ("error against work", work_figure(case)),
            ):
                if figure is not None:
                    title = f"{name}: {title}"
                    path = plotting.save(figure, folder / "figures" / plotting.file_name(title))
                    figures.append((title, path, path))
            summaries += [one | {"label": f"{name}, {one['label']}"} for one in summarise(case)]
            for row in case["solutions"]:
                versions |= row["info"].get("versions", {})
    if metrics["failed"]:
        rows = [[one["run"], one["why"], _link(one["log"])] for one in metrics["failed"]]
        tables["Runs without a result"] = {"header": ["run", "why", "log"], "rows": rows}
    machines = [row["machine"] for case in metrics["cases"].values() for row in case["solutions"]]
    head = {
        "case": f"Sweep of {metrics['runs']} runs",
        "description": {
            "source": f"Each run has a folder of its own in {folder.name}/runs, with its own report."
        },
        "reference": None,
        "machine": machines[0] if machines else None,
        "command": metrics["command"],
    }
    content = {"metrics": head, "verdict": sentences, "tables": tables, "notes": [], "summaries": summaries}
    render(folder, content | {"versions": versions}, figures)
    return sentences


def _link(path: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(quote(path), path)


def _sentences(folder: Path, metrics: Metrics) -> list[str]:
    done = sum(len(case["solutions"]) for case in metrics["cases"].values())
    found = [f"{done} of {metrics['runs']} runs are done."]
    for name, case in metrics["cases"].items():
        errors = {
            one["label"]: (_largest(one["errors"]), one["cpu_seconds"])
            for one in summarise(case)
            if one["errors"]
        }
        known = {label: pair for label, pair in errors.items() if math.isfinite(pair[0])}
        if case["reference"] is not None:
            found.append(f"{name}: {verdict(case)[0]}")
        if known:
            best = min(known, key=lambda label: known[label][0])
            error, seconds = known[best]
            found.append(
                f"{name}: the smallest median L2 error is {number(error)}, by {best} in {number(seconds)} CPU seconds."
            )
        else:
            found.append(f"{name}: no error is known.")
    found += [
        f"{one['run']} has no result: {one['why']} (see {folder / one['log']})" for one in metrics["failed"]
    ]
    return found


def _largest(errors: Mapping[str, Any]) -> float:
    return max((error["l2"]["median"] for error in errors.values() if "l2" in error), default=math.nan)


def box_figure(metrics: Metrics) -> Figure | None:
    """The relative L2 errors (the worst field's) over the seeds, a box a configuration; None with one seed or no error.

    A box goes from the first to the third quartile, its line is the median, the whiskers end at the extremes.
    """
    errors: dict[str, list[float]] = {}
    solvers = {}
    for row in metrics["solutions"]:
        worst = max(
            (math.inf if e.get("l2") is None else e["l2"] for e in row["errors"].values()), default=0.0
        )
        if 0 < worst < math.inf:
            errors.setdefault(row["label"], []).append(worst)
            solvers[row["label"]] = row["solver"]
    if max(map(len, errors.values()), default=0) < 2:
        return None
    figure = Figure(figsize=(2.0 + 0.6 * len(errors), 3.4), layout="constrained")
    axes, palette = figure.subplots(), colours(list(dict.fromkeys(solvers.values())))
    boxes = axes.boxplot(
        list(errors.values()), whis=(0, 100), widths=0.6, tick_labels=list(errors), patch_artist=True
    )
    for label, box, median in zip(errors, boxes["boxes"], boxes["medians"], strict=True):
        box.set(facecolor=palette[solvers[label]], alpha=0.45)
        median.set(color="black")
    axes.set(yscale="log", ylabel="relative L2 error")
    axes.tick_params(axis="x", rotation=30)
    for text in axes.get_xticklabels():
        text.set_horizontalalignment("right")
    plotting.frame(axes)
    return figure
