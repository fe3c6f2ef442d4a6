"""The fields of several solutions on the nodes of one mesh: what is drawn, and what ParaView opens (VTU).

Names are "reference.u", "rfm.u" and "rfm.u.error" (the Euclidean norm of the difference to the reference); outputs of
the case are named like fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlpde.files import replacing_file
from mlpde.solution import Array, Solution

CELL_TYPES = {
    (1, 1): "line",
    (1, 2): "line3",
    (2, 1): "triangle",
    (2, 2): "triangle6",
    (3, 1): "tetra",
    (3, 2): "tetra10",
}
GMSH_TO_VTK_TETRA10 = [0, 1, 2, 3, 4, 5, 6, 7, 9, 8]  # its own inverse
REFERENCE = "reference"
INTO_REGION = 1e-7  # of the way to a cell's centre: more than points are located to


@dataclass(frozen=True)
class Fields:
    """points (N, d), cells (C, nodes) in gmsh's order, of order 1 or 2, values {name: (N, *shape)}."""

    points: Array
    cells: NDArray
    values: dict[str, Array]

    @property
    def dim(self) -> int:
        """Space dimension d."""
        return self.points.shape[1]

    @property
    def order(self) -> int:
        """Order of the cells: 1 if they have vertices only."""
        return 1 if self.cells.shape[1] == self.dim + 1 else 2

    def magnitude(self, name: str) -> Array:
        """A scalar to draw (N,): the value itself, or the Euclidean norm of a vector or tensor."""
        value = self.values[name]
        return value if value.ndim == 1 else np.linalg.norm(value.reshape(len(value), -1), axis=1)

    def names(self) -> dict[str, list[str]]:
        """The labels ("reference", "rfm") that have each field or output, in order."""
        found: dict[str, list[str]] = {}
        for name in self.values:
            label, field = name.split(".", 1)
            if not field.endswith(".error"):
                found.setdefault(field, []).append(label)
        return found

    def refined(self, parts: int = 4) -> Fields:
        """Cells of order 2 as `parts`**d straight ones each, with the values interpolated quadratically.

        The differences to the reference are interpolated before their norm is taken: the norm has kinks.
        """
        from scipy.spatial import Delaunay

        from geometry import reference

        lattice = reference.lattice(self.dim, parts)
        shape = reference.tabulate(self.dim, 2, lattice, 0)[0]  # (lattice points, nodes)
        pattern = Delaunay(lattice).simplices if self.dim > 1 else np.arange(parts)[:, None] + [0, 1]
        edges = lattice[pattern[:, 1:]] - lattice[pattern[:, :1]]
        pattern = pattern[np.abs(np.linalg.det(edges)) > 1e-9]  # Delaunay's has flat ones in a lattice
        cells = (pattern + len(lattice) * np.arange(len(self.cells))[:, None, None]).reshape(-1, self.dim + 1)

        def interpolated(values: Array) -> Array:
            return np.einsum("ln,cn...->cl...", shape, values[self.cells]).reshape(-1, *values.shape[1:])

        fine: dict[str, Array] = {}
        for name, value in self.values.items():
            label, field = name.split(".", 1)
            if field.endswith(".error"):
                field = field.removesuffix(".error")
                difference = interpolated(
                    self.values[f"{label}.{field}"] - self.values[f"{REFERENCE}.{field}"]
                )
                fine[name] = np.linalg.norm(difference.reshape(len(difference), -1), axis=1)
            else:
                fine[name] = interpolated(value)
        return Fields(interpolated(self.points), cells, fine)

    def write(self, path: str | Path) -> None:
        """A VTU file; points and vectors are filled up with zeros to three components, as ParaView wants them."""
        import meshio

        kind = CELL_TYPES[self.dim, self.order]
        cells = self.cells[:, GMSH_TO_VTK_TETRA10] if kind == "tetra10" else self.cells
        points = np.pad(self.points, ((0, 0), (0, 3 - self.dim)))
        values = {name: _three(value) for name, value in self.values.items()}
        with replacing_file(path) as temporary:
            meshio.Mesh(points, [(kind, cells)], point_data=values).write(temporary, file_format="vtu")

    @classmethod
    def read(cls, path: str | Path) -> Fields:
        """The fields that `write` stored (vectors come back with their zeros)."""
        import meshio

        mesh = meshio.read(path)
        block = mesh.cells[0]
        dim = next(d for (d, _), kind in CELL_TYPES.items() if kind == block.type)
        cells = block.data[:, GMSH_TO_VTK_TETRA10] if block.type == "tetra10" else block.data
        return cls(mesh.points[:, :dim], cells, dict(mesh.point_data))


def nodes(mesh: Any) -> tuple[Array, NDArray]:
    """Points (N, d) and cells of a mesh, of order 2 at most; those between two regions are one on each side."""
    points, cells = _order_two(mesh) if mesh.order > 2 else (mesh.points, mesh.cells)
    return (points, cells) if len(mesh.regions) == 1 else _apart(points, cells, mesh.cell_regions)


def sample(solutions: Mapping[str, Solution], mesh: Any) -> Fields:
    """Fields and outputs of the solutions by label; errors against the one labelled "reference", if there is one.

    In time they hold at the default time.  A solution is nan at nodes on a curved boundary that lie outside its mesh.
    """
    points, cells = nodes(mesh)
    return compared({label: s.values(points, [None])[0] for label, s in solutions.items()}, points, cells)


def compared(found: Mapping[str, Mapping[str, Array]], points: Array, cells: NDArray) -> Fields:
    """The fields of {label: {name: values}}, with their errors."""
    values: dict[str, Array] = {}
    for label, named in found.items():
        for name, value in named.items():
            values[f"{label}.{name}"] = value
            if label != REFERENCE and REFERENCE in found:
                difference = (value - found[REFERENCE][name]).reshape(len(points), -1)
                values[f"{label}.{name}.error"] = np.linalg.norm(difference, axis=1)
    return Fields(points, cells, values)


def _order_two(mesh: Any) -> tuple[Array, NDArray]:
    """Points and cells of order 2 of a mesh of higher order: nodes of neighbours are joined where they coincide."""
    from geometry import reference

    xi = reference.nodes(mesh.dim, 2)
    count = len(mesh.cells)
    points = mesh.map(np.repeat(np.arange(count), len(xi)), np.tile(xi, (count, 1)))
    grid = np.round(points / (1e-9 * np.ptp(points, axis=0).max())).astype(np.int64)
    _, first, number = np.unique(grid, axis=0, return_index=True, return_inverse=True)
    return points[first], number.reshape(count, len(xi))


def _apart(points: Array, cells: NDArray, regions: NDArray) -> tuple[Array, NDArray]:
    """The mesh with the nodes that regions share doubled, and moved a trifle into their own region.

    A stress or a flux jumps there: at a single node it would be that of one side for the cells of both.
    """
    keys, number = np.unique(
        np.stack([cells, np.broadcast_to(regions[:, None], cells.shape)], axis=-1).reshape(-1, 2),
        axis=0,
        return_inverse=True,
    )
    number = number.reshape(cells.shape)
    shared = np.bincount(keys[:, 0], minlength=len(points))[keys[:, 0]] > 1
    centres = np.empty((len(keys), points.shape[1]))
    centres[number.ravel()] = np.repeat(points[cells].mean(1), cells.shape[1], axis=0)
    moved = points[keys[:, 0]]
    moved[shared] += INTO_REGION * (centres[shared] - moved[shared])
    return moved, number


def _three(value: Array) -> Array:
    if value.ndim == 2 and value.shape[1] < 3:
        return np.pad(value, ((0, 0), (0, 3 - value.shape[1])))
    return value.reshape(len(value), -1) if value.ndim > 2 else value
