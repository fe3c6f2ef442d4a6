"""A field in time, by the reference and every solver on one scale: a moving GIF, and a few times in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mlpde.fields import Fields
from mlpde.files import replacing_file
from mlpde.plotting import fine, frame, new_figure, paint, panels
from mlpde.scales import FIELD_COLOURS, REFERENCE, colour_bar, colours, field_norm, leading, symbol
from mlpde.series import Series
from mlpde.spatial import body_figure, picture, triad
from mlpde.spatial import frames as surface_frames

LIMIT = 1_400_000  # bytes of a GIF; a third more when it is embedded in a page
DPI = 100
COLOURS = 256  # as many as a GIF allows
STEP, LAST = 150, 1200  # milliseconds a picture is shown
SNAPSHOTS = 4
MAX_WIDTH = 11  # inches
BODY_HEIGHT = 400  # pixels of a rendered surface
PARTS = 2  # a curved triangle is drawn as so many straight ones along each side


@dataclass(frozen=True)
class Movie:
    """What is drawn: the field `name` of the labels at all times.  images: of bodies, [time][label]."""

    name: str
    labels: list[str]
    times: tuple[float, ...]
    fields: list[Fields]
    norm: Normalize
    images: list[list[NDArray]] | None

    def values(self, k: int, label: str) -> NDArray:
        """The scalar (N,) that is drawn at time k."""
        return self.fields[k].magnitude(f"{label}.{self.name}")

    def range(self) -> tuple[float, float]:
        """The smallest and largest value of any label, as far as they lie near the scale."""
        low, high = float(self.norm.vmin or 0), float(self.norm.vmax or 0)
        values = np.concatenate(
            [self.values(k, label) for k in range(len(self.times)) for label in self.labels]
        )
        values = values[np.isfinite(values)]
        smallest, largest = values.min(initial=low), values.max(initial=high)
        return max(float(smallest), 2 * low - high), min(float(largest), 2 * high - low)

    def draw(self, row: Any, k: int) -> list[Any]:
        """Draw time k into one axes (lines) or into one for each label; gives the artists, to be removed again."""
        if self.fields[0].dim == 1:
            return [self._line(row[0], k, label) for label in self.labels]
        if self.images is not None:
            return [picture(axes, image) for axes, image in zip(row, self.images[k], strict=True)]
        return [
            paint(axes, self.fields[k], self.values(k, label), self.norm, FIELD_COLOURS)
            for axes, label in zip(row, self.labels, strict=True)
        ]

    def _line(self, axes: Any, k: int, label: str) -> Any:
        order = np.argsort(self.fields[k].points[:, 0])
        style: dict[str, Any] = (
            {"linewidth": 2.6, "alpha": 0.35} if label == REFERENCE else {"linewidth": 1.2}
        )
        x, y = self.fields[k].points[order, 0], self.values(k, label)[order]
        return axes.plot(x, y, label=label, color=colours(self.labels)[label], **style)[0]


def movie(series: Series, name: str) -> Movie:
    """The field or output of that name; the scale is the reference's over all times."""
    labels = series.frames[0].names()[name]
    key = leading(labels, name)
    norm = field_norm(np.concatenate([fields.magnitude(key) for fields in series.frames]))
    fields, images = list(series.frames), None
    if fields[0].dim == 3:
        images = surface_frames(fields, name, norm, BODY_HEIGHT)
    else:
        fields = [fine(f, PARTS) for f in fields]
    return Movie(name, labels, series.times, fields, norm, images)


def snapshots(film: Movie) -> Figure:
    """A few times, from the first to the last: a row for each, of lines a column."""
    chosen = np.unique(np.linspace(0, len(film.times) - 1, SNAPSHOTS).round().astype(int))
    lines = film.fields[0].dim == 1
    figure, grid = _canvas(film, *((1, len(chosen)) if lines else (len(chosen), len(film.labels))))
    for place, k in enumerate(chosen):
        row = grid[:, place] if lines else grid[place]
        film.draw(row, k)
        if lines:
            row[0].set_title(_time(film, k))
        else:
            row[0].text(
                -0.22, 0.5, _time(film, k), transform=row[0].transAxes, rotation=90, va="center", ha="center"
            )
    _decorate(film, figure, grid)
    return figure


def frames(film: Movie) -> list[NDArray]:
    """A picture (h, w, 3) uint8 of each time."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure, grid = _canvas(film, 1, 1 if film.fields[0].dim == 1 else len(film.labels))
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    title = figure.suptitle(_time(film, 0), fontsize=10)
    pictures, artists = [], film.draw(grid[0], 0)
    _decorate(film, figure, grid)
    for k in range(len(film.times)):
        if k > 0:
            for artist in artists:
                artist.remove()
            artists = film.draw(grid[0], k)
            title.set_text(_time(film, k))
        canvas.draw()
        figure.set_layout_engine("none")  # the first picture's holds for all
        pictures.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    return pictures


def write_gif(pictures: Sequence[NDArray], path: Path) -> Path:
    """A GIF that repeats for ever, smaller than LIMIT: its pictures shrink until it is."""
    from PIL import Image

    images = [Image.fromarray(p) for p in pictures]
    # one palette for all, or colours would flicker
    palette = Image.fromarray(np.concatenate([p[::2, ::2] for p in pictures])).quantize(COLOURS)
    durations = [STEP] * (len(images) - 1) + [LAST]
    size = images[0].size
    with replacing_file(path) as temporary:
        while True:
            small = [
                image.resize(size, Image.Resampling.LANCZOS) if image.size != size else image
                for image in images
            ]
            first, *rest = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in small]
            first.save(
                temporary,
                format="GIF",
                save_all=True,
                append_images=rest,
                duration=durations,
                loop=0,
                optimize=False,
            )
            excess = temporary.stat().st_size / LIMIT
            if excess <= 1 or min(size) < 100:
                return path
            size = tuple(int(0.95 * n / excess**0.5) for n in size)  # type: ignore[assignment]


def _canvas(film: Movie, rows: int, columns: int) -> tuple[Figure, NDArray]:
    """A figure and its axes (rows, columns), with space for the time."""
    if film.images is not None:
        figure = body_figure(film.images[0][0], rows, columns)
        grid = figure.subplots(rows, columns, squeeze=False)
    else:
        figure = new_figure(film.fields[0], columns, rows)
        grid = panels(figure, film.fields[0], rows, columns)
    width, height = figure.get_size_inches()
    figure.set_size_inches(
        min(width, MAX_WIDTH), height + 0.25 - 0.3 * (rows - 1)
    )  # only the first row has titles
    return figure, grid


def _decorate(film: Movie, figure: Figure, grid: NDArray) -> None:
    """Titles, the bar, and what does not change with time."""
    first = film.fields[0]
    if first.dim == 1:
        low, high = film.range()
        for axes in grid.ravel():
            axes.set(xlabel="x", ylim=(low - 0.05 * (high - low), high + 0.05 * (high - low)))
            frame(axes)
        grid[0, 0].set_ylabel(film.name)
        grid[0, 0].legend(facecolor="white", edgecolor="none", framealpha=0.85, fontsize=8)
        return
    for axes, label in zip(grid[0], film.labels, strict=True):
        axes.set_title(label)
    if film.images is not None:
        triad(grid[0, 0])
    mappable, key = ScalarMappable(film.norm, FIELD_COLOURS), leading(film.labels, film.name)
    colour_bar(
        figure, mappable, list(grid.ravel()), symbol(first, key, film.name), np.array(film.range()), len(grid)
    )


def _time(film: Movie, k: int) -> str:
    return f"t = {film.times[k]:.3g}"
