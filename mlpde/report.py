"""The report of a comparison, from metrics.json and the fields: report.html (nothing external) and report.md."""

from __future__ import annotations

import base64
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpde.fields import Fields
from mlpde.files import replacing_file
from mlpde.formatting import number
from mlpde.start_report import NAME, start_sentence, start_table, value_of

if TYPE_CHECKING:
    from mlpde.series import Series

Metrics = Mapping[str, Any]
ROUNDING = 1e-13  # a quantity that is smaller is taken for zero
INTEGRALS = "Integrals are by quadrature on the mesh, whose error may exceed that of the fields."
MEASURES = {"l2": "L2", "h1": "H1", "max": "max", "l2_time": "L2(0, T)", "y0": "at (0, x0)"}


def summarise(metrics: Metrics) -> list[dict[str, Any]]:
    """One entry a solver label: medians and worst values over its seeds, each figure on its own as in the pictures.

    errors: {field: {measure: {"median", "worst", "below", "reference"}}}; a missing error (nan) counts as infinite.
    """
    estimated = (metrics["reference"] or {}).get("estimated_error", {})
    return [_summary(label, runs, estimated) for label, runs in _by_label(metrics).items()]


def _by_label(metrics: Metrics) -> dict[str, list[Any]]:
    labels = dict.fromkeys(row["label"] for row in metrics["solutions"])
    return {label: [row for row in metrics["solutions"] if row["label"] == label] for label in labels}


def _summary(label: str, rows: list[Any], estimated: Mapping[str, Any]) -> dict[str, Any]:
    def middle(key: str) -> Any:
        return statistics.median([row[key] for row in rows])

    def over_seeds(kind: str) -> dict[str, dict[str, Any]]:
        return {
            name: {
                measure: _spread([row[kind][name][measure] for row in rows])
                | {
                    "below": all(f"{name}.{measure}" in row["below_reference"] for row in rows),
                    "reference": estimated.get(name, {}).get(measure),
                }
                for measure in first
                if measure in MEASURES
            }
            | ({"absolute": True} if first.get("absolute") else {})
            for name, first in rows[0][kind].items()
        }

    return {
        "label": label,
        "config": rows[0]["config"],
        "seeds": [row["seed"] for row in rows],
        "unknowns": round(middle("unknowns")),
        "seconds": middle("seconds"),
        "cpu_seconds": middle("cpu_seconds"),
        "errors": over_seeds("errors"),
        "output_errors": over_seeds("output_errors"),
        "quantities": {
            name: _spread([value_of(row["quantities"].get(name)) for row in rows])["median"]
            for name in rows[0]["quantities"]
        },
        "estimated_error": rows[0]["info"].get("estimated_error", {}),
        "warnings": list(dict.fromkeys(w for row in rows for w in row["info"].get("warnings", []))),
    }


def _spread(values: list[float | None]) -> dict[str, float]:
    known = [math.inf if v is None else v for v in values]
    return {"median": statistics.median(known), "worst": max(known)}


def error_text(entry: Mapping[str, Any], several: bool) -> str:
    """An error as it stands in a table: "1.2e-4 (worst 3e-4)", or "< reference error (1.0e-5)"."""
    if entry["below"]:
        return f"< reference error ({number(entry['reference'])})"
    text = number(entry["median"])
    return f"{text} (worst {number(entry['worst'])})" if several else text


def verdict(metrics: Metrics) -> list[str]:
    """What came out, in words: a sentence on the reference and one on every solver."""
    reference, by_label = metrics["reference"], _by_label(metrics)
    starts = {
        label: start_sentence(runs, metrics)
        for label, runs in by_label.items()
        if NAME in runs[0]["quantities"]
    }
    if reference is None:
        return [
            starts.get(s["label"])
            or f"{s['label']} took {number(s['cpu_seconds'])} CPU seconds for {number(s['unknowns'])} unknowns; "
            + (
                f"it estimates its own relative L2 error at {_own_errors(s['estimated_error'])}."
                if s["estimated_error"]
                else "there is no reference, so nothing is said about its error."
            )
            for s in summarise(metrics)
        ]
    sentences = [_on_reference(reference)]
    for summary in summarise(metrics):
        label, cost = summary["label"], f"{number(summary['cpu_seconds'])} CPU seconds"
        if label in starts:
            sentences.append(starts[label])
        if not any("l2" in errors for errors in summary["errors"].values()):
            continue
        name, worst = max(
            ((name, errors["l2"]) for name, errors in summary["errors"].items()),
            key=lambda pair: pair[1]["median"],
        )
        kind = "an absolute" if summary["errors"][name].get("absolute") else "a relative"
        if not math.isfinite(worst["median"]):
            sentences.append(f"{label} failed: its error is not a number, after {cost}.")
        elif all(errors["l2"]["below"] for errors in summary["errors"].values()):
            sentences.append(
                f"{label} agrees with the reference to within the reference's own error, "
                f"in {cost}{_ratio(summary, reference)}."
            )
        else:
            share = ""
            if worst["reference"] and not worst["below"]:
                share = f", {number(worst['median'] / worst['reference'], 2)} times the reference's own error"
            several = len(summary["seeds"]) > 1
            seeds = (
                f" (median of {len(summary['seeds'])} seeds, worst {number(worst['worst'])})"
                if several
                else ""
            )
            sentences.append(
                f"{label} has {kind} L2 error of {number(worst['median'])}{seeds} in {name}{share}, "
                f"in {cost}{_ratio(summary, reference)}."
            )
        if summary["estimated_error"]:
            sentences[-1] += f" Its own estimate of that is {_own_errors(summary['estimated_error'])}."
    return sentences


def _own_errors(estimated: Mapping[str, Any]) -> str:
    return ", ".join(f"{number(error['l2'])} in {name}" for name, error in estimated.items())


def _on_reference(reference: Mapping[str, Any]) -> str:
    if reference["solver"] == "exact" and not reference["unknowns"]:
        return "The reference is the exact solution."
    errors = {name: e["l2"] for name, e in reference["estimated_error"].items() if e.get("l2")}
    if not errors:
        return f"The reference is by {reference['solver']}; it states no error of its own."
    own = _own_errors({name: {"l2": value} for name, value in errors.items()})
    return (
        f"The reference is by {reference['solver']} with {number(reference['unknowns'])} unknowns in "
        f"{number(reference['cpu_seconds'])} CPU seconds; its own estimated relative L2 error is {own}."
    )


def _ratio(summary: Mapping[str, Any], reference: Mapping[str, Any]) -> str:
    if not reference["cpu_seconds"]:
        return ""
    return f", {number(summary['cpu_seconds'] / reference['cpu_seconds'], 2)} times the reference's"


def error_table(metrics: Metrics) -> dict[str, Any]:
    """Header and rows (texts): cost and errors of the reference and of every solver."""
    summaries = summarise(metrics)
    names = list(summaries[0]["errors"])
    measures = {
        n: [m for m in MEASURES if m != NAME and any(m in s["errors"][n] for s in summaries)] for n in names
    }  # y0 has a table of its own
    header = ["solver", "unknowns", "seconds", "CPU seconds"]
    header += [f"{name}: {MEASURES[measure]}" for name in names for measure in measures[name]]
    rows = []
    if reference := metrics["reference"]:
        own = reference["estimated_error"]
        exact = reference["solver"] == "exact" and not reference["unknowns"]
        cost = ["–"] * 3 if exact else [number(reference[k]) for k in ("unknowns", "seconds", "cpu_seconds")]
        errors = [
            f"≈ {number(own[n][m])}" if own.get(n, {}).get(m) else ("0" if exact else "–")
            for n in names
            for m in measures[n]
        ]
        rows.append([f"reference ({reference['solver']})", *cost, *errors])
    for summary in summaries:
        several = len(summary["seeds"]) > 1
        rows.append(
            [
                summary["label"],
                *[number(summary[key]) for key in ("unknowns", "seconds", "cpu_seconds")],
                *[
                    error_text(summary["errors"][n][m], several) if m in summary["errors"][n] else "–"
                    for n in names
                    for m in measures[n]
                ],
            ]
        )
    return {"header": header, "rows": rows}


def output_table(metrics: Metrics) -> dict[str, Any] | None:
    """Errors of the outputs by solver; None if there are none."""
    summaries = summarise(metrics)
    names = list(summaries[0]["output_errors"])
    if not names:
        return None
    header = ["solver", *[f"{name}: {MEASURES[m]}" for name in names for m in ("l2", "max")]]
    rows = [
        [
            s["label"],
            *[
                error_text(s["output_errors"][n][m], len(s["seeds"]) > 1)
                for n in names
                for m in ("l2", "max")
            ],
        ]
        for s in summaries
    ]
    return {"header": header, "rows": rows}


def quantity_table(metrics: Metrics) -> dict[str, Any] | None:
    """Quantities by solver with published values; None if there are none."""
    summaries, reference = summarise(metrics), metrics["reference"]
    published = metrics["description"]["published"]
    names = [n for n in dict.fromkeys([*summaries[0]["quantities"], *published]) if n != NAME]
    if not names:
        return None
    header = ["quantity", *(["published"] if published else []), *(["reference"] if reference else [])]
    header += [s["label"] for s in summaries]
    rows = []
    for name in names:
        row = [name]
        if published:
            row.append(
                f"{number(published[name]['value'], 6)} ({published[name]['source']})"
                if name in published
                else "–"
            )
        known = value_of(reference["quantities"].get(name)) if reference else None
        if reference:
            own = reference["info"].get("estimated_quantity_error", {}).get(name)
            row.append(("–" if known is None else number(known, 6)) + (f" ± {number(own, 1)}" if own else ""))
        for s in summaries:
            value = s["quantities"].get(name)
            text = "–" if value is None else number(value, 6)
            # else a relative difference says nothing
            if value is not None and known and ROUNDING < abs(known) > abs(value - known):
                text += f" ({number((value - known) / abs(known), 2)})"
            row.append(text)
        rows.append(row)
    return {"header": header, "rows": rows, "note": INTEGRALS}


def mesh_table(metrics: Metrics) -> dict[str, Any] | None:
    """Cells, sizes and worst quality (scaled Jacobian; 1: regular) of the meshes; None if no solver has one."""
    runs = {f"reference ({r['solver']})": r for r in [metrics["reference"]] if r}
    runs |= {row["label"]: row for row in reversed(metrics["solutions"])}
    header = ["solver", "cells", "smallest size", "largest size", "worst quality"]
    keys = ("cells", "size_min", "size_max", "worst_quality")
    rows = [
        [label, *(number(run["info"]["mesh"][key]) for key in keys)]
        for label, run in runs.items()
        if "mesh" in run["info"]
    ]
    return {"header": header, "rows": rows} if rows else None


def text_table(metrics: Metrics) -> str:
    """The error table for a terminal."""
    table = error_table(metrics)
    lines = [table["header"], *table["rows"]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def write_report(
    folder: Path,
    metrics: Metrics,
    fields: Fields | None,
    series: Series | None = None,
    slices: Mapping[str, Fields] | None = None,
) -> None:
    """report.html, report.md and figures/* into `folder`.

    Where surfaces cannot be rendered their pictures are missing, and the report says why.
    """
    from mlpde.figures import make_figures

    figures, notes = make_figures(folder / "figures", metrics, fields, series, slices or {})
    content = {
        "metrics": metrics,
        "summaries": summarise(metrics),
        "verdict": verdict(metrics),
        "tables": {
            "Value at (0, x0)": start_table(metrics),
            "Errors and cost": error_table(metrics),
            "Outputs": output_table(metrics),
            "Quantities": quantity_table(metrics),
            "Mesh": mesh_table(metrics),
        },
        "notes": notes,
        "versions": _versions(metrics),
    }
    render(folder, content, figures)


def render(folder: Path, content: Mapping[str, Any], figures: Sequence[tuple[str, Path, Path]]) -> None:
    """report.html and report.md from what their templates name; figures: as `make_figures` gives them."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mlpde"),
        autoescape=jinja2.select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["number"] = number
    drawn = [
        {"path": still.relative_to(folder).as_posix(), "title": title, "data": _inline(moving)}
        for title, still, moving in figures
    ]
    for name in ("report.html", "report.md"):
        with replacing_file(folder / name) as temporary:
            text = environment.get_template(name).render(**content, figures=drawn)
            temporary.write_text(text, encoding="utf-8")


def _versions(metrics: Metrics) -> dict[str, str]:
    runs = [*metrics["solutions"], *([metrics["reference"]] if metrics["reference"] else [])]
    return {name: v for run in runs for name, v in run["info"].get("versions", {}).items()}


def _inline(path: Path) -> str:
    return f"data:image/{path.suffix[1:]};base64," + base64.b64encode(path.read_bytes()).decode()
