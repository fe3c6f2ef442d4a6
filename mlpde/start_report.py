"""The value at (0, x0) of a semilinear parabolic problem in a report: interval, bias, bounds, and what is compared.

A quantity is a number, or {"value", "ci95", "bias", "lower", "upper"}: the half-width of the 95 % interval, an
indicator of what the interval does not see, and bounds where they are known.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import Any

from mlpde.formatting import number

NAME = "y0"
HEADER = ("y0", "95 % interval", "bias indicator", "bounds", "nonlinearity gap", "CPU seconds")


def value_of(quantity: Any) -> float | None:
    """The number alone."""
    return quantity["value"] if isinstance(quantity, Mapping) else quantity


def known_value(metrics: Mapping[str, Any]) -> tuple[float, str] | None:
    """The value that errors are measured against and what it is: the reference's, else the published one."""
    reference, published = metrics["reference"], metrics["description"]["published"]
    if reference is not None and value_of(reference["quantities"].get(NAME)) is not None:
        return value_of(reference["quantities"][NAME]), "reference"  # type: ignore[return-value]
    if NAME in published:
        return published[NAME]["value"], "published value"
    return None


def start_table(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """Header and rows (texts) of what every solver knows about y0; None if the problem has none."""
    labels = list(dict.fromkeys(row["label"] for row in metrics["solutions"]))
    if NAME not in metrics["solutions"][0]["quantities"]:
        return None
    known = known_value(metrics)
    against = [f"difference to the {known[1]}"] if known else []
    rows = []
    published = metrics["description"]["published"].get(NAME)
    blank = ["–"] * (len(HEADER) - 1 + len(against))
    if published:
        rows.append([f"published ({published['source']})", number(published["value"], 9), *blank])
    if metrics["reference"] and NAME in metrics["reference"]["quantities"]:
        reference = metrics["reference"]
        cells = _cells(reference)
        rows.append([f"reference ({reference['solver']})", *cells[:4], *["–"] * len(against), *cells[4:]])
    for label in labels:
        runs = [row for row in metrics["solutions"] if row["label"] == label]
        cells = _cells(typical(runs))
        difference = [differences(runs, known[0])] if known else []
        rows.append([label, *cells[:4], *difference, *cells[4:]])
    return {"header": ["solver", *HEADER[:4], *against, *HEADER[4:]], "rows": rows}


def start_sentence(runs: list[Any], metrics: Mapping[str, Any]) -> str:
    """What the runs of one solver found, in words."""
    run, known = typical(runs), known_value(metrics)
    cells = _cells(run)
    text = f"{run['label']} finds u(0, x0) = {cells[0]}"
    if cells[1] != "–":
        text += f" with the 95 % interval {cells[1]}"
    if cells[2] != "–":
        text += f", bias indicator {cells[2]}"
    text += f", in {cells[5]} CPU seconds"
    if known:
        text += f"; its difference to the {known[1]} is {differences(runs, known[0])}"
    if cells[4] != "–":
        text += f", while the nonlinearity is worth {cells[4]}"
    return text + "."


def typical(runs: list[Any]) -> Any:
    """The run with the median y0."""
    values = [_finite(value_of(run["quantities"].get(NAME))) for run in runs]
    return runs[values.index(statistics.median_low(values))]


def differences(runs: list[Any], known: float) -> str:
    """Relative to the known value (absolute where that is 0): of several runs the median and the worst."""
    found = [_finite(value_of(run["quantities"].get(NAME))) - known for run in runs]
    sizes = [abs(f) / abs(known) if known else abs(f) for f in found]
    text = _share(statistics.median(sizes))
    return text if len(sizes) == 1 else f"{text} (worst {_share(max(sizes))} of {len(sizes)} seeds)"


def _cells(run: Mapping[str, Any]) -> list[str]:
    """The texts below HEADER."""
    y0 = run["quantities"].get(NAME)
    parts = y0 if isinstance(y0, Mapping) else {"value": y0}
    ends = [parts.get(end) for end in ("lower", "upper")]
    symbols = ["≥ " if end == 0 else "≤ " for end in range(2)]
    bounds = [symbol + number(e, 7) for symbol, e in zip(symbols, ends, strict=True) if e is not None]
    gap = run["info"].get("nonlinearity_gap")
    return [
        number(parts["value"], 9),
        "–" if parts.get("ci95") is None else f"± {number(parts['ci95'], 2)}",
        "–" if parts.get("bias") is None else number(parts["bias"], 2),
        ", ".join(bounds) or "–",
        "–" if gap is None else _share(gap),
        number(run["cpu_seconds"]),
    ]


def _share(value: float) -> str:
    return "no value" if not math.isfinite(value) else f"{number(100 * value, 2)} %"


def _finite(value: float | None) -> float:
    return math.inf if value is None else value
