"""Pictures of fields, errors, meshes and histories.

One colour scale for a field in all its pictures, taken from the reference; one logarithmic scale for all its errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator
from matplotlib.tri import Triangulation

from mlpde.fields import REFERENCE, Fields, sample
from mlpde.solution import Array, Solution

FIELD_COLOURS, ERROR_COLOURS = "viridis", "magma"
PALETTE = {REFERENCE: "#222222", "fem": "#4c566a", "rfm": "#0072b2", "pinn": "#d55e00"}
OTHERS = ("#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#785ef0")
ERROR_DECADES = 16  # shown below the largest error, at most
STYLE: Any = {"font.size": 9, "axes.titlesize": 10, "axes.linewidth": 0.6, "font.family": "DejaVu Sans"}
SUBTRIANGLES = np.array([[0, 3, 5], [3, 1, 4], [5, 4, 2], [3, 4, 5]])  # of a six-node triangle
FACES = {1: [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]}
FACES[2] = [[0, 1, 2, 4, 5, 6], [0, 1, 3, 4, 9, 7], [0, 2, 3, 6, 8, 7], [1, 2, 3, 5, 8, 9]]  # gmsh's tetra10


def colours(labels: Sequence[str]) -> dict[str, str]:
    """A colour for each label, the same in every picture."""
    rest = iter(OTHERS * (1 + len(labels) // len(OTHERS)))
    return {label: PALETTE.get(label) or next(rest) for label in labels}


def solution_figure(solution: Solution) -> Figure:
    """All fields of one solution, side by side."""
    fields = _fine(sample({solution.solver: solution}, solution.mesh))
    names = list(fields.names())
    figure = _figure(fields, len(names), 1)
    for axes, name in zip(_grid(figure, fields, 1, len(names))[0], names, strict=True):
        _draw(figure, axes, fields, f"{solution.solver}.{name}", name)
    return figure


def field_figure(fields: Fields, name: str) -> Figure:
    """A field or output: its values by the reference and every solver above, the errors below."""
    labels, fields = fields.names()[name], _fine(fields)
    if fields.dim == 1:
        return _line_figure(fields, name, labels)
    errors = [label for label in labels if f"{label}.{name}.error" in fields.values]
    figure = _figure(fields, len(labels), 2 if errors else 1)
    grid = _grid(figure, fields, 2 if errors else 1, len(labels))
    reference = f"{REFERENCE if REFERENCE in labels else labels[0]}.{name}"
    norm = _field_norm(fields.magnitude(reference))
    mappable, every = None, [fields.magnitude(f"{label}.{name}") for label in labels]
    for axes, label, values in zip(grid[0], labels, every, strict=True):
        mappable = _paint(axes, fields, values, norm, FIELD_COLOURS)
        axes.set_title(label)
    _colour_bar(figure, mappable, grid[0], _symbol(fields, reference, name), np.concatenate(every))
    if errors:
        _error_row(figure, grid[1], fields, name, labels)
    return figure


def mesh_figure(fields: Fields) -> Figure:
    """The mesh of the reference, with straight lines between the vertices."""
    figure = _figure(fields, 1, 1)
    (axes,) = _grid(figure, fields, 1, 1)[0]
    x, vertices = fields.points, fields.cells[:, : fields.dim + 1]
    if fields.dim == 1:
        axes.plot(x[vertices].ravel(), np.zeros(vertices.size), "|-", color="#4c566a", markersize=12)
        axes.set_yticks([])
    elif fields.dim == 2:
        axes.triplot(x[:, 0], x[:, 1], vertices, color="#4c566a", linewidth=0.5)
    else:
        faces = _surface(fields)
        axes.plot_trisurf(
            *x.T, triangles=faces, color="#dfe5ec", edgecolor="#4c566a", linewidth=0.2, antialiased=True
        )
    return figure


def history_figure(histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure | None:
    """Loss and independent residual against steps and seconds; None if no solver has a history."""
    histories = {label: rows for label, rows in histories.items() if len(rows) > 1}
    if not histories:
        return None
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True, squeeze=False)[0]
    paint = colours(list(histories))
    for label, rows in histories.items():
        keys = [k for k in rows[-1] if k == "loss" or "residual" in k]
        for key in keys:
            used = [row for row in rows if isinstance(row.get(key), int | float) and row[key] > 0]
            for axes, against in zip(panels, ("step", "seconds"), strict=True):
                line = "-" if key == "loss" else "--"
                shown = [row for row in used if against in row]  # FEM does not time its steps
                axes.semilogy(
                    [row[against] for row in shown],
                    [row[key] for row in shown],
                    line,
                    marker="o" if len(used) < 20 else None,
                    markersize=4,
                    color=paint[label],
                    linewidth=1.3,
                    label=f"{label}: {key.replace('_', ' ')}",
                )
    for axes, against in zip(panels, ("step", "seconds"), strict=True):
        axes.set_xlabel(against)
        _frame(axes)
    panels[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].legend(frameon=False, fontsize=8)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=150)
    return path


def file_name(name: str) -> str:
    """A name of a field or output as a file name."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name) + ".png"


# -- one row or one picture -------------------------------------------------------------------------------------


def _error_row(figure: Figure, row: Sequence[Axes], fields: Fields, name: str, labels: Sequence[str]) -> None:
    values = {
        label: fields.magnitude(f"{label}.{name}.error")
        for label in labels
        if f"{label}.{name}.error" in fields.values
    }
    norm = _error_norm(list(values.values()))
    mappable, drawn = None, []
    for axes, label in zip(row, labels, strict=True):
        if label in values:
            shown = np.clip(values[label], norm.vmin, None)  # below the scale: its lowest colour
            mappable = _paint(axes, fields, shown, norm, ERROR_COLOURS)
            axes.set_title(f"|{label} \N{MINUS SIGN} reference|")
            drawn.append(axes)
        else:
            axes.set_axis_off()
    _colour_bar(figure, mappable, row, f"error of {name}", np.concatenate(list(values.values())))


def _line_figure(fields: Fields, name: str, labels: Sequence[str]) -> Figure:
    errors = [label for label in labels if f"{label}.{name}.error" in fields.values]
    figure = Figure(figsize=(9, 3.2) if errors else (5, 3.2), layout="constrained")
    panels = figure.subplots(1, 2 if errors else 1, squeeze=False)[0]
    order, paint = np.argsort(fields.points[:, 0]), colours(labels)
    x = fields.points[order, 0]
    for label in labels:
        style = {"color": paint[label], "linewidth": 2.6 if label == REFERENCE else 1.2}
        if label == REFERENCE:
            style |= {"alpha": 0.35}
        panels[0].plot(x, fields.magnitude(f"{label}.{name}")[order], label=label, **style)
    panels[0].set_ylabel(name)
    for label in errors:
        error = fields.magnitude(f"{label}.{name}.error")[order]
        panels[1].semilogy(
            x, np.where(error > 0, error, np.nan), color=paint[label], linewidth=1.2, label=label
        )
        panels[1].set_ylabel(f"error of {name}")
    if errors:  # where an error crosses zero it would stretch the scale
        low, _ = _error_range([fields.magnitude(f"{label}.{name}.error") for label in errors])
        panels[1].set_ylim(bottom=low / 10)
    for axes in panels:
        axes.set_xlabel("x")
        axes.legend(facecolor="white", edgecolor="none", framealpha=0.85, fontsize=8)
        _frame(axes)
    return figure


def _draw(figure: Figure, axes: Axes, fields: Fields, key: str, name: str) -> None:
    values = fields.magnitude(key)
    if fields.dim == 1:
        order = np.argsort(fields.points[:, 0])
        axes.plot(fields.points[order, 0], values[order], color=PALETTE["rfm"])
        axes.set(xlabel="x", ylabel=name)
        return
    mappable = _paint(axes, fields, values, _field_norm(values), FIELD_COLOURS)
    _colour_bar(figure, mappable, [axes], _symbol(fields, key, name), values)


def _paint(axes: Axes, fields: Fields, values: Array, norm: Normalize, colour_map: str) -> Any:
    """Values at the nodes as a smooth picture; triangles with a nan are left out."""
    if fields.dim == 3:
        return _paint_surface(axes, fields, values, norm, colour_map)
    axes.set_aspect("equal")
    cells = fields.cells[np.isfinite(values)[fields.cells].all(1)]
    if len(cells) == 0:
        axes.update_datalim(fields.points)
        axes.text(0.5, 0.5, "no finite value", ha="center", transform=axes.transAxes, color="#9c4221")
        return ScalarMappable(norm, colour_map)
    x = Triangulation(fields.points[:, 0], fields.points[:, 1], cells)
    return axes.tripcolor(
        x, np.nan_to_num(values), shading="gouraud", norm=norm, cmap=colour_map, rasterized=True
    )


def _paint_surface(axes: Any, fields: Fields, values: Array, norm: Normalize, colour_map: str) -> Any:
    faces = _surface(fields)
    mappable = ScalarMappable(norm, colour_map)
    collection = axes.plot_trisurf(*fields.points.T, triangles=faces, linewidth=0, antialiased=False)
    collection.set_facecolor(mappable.to_rgba(values[faces].mean(1)))
    return mappable


def _surface(fields: Fields) -> np.ndarray:
    """Triangles (n, 3) of the outer surface of a mesh of tetrahedra, subdivided for order 2."""
    faces = fields.cells[:, FACES[fields.order]].reshape(-1, 3 if fields.order == 1 else 6)
    corners = np.sort(faces[:, :3], axis=1)
    _, first, counts = np.unique(corners, axis=0, return_index=True, return_counts=True)
    outer = faces[first[counts == 1]]
    return outer if fields.order == 1 else outer[:, SUBTRIANGLES].reshape(-1, 3)


def _fine(fields: Fields) -> Fields:
    """Fine enough to be drawn with straight triangles; a surface is subdivided where it is drawn."""
    return fields.refined() if fields.dim < 3 and fields.order == 2 else fields


# -- layout -----------------------------------------------------------------------------------------------------


def _figure(fields: Fields, columns: int, rows: int) -> Figure:
    if fields.dim == 1:
        return Figure(figsize=(4.5 * columns, 3.0 * rows if columns > 1 else 1.2), layout="constrained")
    extent = np.ptp(fields.points, axis=0)
    ratio = 0.85 if fields.dim == 3 else float(np.clip(extent[1] / extent[0], 0.25, 1.6))
    width = 3.4 if columns > 1 else 5.0
    return Figure(figsize=(width * columns + 0.9, (width * ratio + 0.45) * rows + 0.1), layout="constrained")


def _grid(figure: Figure, fields: Fields, rows: int, columns: int) -> np.ndarray:
    projection = {"projection": "3d"} if fields.dim == 3 else None
    share = fields.dim == 2
    grid = figure.subplots(rows, columns, squeeze=False, subplot_kw=projection, sharex=share, sharey=share)
    for axes in grid.ravel():
        if fields.dim == 3:
            axes.set_proj_type("ortho")
            axes.set_box_aspect(np.ptp(fields.points, axis=0), zoom=1.3)
            axes.set_axis_off()
        else:
            axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
            axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
            axes.tick_params(labelsize=8, length=0, pad=2)
            axes.margins(0.01)
            if fields.dim == 2:
                axes.spines[:].set_visible(False)
                axes.set_aspect("equal")
    if rows > 1 and fields.dim == 2:
        grid[0, 0].tick_params(labelbottom=True)  # nothing is drawn below the reference
        grid[1, 0].set_axis_off()
        if columns > 1:
            grid[1, 1].tick_params(labelleft=True)
    return grid


def _frame(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="#e5e7eb", linewidth=0.6)
    axes.set_axisbelow(True)


def _colour_bar(figure: Figure, mappable: Any, row: Sequence[Axes], label: str, values: Array) -> None:
    finite = values[np.isfinite(values)]
    norm = mappable.norm
    slack = 0.01 * (norm.vmax - norm.vmin)
    below, above = (
        finite.min(initial=np.inf) < norm.vmin - slack,
        finite.max(initial=-np.inf) > norm.vmax + slack,
    )
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
    bar = figure.colorbar(
        mappable, ax=list(row), shrink=0.9, aspect=22, pad=0.02, extend=extend[bool(below), bool(above)]
    )
    bar.set_label(label, fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_linewidth(0.4)  # type: ignore[operator]
    if isinstance(norm, LogNorm):
        bar.ax.yaxis.set_major_locator(LogLocator(numticks=8))


def _field_norm(values: Array) -> Normalize:
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


def _error_norm(values: Sequence[Array]) -> LogNorm:
    return LogNorm(*_error_range(values))


def _error_range(values: Sequence[Array]) -> tuple[float, float]:
    """Of one logarithmic scale: up to the largest error, down to what most of the smallest error field needs."""
    positive = [v[np.isfinite(v) & (v > 0)] for v in values]
    positive = [v for v in positive if v.size]
    if not positive:
        return 1e-17, 1e-16
    high = max(np.quantile(v, 0.999) for v in positive)
    low = min(np.quantile(v, 0.05) for v in positive)
    return float(max(low, high * 10.0**-ERROR_DECADES) if low < high / 10 else high / 10), float(high)


def _symbol(fields: Fields, key: str, name: str) -> str:
    return name if fields.values[key].ndim == 1 else f"|{name}|"
