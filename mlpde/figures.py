"""All figures of a report, as files: fields and errors, their change in time, convergence, work, the mesh."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from mlpde import animation, plotting, spatial, start_figures
from mlpde.fields import Fields
from mlpde.rendering import NoRendering
from mlpde.scales import STYLE
from mlpde.series import Series
from mlpde.slices import COORDINATES, TITLES
from mlpde.work_precision import work_figure


def make_figures(
    folder: Path,
    metrics: Mapping[str, Any],
    fields: Fields | None,
    series: Series | None,
    slices: Mapping[str, Fields],
) -> tuple[list[tuple[str, Path, Path]], list[str]]:
    """(title, picture for report.md, picture for report.html) of all figures, and what must be said about them."""
    made, notes = [], []

    def keep(title: str, figure: Figure, name: str) -> None:
        path = plotting.save(figure, folder / plotting.file_name(name))
        made.append((title, path, path))

    reference = metrics["reference"]
    mesh_title = "Mesh of the reference" if reference else "Mesh"
    if reference and not reference["unknowns"]:
        mesh_title = "Mesh on which the errors are measured"
    with matplotlib.rc_context(STYLE):
        try:
            drawn = _pictures(fields) if fields is not None else []
            for title, figure in [*drawn[:-1], *_sliced(slices)]:
                keep(title, figure, title)
            if series is not None:
                made += [
                    (f"{name} in time", *_moving(folder, series, name)) for name in series.frames[0].names()
                ]
        except NoRendering as error:
            drawn = []
            notes.append(f"There are no pictures of surfaces: {error}, then `mlpde report DIR` adds them.")
        first = {row["label"]: row["info"].get("history", []) for row in reversed(metrics["solutions"])}
        history = plotting.history_figure(dict(reversed(first.items())))
        if history is not None:
            several = len(first) < len(metrics["solutions"])
            keep("Convergence" + ", first seed" * several, history, "history")
        for title, start in (
            ("Value at (0, x0)", start_figures.interval_figure(metrics)),
            ("Value at (0, x0) while it settles", start_figures.settling_figure(metrics)),
        ):
            if start is not None:
                keep(title, start, title)
        work = work_figure(metrics)
        if work is not None:
            keep("Error against work", work, "work")
        for _, figure in drawn[-1:]:
            keep(mesh_title, figure, "mesh")
    return made, notes


def _pictures(fields: Fields) -> list[tuple[str, Figure]]:
    """Title and figure of every field and output, then of the mesh."""
    names = fields.names()
    if fields.dim < 3:
        figures = [(name, plotting.field_figure(fields, name)) for name in names]
        return [*figures, ("mesh", plotting.mesh_figure(fields))]
    scene = spatial.scene(fields)
    figures = []
    for name, labels in names.items():
        keys = [f"{label}.{name}" for label in labels]
        figures.append((name, spatial.surface_figure(scene, keys, labels)))
        cut = plotting.field_figure(scene.cut, name, scene.norms[name], scene.coordinates)
        figures.append((f"{name} at {scene.plane}", cut))
    return [*figures, ("mesh", spatial.surface_mesh_figure(scene))]


def _sliced(slices: Mapping[str, Fields]) -> list[tuple[str, Figure]]:
    """Title and figure of every field and output on every line and plane."""
    return [
        (f"{name} {TITLES[cut]}", plotting.field_figure(fields, name, coordinates=COORDINATES[cut]))
        for cut, fields in slices.items()
        for name in fields.names()
    ]


def _moving(folder: Path, series: Series, name: str) -> tuple[Path, Path]:
    """Several times of a field in one picture, and all of them in a moving one."""
    movie = animation.movie(series, name)
    still = plotting.save(animation.snapshots(movie), folder / plotting.file_name(f"{name} in time"))
    return still, animation.write_gif(animation.frames(movie), still.with_suffix(".gif"))
