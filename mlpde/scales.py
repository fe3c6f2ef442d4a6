"""Colours and their scales: one scale for a field in all its pictures, one logarithmic scale for all its errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from mlpde.fields import REFERENCE, Fields
from mlpde.solution import Array

FIELD_COLOURS, ERROR_COLOURS = "viridis", "magma"
PALETTE = {
    REFERENCE: "#222222",
    "fem": "#4c566a",
    "rfm": "#0072b2",
    "pinn": "#d55e00",
    "dgm": "#009e73",
    "deep_ritz": "#cc79a7",
    "wan": "#e69f00",
    "bsde": "#117733",
    "deep_bsde": "#aa3377",
    "multilevel_picard": "#b8860b",
}
OTHERS = ("#56b4e9", "#785ef0", "#88ccee", "#999933", "#44aa99")
ERROR_DECADES = 16  # shown below the largest error, at most
STYLE: Any = {"font.size": 9, "axes.titlesize": 10, "axes.linewidth": 0.6, "font.family": "DejaVu Sans"}


def colours(labels: Sequence[str]) -> dict[str, str]:
    """A colour for each label, the same in every picture."""
    rest = iter(OTHERS * (1 + len(labels) // len(OTHERS)))
    return {label: PALETTE.get(label) or next(rest) for label in labels}


def field_norm(values: Array) -> Normalize:
    """From the smallest to the largest value; a spike (a stress at a corner) is cut off at the 0.2 % quantile."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return Normalize(0, 1)
    low, high = np.quantile(finite, [0.002, 0.998])
    smallest, largest = finite.min(), finite.max()
    spike = largest - smallest > 3 * (high - low)
    low, high = (low, high) if spike and high > low else (smallest, largest)
    if not high > low:
        low, high = low - 0.5 * max(abs(low), 1), high + 0.5 * max(abs(high), 1)
    return Normalize(low, high)


def error_norm(values: Sequence[Array]) -> LogNorm:
    """The logarithmic scale of `error_range`."""
    return LogNorm(*error_range(values))


def error_range(values: Sequence[Array]) -> tuple[float, float]:
    """Of one logarithmic scale: up to the largest error, down to what most of the smallest error field needs."""
    positive = [v[np.isfinite(v) & (v > 0)] for v in values]
    positive = [v for v in positive if v.size]
    if not positive:
        return 1e-17, 1e-16
    high = max(np.quantile(v, 0.999) for v in positive)
    low = min(np.quantile(v, 0.05) for v in positive)
    return float(max(low, high * 10.0**-ERROR_DECADES) if low < high / 10 else high / 10), float(high)


def symbol(fields: Fields, key: str, name: str) -> str:
    """What is drawn: the name, or |name| of what is no scalar."""
    return name if fields.values[key].ndim == 1 else f"|{name}|"


def colour_bar(
    figure: Figure, mappable: Any, axes: Sequence[Axes], label: str, values: Array, rows: int = 1
) -> None:
    """The bar right of rows of pictures; pointed where values lie beyond its scale."""
    finite = values[np.isfinite(values)]
    norm = mappable.norm
    slack = 0.01 * (norm.vmax - norm.vmin)
    below, above = (
        finite.min(initial=np.inf) < norm.vmin - slack,
        finite.max(initial=-np.inf) > norm.vmax + slack,
    )
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
    bar = figure.colorbar(
        mappable,
        ax=list(axes),
        shrink=0.9,
        aspect=22 * rows,
        pad=0.02,
        extend=extend[bool(below), bool(above)],
    )
    bar.set_label(label, fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_linewidth(0.4)  # type: ignore[operator]
    if isinstance(norm, LogNorm):
        bar.ax.yaxis.set_major_locator(LogLocator(numticks=8))


def leading(labels: Sequence[str], name: str) -> str:
    """The key of the field whose values make the scale: the reference's, if there is one."""
    return f"{REFERENCE if REFERENCE in labels else labels[0]}.{name}"
