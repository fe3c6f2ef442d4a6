"""Domains that are finished meshes: the mesh is the exact geometry, and is refined by splitting its cells."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from geometry.domain import Domain, _Cad, _check_size
from geometry.errors import GeometryError
from geometry.groups import Groups
from geometry.mesh import Mesh
from geometry.size_map import SizeMap
from geometry.subdivide import subdivide


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MeshDomain(Domain):
    """The domain that a mesh covers; the regions and boundaries of the mesh are its own.

    A mesh of a smaller size splits each cell in 2^dim until its longest edge is no longer than `size`; curved cells of
    order 2 stay curved as they are. No mesh is coarser than the one that was read.
    """

    source: Mesh
    inner: tuple[str, ...] = ()  # names of interfaces

    def __repr__(self) -> str:
        return f"MeshDomain({self.source!r}, size={self.size})"

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"source": self.source, "inner": self.inner}

    @cached_property
    def _longest(self) -> float:
        x = self.source.points[self.source.cells[:, : self.dim + 1]]
        return float(np.linalg.norm(x[:, :, None] - x[:, None], axis=-1).max())

    @property
    def default_size(self) -> float:
        """The longest edge of the mesh that was read, unless a size was given."""
        return self._longest if self.size is None else float(self.size)

    @cached_property
    def _cad(self) -> _Cad:
        x = self.source.points
        groups = Groups(
            regions=dict.fromkeys(self.source.regions, ()),
            boundaries={name: (k + 1,) for k, name in enumerate(self.source.boundaries)},
            interfaces=dict.fromkeys(self.inner, ()),
        )
        return _Cad(groups, np.stack([x.min(0), x.max(0)]), curves={}, areas={}, curved=frozenset())

    def mesh(self, size: float | None = None, order: int = 2, sizes: SizeMap | None = None) -> Mesh:
        """The mesh, split until it has the size; see the class. Order 1 leaves out the curvature of its cells.

        Raises GeometryError for a map of element sizes: the mesh is refined as a whole.
        """
        if sizes is not None:
            raise GeometryError(
                "a mesh from a file is refined as a whole, not by a map of element sizes; set a size."
            )
        if order not in (1, 2, 3):
            raise GeometryError(f"the order of a mesh is 1, 2 or 3, not {order!r}.")
        size = self.default_size if size is None else _check_size(size)
        splits = max(0, math.ceil(math.log2(self._longest / size) - 1e-9))
        if (splits, order, "") not in self._meshes:
            mesh = self.source
            for _ in range(splits):
                mesh = subdivide(mesh, mesh.order, split=True)
            self._meshes[splits, order, ""] = subdivide(mesh, order, split=False)
        return self._meshes[splits, order, ""]

    def between(
        self, first: str, second: str, n: int, seed: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """About n points (n, dim) on the facets where two regions meet, and unit normals from `first` to `second`."""
        from geometry.interfaces import points_between

        return points_between(self.mesh(), first, second, n, seed)

    def _on(self, name: str, n: int, seed: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        from geometry.sampling import facet_samples

        mesh = self.mesh()
        facets, eta = facet_samples(
            mesh, np.flatnonzero(mesh.facet_boundaries == mesh.boundaries.index(name)), n, seed
        )
        x, normals = mesh.on_facets(facets, eta)
        measure = mesh.boundary_quadrature(name, 2)[1].sum()
        return x, np.full(n, measure / n), normals / np.linalg.norm(normals, axis=1)[:, None]


def no_build(model: Any) -> None:
    raise GeometryError("a finished mesh has no CAD geometry that gmsh could mesh anew.")
