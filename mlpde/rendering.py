"""Surfaces and plane cuts of tetrahedra, by pyvista off screen in a process of its own.

Without OpenGL VTK ends its process: so it is another one, which gets arrays and gives arrays back, and whose end is an
InputError here.  The script below `if __name__` imports nothing of ours.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

EYE = np.array([1.1, -1.7, 1.0]) / np.linalg.norm([1.1, -1.7, 1.0])  # where one looks from, far away
RIGHT = np.cross([0, 0, 1], EYE) / np.linalg.norm(np.cross([0, 0, 1], EYE))
UP = np.cross(EYE, RIGHT)
MARGIN = 1.02
EDGE_ANGLE = 35.0  # degrees between two faces that meet in an edge
PATIENCE = 600  # seconds
REMEDY = "on Debian and Ubuntu: apt-get install libegl1 libgl1 libgl1-mesa-dri"


class Surface(NamedTuple):
    """A picture of the surface, coloured by the values `name` between low and high; without a name the mesh."""

    name: str = ""
    low: float = 0.0
    high: float = 1.0
    colours: str = "viridis"


class Body(NamedTuple):
    """Tetrahedra: points (N, 3), cells (C, 4 or 10) in VTK's order of nodes, values {name: (N, ...)} at the nodes."""

    points: NDArray
    cells: NDArray
    values: Mapping[str, NDArray]


class Rendered(NamedTuple):
    """images (h, w, 3) uint8 of the surfaces, all in one view; the cut's points (n, 3), triangles (m, 3) and values."""

    images: list[NDArray]
    points: NDArray
    triangles: NDArray
    values: dict[str, NDArray]


class NoRendering(RuntimeError):
    """Pictures of surfaces cannot be made on this machine; the message says what to do."""


def render(
    body: Body,
    surfaces: Sequence[Surface],
    cut: Body | None = None,
    plane: tuple[int, float] = (0, 0.0),
    height: int = 900,
) -> Rendered:
    """Pictures of the surfaces of a body, and a plane cut of another one (of linear tetrahedra).

    plane: the axis normal to the cut, and where it is on that axis.  height: of the pictures.
    Raises NoRendering if there is no OpenGL.
    """
    bodies = {"body": body} | ({} if cut is None else {"cut": cut})
    arrays: dict[str, Any] = {}
    for name, one in bodies.items():
        arrays |= {f"{name} points": one.points, f"{name} cells": one.cells}
        arrays |= {
            f"{name} {k}": value.reshape(len(value), -1) for k, value in enumerate(one.values.values())
        }
    order = {"surfaces": surfaces, "plane": plane, "height": height}
    order |= {name: list(one.values) for name, one in bodies.items()}
    with tempfile.TemporaryDirectory() as folder:
        job, result = Path(folder, "job.npz"), Path(folder, "result.npz")
        np.savez(job, order=np.array(json.dumps(order)), allow_pickle=False, **arrays)
        command = [sys.executable, "-P", __file__, str(job), str(result)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode != 0 or not result.exists():
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            said = re.sub(r"^.*\| |\x1b\[[0-9;]*m", "", last).rstrip(".")  # a logger's colours and time
            raise NoRendering(f"pyvista could not draw without a screen ({said}); {REMEDY}")
        with np.load(result, allow_pickle=False) as found:
            images = [found[f"image {k}"] for k in range(len(surfaces))]
            if cut is None:
                return Rendered(images, np.empty((0, 3)), np.empty((0, 3), dtype=np.int64), {})
            points, triangles = found["points"], found["triangles"]
            values = {
                name: found[f"value {k}"].reshape(len(points), *value.shape[1:])
                for k, (name, value) in enumerate(cut.values.items())
            }
            return Rendered(images, points, triangles, values)


# -- the other process ------------------------------------------------------------------------------------------


def _main(job: str, result: str) -> None:
    import pyvista

    with np.load(job, allow_pickle=False) as arrays:
        order = json.loads(str(arrays["order"]))
        found = _pictures(
            pyvista, _grid(pyvista, arrays, "body", order["body"]), order["surfaces"], order["height"]
        )
        if "cut" in order:
            axis, place = order["plane"]
            whole = _grid(pyvista, arrays, "cut", order["cut"])
            cut = whole.slice(normal=np.eye(3)[axis], origin=place * np.eye(3)[axis]).triangulate()
            found |= {f"value {k}": np.asarray(cut.point_data[name]) for k, name in enumerate(order["cut"])}
            found |= {"points": cut.points, "triangles": cut.regular_faces}
    np.savez(result, allow_pickle=False, **found)


def _grid(pyvista: Any, arrays: Any, name: str, values: Sequence[str]) -> Any:
    cells = arrays[f"{name} cells"]
    kind = pyvista.CellType.QUADRATIC_TETRA if cells.shape[1] == 10 else pyvista.CellType.TETRA
    grid = pyvista.UnstructuredGrid({kind: cells}, arrays[f"{name} points"])
    for k, value in enumerate(values):
        grid.point_data[value] = arrays[f"{name} {k}"]
    return grid


def _pictures(pyvista: Any, grid: Any, surfaces: Sequence[Any], height: int) -> dict[str, NDArray]:
    """{"image 0": ...}, all by one plotter."""
    smooth = grid.extract_surface(algorithm="dataset_surface", nonlinear_subdivision=2)
    edges = smooth.extract_feature_edges(EDGE_ANGLE, non_manifold_edges=False, manifold_edges=False)
    smooth = smooth.compute_normals(cell_normals=False, split_vertices=True, feature_angle=EDGE_ANGLE)
    seen = smooth.points @ np.column_stack([RIGHT, UP])
    extent = np.ptp(seen, axis=0)
    middle = (seen.max(0) + seen.min(0)) / 2
    window = (round(height * float(extent[0] / extent[1])), height)
    plotter = pyvista.Plotter(off_screen=True, window_size=window, lighting="none")
    plotter.add_light(pyvista.Light(light_type="headlight"))
    plotter.set_background("white")
    focus = middle[0] * RIGHT + middle[1] * UP + EYE * (EYE @ smooth.center)
    plotter.camera_position = [focus + smooth.length * EYE, focus, UP]
    plotter.enable_parallel_projection()
    plotter.camera.parallel_scale = MARGIN * extent[1] / 2
    light = {"ambient": 0.6, "diffuse": 0.4, "specular": 0.0, "name": "surface", "reset_camera": False}
    if edges.n_points:
        plotter.add_mesh(edges, color="#333333", line_width=2, name="edges")
    images = {}
    for k, (name, low, high, colours) in enumerate(surfaces):
        if name:
            plotter.add_mesh(
                smooth.copy(),
                scalars=name,
                clim=(low, high),
                cmap=colours,
                show_scalar_bar=False,
                interpolate_before_map=True,
                nan_color="#eeeeee",
                **light,
            ).prop.interpolation = "Gouraud"
        else:
            straight = grid.extract_surface(algorithm="dataset_surface", nonlinear_subdivision=0)
            plotter.add_mesh(straight, color="#dfe5ec", show_edges=True, edge_color="#4c566a", **light)
        plotter.renderer.ResetCameraClippingRange()
        images[f"image {k}"] = plotter.screenshot(None, return_img=True)
    plotter.close()
    return images


if __name__ == "__main__":
    _main(*sys.argv[1:])
