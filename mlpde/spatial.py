"""Pictures of bodies: the surface in colours, and a plane cut, which is drawn like any plane domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mlpde.fields import GMSH_TO_VTK_TETRA10, Fields
from mlpde.rendering import RIGHT, UP, Body, Surface, render
from mlpde.scales import FIELD_COLOURS, colour_bar, field_norm, leading, symbol

SAME_LENGTH = 0.99  # edges of the bounding box whose ratio is above this count as equally long
PARTS = 3  # an edge of a curved tetrahedron becomes so many straight ones before it is cut


@dataclass(frozen=True)
class Scene:
    """images {"rfm.u": (h, w, 3)} of the surface with the scales of their fields, mesh (h, w, 3), the cut.

    cut: fields of dimension 2.  plane: where it is, "y = 0.5".  coordinates: the names of those on the cut.
    """

    fields: Fields
    images: dict[str, NDArray]
    norms: dict[str, Normalize]
    mesh: NDArray
    cut: Fields
    plane: str
    coordinates: tuple[str, str]


def scene(fields: Fields) -> Scene:
    """Everything that is rendered of the fields, in one go.

    The cut halves the shortest edge of the bounding box (y if several are), so that it is as large as can be.
    Raises NoRendering where pictures cannot be made.
    """
    norms = {
        name: field_norm(fields.magnitude(leading(labels, name))) for name, labels in fields.names().items()
    }
    keys = [f"{label}.{name}" for name, labels in fields.names().items() for label in labels]
    lower, extent = fields.points.min(0), np.ptp(fields.points, axis=0)
    axis = next(k for k in (1, 0, 2) if extent[k] * SAME_LENGTH <= extent.min())
    place = round(lower[axis] / extent[axis] + 0.5, 3) * extent[axis]
    there = fields.points[fields.cells, axis]
    near = Fields(
        fields.points, fields.cells[(there.min(1) <= place) & (there.max(1) >= place)], fields.values
    )
    near = near.refined(PARTS) if near.order == 2 else near
    drawn = render(
        _body(fields, {key: fields.magnitude(key) for key in keys}),
        [*(_surface(key, norms[key.split(".", 1)[1]]) for key in keys), Surface()],
        _body(near, near.values),
        (axis, place),
    )
    rest = [k for k in range(3) if k != axis]
    cut = Fields(drawn.points[:, rest], drawn.triangles, drawn.values)
    images = dict(zip(keys, drawn.images, strict=False))
    plane = f"{'xyz'[axis]} = {place + 0.0:.3g}"
    return Scene(fields, images, norms, drawn.images[-1], cut, plane, ("xyz"[rest[0]], "xyz"[rest[1]]))


def frames(series: Sequence[Fields], name: str, norm: Normalize, height: int) -> list[list[NDArray]]:
    """Pictures of the surface at every time, of every label: [time][label]."""
    labels = series[0].names()[name]
    values = {
        f"{k}.{label}": fields.magnitude(f"{label}.{name}")
        for k, fields in enumerate(series)
        for label in labels
    }
    drawn = render(_body(series[0], values), [_surface(key, norm) for key in values], height=height)
    images = iter(drawn.images)
    return [[next(images) for _ in labels] for _ in series]


def surface_figure(drawn: Scene, keys: Sequence[str], titles: Sequence[str]) -> Figure:
    """The surface in the colours of "rfm.u", ..., side by side: one bar if they are one field, else one for each."""
    names = [key.split(".", 1)[1] for key in keys]
    together = len(set(names)) == 1
    figure = body_figure(drawn.mesh, 1, len(keys))
    row = figure.subplots(1, len(keys), squeeze=False)[0]
    for axes, key, title in zip(row, keys, titles, strict=True):
        picture(axes, drawn.images[key])
        axes.set_title(title)
    triad(row[0])
    for name, part in [(names[0], row)] if together else zip(names, row[:, None], strict=True):
        every = [key for key in keys if key.split(".", 1)[1] == name]
        values = np.concatenate([drawn.fields.magnitude(key) for key in every])
        mappable = ScalarMappable(drawn.norms[name], FIELD_COLOURS)
        colour_bar(figure, mappable, part, symbol(drawn.fields, every[0], name), values)
    return figure


def surface_mesh_figure(drawn: Scene) -> Figure:
    """The mesh on the surface, with straight lines between the vertices."""
    figure = body_figure(drawn.mesh, 1, 1)
    axes = figure.subplots()
    picture(axes, drawn.mesh)
    triad(axes)
    return figure


def body_figure(image: NDArray, rows: int, columns: int) -> Figure:
    """An empty figure for rows and columns of pictures like `image`, with titles and a bar."""
    ratio = image.shape[0] / image.shape[1]
    width = 3.4 if columns > 1 else 5.0
    return Figure(figsize=(width * columns + 0.9, (width * ratio + 0.3) * rows + 0.15), layout="constrained")


def picture(axes: Any, image: NDArray) -> Any:
    """A rendered picture without a frame."""
    axes.set_axis_off()
    return axes.imshow(image, interpolation="antialiased")


def triad(axes: Any) -> None:
    """The directions of x, y and z in the lower left corner, as they are seen."""
    inset = axes.inset_axes((-0.06, -0.06, 0.16, 0.16))
    inset.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), aspect="equal")
    inset.set_axis_off()
    for name, tip in zip("xyz", np.column_stack([RIGHT, UP]), strict=True):
        inset.annotate(
            "", tip, (0, 0), arrowprops={"arrowstyle": "-|>", "color": "#555555", "linewidth": 0.8}
        )
        inset.text(*(1.35 * tip), name, ha="center", va="center", fontsize=7, color="#333333")


def _body(fields: Fields, values: Mapping[str, NDArray]) -> Body:
    cells = fields.cells if fields.order == 1 else fields.cells[:, GMSH_TO_VTK_TETRA10]
    return Body(fields.points, cells, values)


def _surface(key: str, norm: Normalize) -> Surface:
    return Surface(key, float(norm.vmin or 0), float(norm.vmax or 0), FIELD_COLOURS)  # neither is None
