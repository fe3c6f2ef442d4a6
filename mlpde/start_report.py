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
        one = typical(runs, known[0] if known else None)
        cells = _cells(one)
        difference = [differences(runs, known[0])] if known else []
        rows.append([_named(one, runs), *cells[:4], *difference, *cells[4:]])
    return {"header": ["solver", *HEADER[:4], *against, *HEADER[4:]], "rows": rows}


def start_sentence(runs: list[Any], metrics: Mapping[str, Any]) -> str:
    """What the runs of one solver found, in words."""
    known = known_value(metrics)
    run = typical(runs, known[0] if known else None)
    cells = _cells(run)
    text = f"{_named(run, runs)} finds u(0, x0) = {cells[0]}"
    if run["info"].get("y0_by") == "tempering":
        text += " by tempering"
    if run["info"].get("residual_network"):
        text += " with a network for what its features miss"
    if cells[1] != "–":
        text += f" with the 95 % interval {cells[1]}"
    if cells[2] != "–":
        text += f", bias indicator {cells[2]}"
    text += f", in {cells[5]} CPU seconds"
    if known:
        text += f"; its difference to the {known[1]} is {differences(runs, known[0])}"
    if cells[4] != "–":
        text += f", while E g, which knows nothing of the driver, is {cells[4]} off"
    return text + "."


def typical(runs: list[Any], known: float | None = None) -> Any:
    """The run whose difference to the known value, or without one whose y0, is the (lower) median of all."""
    values = [_finite(value_of(run["quantities"].get(NAME))) for run in runs]
    judged = values if known is None else relative_sizes(runs, known)
    return runs[judged.index(statistics.median_low(judged))]


def differences(runs: list[Any], known: float) -> str:
    """Relative to the known value (absolute where that is 0): of several runs the median and the worst."""
    sizes = relative_sizes(runs, known)
    unit = _share if known else number
    text = unit(statistics.median_low(sizes))
    return text if len(sizes) == 1 else f"{text} (worst {unit(max(sizes))} of {len(sizes)} seeds)"


def relative_sizes(runs: list[Any], known: float) -> list[float]:
    """|y0 - known| / |known| of each run, absolute where that is 0, infinite without y0."""
    found = [abs(_finite(value_of(run["quantities"].get(NAME))) - known) for run in runs]
    return [f / abs(known) for f in found] if known else found


def _named(run: Mapping[str, Any], runs: list[Any]) -> str:
    return run["label"] if len(runs) == 1 else f"{run['label']}, seed {run['seed']}"


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
