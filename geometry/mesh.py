"""Mesh: a curved simplex mesh with named regions and boundaries, as plain arrays. Needs no gmsh."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from geometry import reference
from geometry.errors import GeometryError
from geometry.names import unknown_name


@dataclass(frozen=True, eq=False, repr=False)
class Mesh:
    """Simplices of order 1, 2 or 3 in R^dim; nodes in gmsh's order, reference cell 0, e_1, ..., e_dim."""

    dim: int
    order: int
    points: np.ndarray  # (N, dim)
    cells: np.ndarray  # (C, nodes) int64
    cell_regions: np.ndarray  # (C,) int32, index into regions
    facets: np.ndarray  # (F, facet nodes) int64, the facets of the outer boundary
    facet_boundaries: np.ndarray  # (F,) int32, index into boundaries
    facet_cells: np.ndarray  # (F,) int64, the cell that has the facet
    facet_entities: np.ndarray  # (F,) int32, CAD entity on which the facet lies
    facet_gaps: np.ndarray  # (F,) largest distance seen between the facet and the exact boundary
    regions: tuple[str, ...]
    boundaries: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Mesh(dim={self.dim}, order={self.order}, {len(self.cells)} cells, {len(self.points)} points)"

    # -- from the reference cell to space --------------------------------------------------------------------

    def map(self, cells: np.ndarray, xi: np.ndarray) -> np.ndarray:
        """Points (n, dim) at reference coordinates xi (n, dim) of the cells (n,)."""
        shape = reference.tabulate(self.dim, self.order, xi, 0)[0]
        return np.einsum("na,nai->ni", shape, self.points[self.cells[cells]])

    def jacobians(self, cells: np.ndarray, xi: np.ndarray) -> np.ndarray:
        """dx_i/dxi_j (n, dim, dim) at reference coordinates xi (n, dim) of the cells (n,)."""
        gradients = reference.tabulate(self.dim, self.order, xi)[1:]
        return np.einsum("jna,nai->nij", gradients, self.points[self.cells[cells]])

    def _determinants(self, xi: np.ndarray, cells: np.ndarray | slice = slice(None)) -> np.ndarray:
        """det dx/dxi (C, q) at the same reference points xi (q, dim) in every cell."""
        gradients = reference.tabulate(self.dim, self.order, xi)[1:]
        return reference.determinant(
            np.einsum("jqa,cai->cqij", gradients, self.points[self.cells[cells]], optimize=True)
        )

    @cached_property
    def curved(self) -> np.ndarray:
        """Whether each cell (C,) differs from the straight simplex of its vertices by more than rounding."""
        x = self.points[self.cells]
        straight = np.einsum(
            "av,cvi->cai", reference.barycentric(reference.nodes(self.dim, self.order)), x[:, : self.dim + 1]
        )
        return np.abs(x - straight).max((1, 2)) > 1e-13 * np.abs(x).max((1, 2))

    @cached_property
    def determinant_bounds(self) -> np.ndarray:
        """Numbers (C, 2) below and above det dx/dxi everywhere in the cell (Bernstein coefficients)."""
        bounds = np.repeat(self._determinants(np.full((1, self.dim), 1 / (self.dim + 1))), 2, axis=1)
        degree = self.dim * (self.order - 1)
        values = self._determinants(reference.lattice(self.dim, degree), self.curved)
        coefficients = values @ reference.bernstein_from_values(self.dim, degree).T
        bounds[self.curved] = np.stack([coefficients.min(1), coefficients.max(1)], axis=1)
        return bounds

    def scaled_jacobians(self) -> np.ndarray:
        """Quality (C,): smallest det dx/dxi over that of the regular simplex with the cell's longest edge.

        1 for a regular simplex, 0 for a degenerate one, negative where the cell is inverted; the smallest value is
        taken over a lattice of twice the determinant's degree.
        """
        v = self.points[self.cells[:, : self.dim + 1]]
        longest = np.linalg.norm(v[:, :, None] - v[:, None], axis=-1).max((1, 2))
        regular = {1: 1.0, 2: np.sqrt(3) / 2, 3: np.sqrt(0.5)}[self.dim]
        smallest = self.determinant_bounds[:, 0].copy()  # exact for straight cells
        lattice = reference.lattice(self.dim, 2 * self.dim * (self.order - 1))
        smallest[self.curved] = self._determinants(lattice, self.curved).min(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.nan_to_num(smallest / (regular * longest**self.dim))

    @cached_property
    def sizes(self) -> np.ndarray:
        """Mean length (C,) of the edges of each cell, measured straight from vertex to vertex."""
        v = self.points[self.cells[:, : self.dim + 1]]
        lengths = [np.linalg.norm(v[:, i] - v[:, j], axis=1) for i, j in combinations(range(self.dim + 1), 2)]
        return np.mean(lengths, axis=0)

    # -- integration ------------------------------------------------------------------------------------------

    @cached_property
    def volumes(self) -> np.ndarray:
        """Length, area or volume (C,) of the cells, exact for the mesh."""
        xi, weights = reference.quadrature_rule(self.dim, self.dim * (self.order - 1))
        return self._determinants(xi) @ weights

    def quadrature(self, degree: int, region: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, dim) and weights (n,) on the mesh or on one of its regions.

        Exact for polynomials of `degree` on straight cells; curved cells get a rule that is exact for their volume too.
        The weights are positive; points come cell by cell, the straight cells first.
        """
        chosen = np.ones(len(self.cells), dtype=bool)
        if region is not None:
            if region not in self.regions:
                raise unknown_name("region", region, self.regions)
            chosen = self.cell_regions == self.regions.index(region)
        points, weights = [], []
        for cells, extra in ((chosen & ~self.curved, 0), (chosen & self.curved, self.dim * (self.order - 1))):
            xi, w = reference.quadrature_rule(self.dim, degree + extra)
            shape = reference.tabulate(self.dim, self.order, xi, 0)[0]
            x = np.einsum("qa,cai->cqi", shape, self.points[self.cells[cells]], optimize=True)
            points.append(x.reshape(-1, self.dim))
            weights.append((self._determinants(xi, cells) * w).ravel())
        return np.concatenate(points), np.concatenate(weights)

    def boundary_quadrature(self, name: str, degree: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Points (n, dim), weights (n,) and outward unit normals (n, dim) on the named boundary of the mesh.

        `degree` as in `quadrature`; the divergence theorem holds to rounding when the degree suffices.
        """
        if name not in self.boundaries:
            raise unknown_name("boundary", name, self.boundaries)
        facets = np.flatnonzero(self.facet_boundaries == self.boundaries.index(name))
        xi, weights = reference.quadrature_rule(self.dim - 1, degree + self.dim * (self.order - 1))
        q = len(weights)
        x, normals = self.on_facets(np.repeat(facets, q), np.tile(xi, (len(facets), 1)))
        measure = np.linalg.norm(normals, axis=1)
        return x, np.tile(weights, len(facets)) * measure, normals / measure[:, None]

    def on_facets(self, facets: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, dim) and outward normals (n, dim) at coordinates eta (n, dim - 1) of the facets (n,).

        A normal's length is the surface element dS / d(eta) (Nanson's formula, n dS = det(J) J^-T n_ref dS_ref).
        """
        corners = reference.vertices(self.dim)[reference.facet_vertices(self.dim)]  # (facet, vertex, dim)
        local = self.facet_numbers[facets]
        xi = np.einsum("nv,nvi->ni", reference.barycentric(eta), corners[local])
        outward = np.vstack([np.ones(self.dim), -np.eye(self.dim)])[
            local
        ]  # minus the gradient of the barycentric
        cells = self.facet_cells[facets]
        jacobians = self.jacobians(cells, xi)
        normals = np.linalg.solve(jacobians.transpose(0, 2, 1), outward[..., None])[..., 0]
        return self.map(cells, xi), reference.determinant(jacobians)[:, None] * normals

    @cached_property
    def facet_numbers(self) -> np.ndarray:
        """Which facet of its cell (opposite to which vertex) each facet (F,) is."""
        cell_vertices = self.cells[self.facet_cells, : self.dim + 1]
        on_facet = (cell_vertices[:, :, None] == self.facets[:, None, : self.dim]).any(-1)
        return on_facet.argmin(1)

    # -- point location ---------------------------------------------------------------------------------------

    @cached_property
    def _locator(self):
        from geometry.locate import Locator

        return Locator(self)

    def locate(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Cell (n,), reference point (n, dim) and flag (n,) int8 of each of the points (n, dim).

        Flag 0: inside the curved cell. 1: outside the mesh by no more than twice the measured distance between the
        mesh's boundary and the exact one; the reference point lies just outside the cell. 2: outside, cell -1, xi nan.
        """
        points = np.asarray(points, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != self.dim:
            raise GeometryError(f"points must have shape (n, {self.dim}), not {points.shape}.")
        return self._locator(points)

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Whether each of the points (n, dim) lies in the domain, as far as the mesh can tell (flag 0 or 1)."""
        return self.locate(points)[2] < 2

    # -- storage ----------------------------------------------------------------------------------------------

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything as numeric arrays (no pickle, no strings: names are JSON in bytes), for npz or safetensors."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        header = {key: value for key, value in values.items() if not isinstance(value, np.ndarray)}
        arrays = {key: value for key, value in values.items() if isinstance(value, np.ndarray)}
        return arrays | {"header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8).copy()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Mesh":
        """The mesh that `arrays` was taken from."""
        values: dict[str, Any] = dict(arrays)
        header = json.loads(np.asarray(values.pop("header")).tobytes().decode())
        header |= {key: tuple(header[key]) for key in ("regions", "boundaries")}
        return cls(**(values | header))
