"""Pictures of fields and errors on lines and planes, of meshes and histories; `mlpde.spatial` has those of bodies."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.tri import Triangulation

from mlpde.errors import InputError
from mlpde.fields import REFERENCE, Fields, sample
from mlpde.files import replacing_file
from mlpde.scales import (
    ERROR_COLOURS,
    FIELD_COLOURS,
    PALETTE,
    colour_bar,
    colours,
    error_norm,
    error_range,
    field_norm,
    leading,
    symbol,
)
from mlpde.solution import Array, Solution


def solution_figure(solution: Solution) -> Figure:
    """All fields of one solution, side by side; without a mesh on the plane of x0 and x1."""
    if solution.mesh is None:
        from mlpde.slices import plane

        if getattr(solution.problem, "domain", None) is None:
            raise InputError(
                f"the solution by {solution.solver} has no mesh and its problem is not known: there is nothing to draw "
                "it on; plot it before it is saved"
            )
        fields = plane({solution.solver: solution}, solution.problem.domain)
    else:
        fields = sample({solution.solver: solution}, solution.mesh)
    names = list(fields.names())
    if fields.dim == 3:
        from mlpde.spatial import scene, surface_figure

        keys = [f"{solution.solver}.{name}" for name in names]
        return surface_figure(scene(fields), keys, names)
    fields = fine(fields)
    figure = new_figure(fields, len(names), 1)
    for axes, name in zip(panels(figure, fields, 1, len(names))[0], names, strict=True):
        _draw(figure, axes, fields, f"{solution.solver}.{name}", name)
    return figure


def field_figure(
    fields: Fields, name: str, norm: Normalize | None = None, coordinates: Sequence[str] = ()
) -> Figure:
    """A field or output: its values by the reference and every solver above, the errors below.

    norm: of the values, by default from the reference.  coordinates: their names, where they are not x and y.
    """
    labels, fields = fields.names()[name], fine(fields)
    if fields.dim == 1:
        return _line_figure(fields, name, labels, coordinates[0] if coordinates else "x")
    errors = [label for label in labels if f"{label}.{name}.error" in fields.values]
    figure = new_figure(fields, len(labels), 2 if errors else 1)
    grid = panels(figure, fields, 2 if errors else 1, len(labels))
    reference = leading(labels, name)
    norm = norm or field_norm(fields.magnitude(reference))
    mappable, every = None, [fields.magnitude(f"{label}.{name}") for label in labels]
    for axes, label, values in zip(grid[0], labels, every, strict=True):
        mappable = paint(axes, fields, values, norm, FIELD_COLOURS)
        axes.set_title(label)
    colour_bar(figure, mappable, grid[0], symbol(fields, reference, name), np.concatenate(every))
    if errors:
        _error_row(figure, grid[1], fields, name, labels)
        grid[0, 0].tick_params(labelbottom=True)  # nothing is drawn below the reference
        if len(labels) > 1:
            grid[1, 1].tick_params(labelleft=True)
    for axes in grid.ravel() if coordinates else ():
        axes.set(xlabel=coordinates[0], ylabel=coordinates[1])
    return figure


def mesh_figure(fields: Fields) -> Figure:
    """The mesh of the reference, with straight lines between the vertices."""
    figure = new_figure(fields, 1, 1)
    (axes,) = panels(figure, fields, 1, 1)[0]
    x, vertices = fields.points, fields.cells[:, : fields.dim + 1]
    if fields.dim == 1:
        figure.set_size_inches(4.5, 1.2)
        axes.plot(x[vertices].ravel(), np.zeros(vertices.size), "|-", color="#4c566a", markersize=12)
        axes.set_yticks([])
    else:
        axes.triplot(x[:, 0], x[:, 1], vertices, color="#4c566a", linewidth=0.5)
    return figure


def history_figure(histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure | None:
    """Loss and independent residual against steps, and seconds if they are known; None without a history of them.

    Of a loss that is not positive, the distance from its least is drawn.
    """
    histories = {label: rows for label, rows in histories.items() if len(rows) > 1 and _judged(rows[-1])}
    if not histories:
        return None
    timed = any("seconds" in row for rows in histories.values() for row in rows)
    scales = ("step", "seconds") if timed else ("step",)
    figure = Figure(figsize=(4.5 * len(scales), 3.2), layout="constrained")
    row_of_axes = figure.subplots(1, len(scales), sharey=True, squeeze=False)[0]
    palette = colours(list(histories))
    for label, rows in histories.items():
        for key in _judged(rows[-1]):
            known = [row for row in rows if isinstance(row.get(key), int | float) and math.isfinite(row[key])]
            least = min((row[key] for row in known), default=0.0)
            above = least if least <= 0.0 else 0.0  # an energy may be negative
            used = [row for row in known if row[key] > above]
            for axes, against in zip(row_of_axes, scales, strict=True):
                line = "-" if key == "loss" else "--"
                axes.semilogy(
                    [row.get(against, np.nan) for row in used],
                    [row[key] - above for row in used],
                    line,
                    marker="o" if len(used) < 20 else None,
                    markersize=4,
                    color=palette[label],
                    linewidth=1.3,
                    label=f"{label}: {key.replace('_', ' ')}" + (" above its least" if above else ""),
                )
    for axes, against in zip(row_of_axes, scales, strict=True):
        axes.set_xlabel(against)
        axes.set_xlim(left=0)
        frame(axes)
    row_of_axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    row_of_axes[0].legend(frameon=False, fontsize=8)
    return figure


def _judged(row: Mapping[str, Any]) -> list[str]:
    return [key for key in row if key == "loss" or "residual" in key]


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    with replacing_file(path) as temporary:
        figure.savefig(temporary, dpi=150, format="png")
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
    norm = error_norm(list(values.values()))
    mappable, drawn = None, []
    for axes, label in zip(row, labels, strict=True):
        if label in values:
            shown = np.clip(values[label], norm.vmin, None)  # below the scale: its lowest colour
            mappable = paint(axes, fields, shown, norm, ERROR_COLOURS)
            axes.set_title(f"|{label} \N{MINUS SIGN} reference|")
            drawn.append(axes)
        else:
            axes.set_axis_off()
    colour_bar(figure, mappable, row, f"error of {name}", np.concatenate(list(values.values())))


def _line_figure(fields: Fields, name: str, labels: Sequence[str], coordinate: str) -> Figure:
    errors = [label for label in labels if f"{label}.{name}.error" in fields.values]
    figure = Figure(figsize=(9, 3.2) if errors else (5, 3.2), layout="constrained")
    pair = figure.subplots(1, 2 if errors else 1, squeeze=False)[0]
    order, palette = np.argsort(fields.points[:, 0]), colours(labels)
    x = fields.points[order, 0]
    for label in labels:
        style = {"color": palette[label], "linewidth": 2.6 if label == REFERENCE else 1.2}
        if label == REFERENCE:
            style |= {"alpha": 0.35}
        pair[0].plot(x, fields.magnitude(f"{label}.{name}")[order], label=label, **style)
    pair[0].set_ylabel(name)
    for label in errors:
        error = fields.magnitude(f"{label}.{name}.error")[order]
        pair[1].semilogy(
            x, np.where(error > 0, error, np.nan), color=palette[label], linewidth=1.2, label=label
        )
        pair[1].set_ylabel(f"error of {name}")
    if errors:  # where an error crosses zero it would stretch the scale
        low, _ = error_range([fields.magnitude(f"{label}.{name}.error") for label in errors])
        pair[1].set_ylim(bottom=low / 10)
    for axes in pair:
        axes.set_xlabel(coordinate)
        axes.legend(facecolor="white", edgecolor="none", framealpha=0.85, fontsize=8)
        frame(axes)
    return figure


def _draw(figure: Figure, axes: Axes, fields: Fields, key: str, name: str) -> None:
    values = fields.magnitude(key)
    if fields.dim == 1:
        order = np.argsort(fields.points[:, 0])
        axes.plot(fields.points[order, 0], values[order], color=PALETTE["rfm"])
        axes.set(xlabel="x", ylabel=name)
        return
    mappable = paint(axes, fields, values, field_norm(values), FIELD_COLOURS)
    colour_bar(figure, mappable, [axes], symbol(fields, key, name), values)


def paint(axes: Axes, fields: Fields, values: Array, norm: Normalize, colour_map: str) -> Any:
    """Values at the nodes as a smooth picture; triangles with a nan are left out."""
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


def fine(fields: Fields, parts: int = 4) -> Fields:
    """Fine enough to be drawn with straight triangles."""
    return fields.refined(parts) if fields.order == 2 else fields


# -- layout -----------------------------------------------------------------------------------------------------


def new_figure(fields: Fields, columns: int, rows: int) -> Figure:
    """An empty figure for rows and columns of pictures of the fields."""
    if fields.dim == 1:
        return Figure(figsize=(4.5 * columns, 3.0 * rows), layout="constrained")
    extent = np.ptp(fields.points, axis=0)
    ratio = float(np.clip(extent[1] / extent[0], 0.25, 1.6))
    width = 3.4 if columns > 1 else 5.0
    return Figure(figsize=(width * columns + 0.9, (width * ratio + 0.45) * rows + 0.1), layout="constrained")


def panels(figure: Figure, fields: Fields, rows: int, columns: int) -> np.ndarray:
    """The axes (rows, columns) of the pictures."""
    share = fields.dim == 2
    grid = figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share)
    for axes in grid.ravel():
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
        axes.tick_params(labelsize=8, length=0, pad=2)
        axes.margins(0.01)
        if fields.dim == 2:
            axes.spines[:].set_visible(False)
            axes.set_aspect("equal")
    return grid


def frame(axes: Axes) -> None:
    """The look of a diagram: two axes and a grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="#e5e7eb", linewidth=0.6)
    axes.set_axisbelow(True)
