"""SizeMap: the element sizes that the next mesh shall have, given on the cells of a mesh that there is already."""

import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from types import ModuleType

import numpy as np

from geometry.errors import GeometryError
from geometry.mesh import Mesh

GRADING = 0.4  # sizes grow by no more than this times the distance: neighbours differ by a third, and stay well shaped
STEPS = 8  # an octave of sizes: rounding errors, as between one process and two, give the same mesh
COAT = (
    0.5  # of the element size: how far the map reaches beyond a boundary, which may bulge out of its facets
)
EDGES = {1: 1.0, 2: 1.0, 3: 1.3}  # mean length of gmsh's edges relative to the size asked for, by dimension
_VIEWS = {1: "SL", 2: "ST", 3: "SS"}  # gmsh's scalar views on simplices


@dataclass(frozen=True, eq=False)
class SizeMap:
    """Largest element sizes, linear on simplices: points (n, dim), cells (m, dim + 1), sizes (n,).

    They hold at the domain's default size; at another one they are scaled with all other sizes.  Where the geometry,
    its curvature or its own size fields ask for less, that counts.
    """

    points: np.ndarray
    cells: np.ndarray
    sizes: np.ndarray

    def __post_init__(self) -> None:
        if not (np.isfinite(self.sizes) & (self.sizes > 0)).all():
            raise GeometryError("the sizes of a SizeMap must be positive numbers.")

    @classmethod
    def on(cls, mesh: Mesh, sizes: np.ndarray) -> "SizeMap":
        """From the mean edge length (C,) wanted on each cell of the mesh, as `mesh.sizes` tells it of the mesh itself.

        Means at the vertices, graded, and continued beyond the boundary.
        """
        cells = mesh.cells[:, : mesh.dim + 1]
        vertices, cells = np.unique(cells, return_inverse=True)
        cells = cells.reshape(-1, mesh.dim + 1)
        points = mesh.points[vertices]
        total = np.bincount(cells.ravel(), np.repeat(np.log(sizes / EDGES[mesh.dim]), mesh.dim + 1))
        at_vertices = np.exp(total / np.bincount(cells.ravel()))
        at_vertices = _graded(points, cells, at_vertices)
        at_vertices = 2.0 ** (np.round(STEPS * np.log2(at_vertices)) / STEPS)
        facets = np.searchsorted(vertices, mesh.facets[:, : mesh.dim])
        return cls(*_coated(mesh, points, cells, at_vertices, facets))

    @cached_property
    def digest(self) -> str:
        """Hash of the map."""
        content = hashlib.sha256()
        for array in (self.points, self.cells, self.sizes):
            content.update(np.ascontiguousarray(array).tobytes())
        return content.hexdigest()

    def add_to(self, gmsh: ModuleType) -> None:
        """Make the smaller of the map and of the model's own background field the background field."""
        dim = self.points.shape[1]
        nodes = np.zeros((len(self.points), 3))
        nodes[:, :dim] = self.points
        data = np.concatenate(
            [nodes[self.cells].transpose(0, 2, 1).reshape(len(self.cells), -1), self.sizes[self.cells]],
            axis=1,
        )
        view = gmsh.view.add("element sizes")
        gmsh.view.addListData(view, _VIEWS[dim], len(data), data.ravel())
        field = gmsh.model.mesh.field
        own = _background(gmsh)
        chosen = field.add("PostView")
        field.setNumber(chosen, "ViewTag", view)
        if own is not None:
            both = field.add("Min")
            field.setNumbers(both, "FieldsList", [own, chosen])
            chosen = both
        field.setAsBackgroundMesh(chosen)
        # the map says what is right inside: sizes of the boundary are not spread over it
        gmsh.option.setNumber("Mesh.MeshSizeExtendFromBoundary", 0)


def _graded(points: np.ndarray, cells: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The largest sizes below the given ones that grow by at most GRADING along the edges."""
    pairs = np.unique(
        np.sort(np.concatenate([cells[:, p] for p in combinations(range(cells.shape[1]), 2)])), axis=0
    )
    one, other = np.concatenate([pairs, pairs[:, ::-1]]).T
    growth = GRADING * np.linalg.norm(points[one] - points[other], axis=1)
    sizes = sizes.copy()
    while True:
        before = sizes.copy()
        np.minimum.at(sizes, other, before[one] + growth)
        if np.array_equal(sizes, before):
            return sizes


def _coated(
    mesh: Mesh, points: np.ndarray, cells: np.ndarray, sizes: np.ndarray, facets: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The map with a layer of prisms, cut into simplices, outside of every facet (F, dim) of the boundary.

    Without it gmsh would take the size at the nearest vertex there, which may be smaller by orders.
    """
    dim = mesh.dim
    if dim == 1:
        return points, cells, sizes
    centre = np.full((len(facets), dim - 1), 1 / dim)
    normals = mesh.on_facets(np.arange(len(facets)), centre)[1]
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    facets = np.sort(facets, axis=1)  # neighbours then cut their common side in the same way
    lengths = np.linalg.norm(points[facets[:, 0]] - points[facets[:, 1]], axis=1)
    outer = (points[facets] + COAT * (lengths[:, None] * normals)[:, None]).reshape(-1, dim)
    prism = np.concatenate([facets, len(points) + np.arange(len(outer)).reshape(facets.shape)], axis=1)
    layer = np.concatenate([prism[:, k : k + dim + 1] for k in range(dim)])
    return (
        np.concatenate([points, outer]),
        np.concatenate([cells, layer]),
        np.concatenate([sizes, sizes[facets].ravel()]),
    )


def _background(gmsh: ModuleType) -> int | None:
    """The model's background field, which gmsh tells in its files only."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.geo_unrolled")
        gmsh.write(path)
        with open(path) as file:
            found = re.findall(r"^Background Field = (\d+);", file.read(), re.MULTILINE)
    return int(found[-1]) if found else None
