"""Point location on curved simplices: bounding-box candidates, then a batched Newton pull-back."""

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from geometry import reference

if TYPE_CHECKING:
    from geometry.mesh import Mesh

_ROUNDING = 1e-10  # in barycentric coordinates: shared facets belong to both cells
_CHUNK = 100_000  # points at a time, to bound memory


class Locator:
    """Search structure of one mesh; call it with points (n, dim), see `Mesh.locate` for the answer."""

    def __init__(self, mesh: "Mesh"):
        self.mesh = mesh
        dim, order = mesh.dim, mesh.order
        nodes = mesh.points[mesh.cells]
        # A curved cell lies within the hull of its Bernstein control points, not of its nodes.
        to_control = reference.bernstein_from_values(dim, order, at_nodes=True)
        control = np.einsum("ba,cai->cbi", to_control, nodes)
        # Twice the measured gap: the gap is the largest of a few samples of each facet.
        self.tolerance = np.zeros(len(mesh.cells))
        np.maximum.at(self.tolerance, mesh.facet_cells, 2.0 * mesh.facet_gaps)
        extent = control.max(1) - control.min(1)
        padding = (self.tolerance + 1e-9 * extent.max(1))[:, None]
        self.lower, self.upper = control.min(1) - padding, control.max(1) + padding
        self.origin = nodes[:, 0]
        self.inverse = np.linalg.inv((nodes[:, 1 : dim + 1] - nodes[:, :1]).transpose(0, 2, 1))
        # By the same hull, how far barycentric coordinates of the straight simplex can be below 0 inside the cell, or
        # within the tolerance of it.
        straight = np.einsum("cij,cbj->cbi", self.inverse, control - nodes[:, :1])
        hull = np.abs(straight - to_control @ reference.nodes(dim, order)).sum(-1).max(1)
        self.reach = hull + self.tolerance * np.abs(self.inverse).sum((1, 2)) + 1e-9

    def __call__(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        chunks = [self._locate(points[i : i + _CHUNK]) for i in range(0, max(len(points), 1), _CHUNK)]
        cell, xi, flag = zip(*chunks, strict=True)
        return np.concatenate(cell), np.concatenate(xi), np.concatenate(flag)

    def _locate(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n = len(points)
        cell = np.full(n, -1, dtype=np.int64)
        xi = np.full((n, self.mesh.dim), np.nan)
        flag = np.full(n, 2, dtype=np.int8)

        owner, candidate = self._candidates(points)
        straight = np.einsum("nij,nj->ni", self.inverse[candidate], points[owner] - self.origin[candidate])
        keep = reference.barycentric(straight).min(1) >= -self.reach[candidate]
        owner, candidate = owner[keep], candidate[keep]
        pulled = self._pull_back(points[owner], candidate, straight[keep])
        inside = reference.barycentric(pulled).min(1)
        keep = ~np.isnan(inside)  # nan where the pull-back has no answer
        owner, candidate, pulled, inside = owner[keep], candidate[keep], pulled[keep], inside[keep]

        # The largest smallest barycentric coordinate wins.
        order = np.lexsort((-inside, owner))
        first = order[np.unique(owner[order], return_index=True)[1]]
        first = first[inside[first] >= -_ROUNDING]
        cell[owner[first]], xi[owner[first]], flag[owner[first]] = candidate[first], pulled[first], 0

        # Just outside: measured by the distance to the nearest point of the reference simplex, mapped.
        near = np.flatnonzero((flag[owner] == 2) & (self.tolerance[candidate] > 0))
        if len(near):
            nearest = np.clip(reference.barycentric(pulled[near]), 0.0, None)
            nearest = (nearest / nearest.sum(1, keepdims=True))[:, 1:]
            distance = np.linalg.norm(self.mesh.map(candidate[near], nearest) - points[owner[near]], axis=1)
            within = distance <= self.tolerance[candidate[near]]
            near, distance = near[within], distance[within]
            order = np.lexsort((distance, owner[near]))
            first = near[order[np.unique(owner[near][order], return_index=True)[1]]]
            cell[owner[first]], xi[owner[first]], flag[owner[first]] = candidate[first], pulled[first], 1
        return cell, xi, flag

    def _candidates(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs (point, cell) with the point in the cell's bounding box."""
        finite = np.flatnonzero(np.isfinite(points).all(1))
        if len(finite) * len(self.lower) <= 1_000_000:  # few points: all pairs at once beat a tree
            x = points[finite, None]
            owner, cell = np.nonzero(((x >= self.lower) & (x <= self.upper)).all(-1))
            return finite[owner], cell
        from scipy.spatial import cKDTree

        # A tree of the points, asked once a cell, is indifferent to how strongly the mesh is graded.
        centre, radius = (self.lower + self.upper) / 2, np.linalg.norm(self.upper - self.lower, axis=1) / 2
        found = cKDTree(points[finite]).query_ball_point(centre, radius, return_sorted=False)
        counts = np.fromiter(map(len, found), dtype=np.int64, count=len(found))
        owner = finite[np.fromiter(chain.from_iterable(found), dtype=np.int64, count=counts.sum())]
        cell = np.repeat(np.arange(len(found)), counts)
        boxed = ((points[owner] >= self.lower[cell]) & (points[owner] <= self.upper[cell])).all(1)
        return owner[boxed], cell[boxed]

    def _pull_back(self, points: np.ndarray, cells: np.ndarray, straight: np.ndarray) -> np.ndarray:
        """Reference coordinates (n, dim) with map(cells, xi) = points, from those of the straight simplex.

        Newton's method; nan where it finds none near the cell, outside of which the map need not be one-to-one.
        """
        mesh = self.mesh
        xi = straight.copy()
        lost = self._newton(points, cells, xi, np.flatnonzero(mesh.curved[cells]))
        if len(lost):  # in a strongly bent cell: start again from the nearest of a lattice of points
            lattice = reference.lattice(mesh.dim, 8)
            shape = reference.tabulate(mesh.dim, mesh.order, lattice, 0)[0]
            mapped = np.einsum("qa,nai->nqi", shape, mesh.points[mesh.cells[cells[lost]]])
            xi[lost] = lattice[np.linalg.norm(mapped - points[lost, None], axis=-1).argmin(1)]
            lost = self._newton(points, cells, xi, lost)
        xi[lost] = np.nan
        return xi

    def _newton(self, points: np.ndarray, cells: np.ndarray, xi: np.ndarray, todo: np.ndarray) -> np.ndarray:
        """Iterates xi[todo] in place; those of todo for which it finds no answer."""
        mesh = self.mesh
        for _ in range(30):
            if not len(todo):
                return todo
            nodes = mesh.points[mesh.cells[cells[todo]]]
            xi[todo] = np.clip(xi[todo], -0.5, 1.5)
            table = reference.tabulate(mesh.dim, mesh.order, xi[todo]).transpose(1, 0, 2) @ nodes
            with np.errstate(all="ignore"):
                step = _solve(table[:, 1:].transpose(0, 2, 1), points[todo] - table[:, 0])
            xi[todo] += np.nan_to_num(step)
            todo = todo[~(np.abs(step).max(1) < 1e-12)]
        # rounding can hold the steps up in tiny cells far from the origin
        miss = np.linalg.norm(mesh.map(cells[todo], xi[todo]) - points[todo], axis=1)
        size = np.abs(mesh.points[mesh.cells[cells[todo]]]).max((1, 2))
        return todo[~(miss <= 1e-12 * size)]


def _solve(matrices: np.ndarray, rhs: np.ndarray) -> np.ndarray:
    """Solutions (n, d) by Cramer's rule, which gives inf or nan for a singular matrix instead of stopping the batch."""
    columns = list(np.moveaxis(matrices, -1, 0))
    replaced = [np.stack([*columns[:j], rhs, *columns[j + 1 :]], axis=-1) for j in range(len(columns))]
    return (
        np.stack([reference.determinant(m) for m in replaced], axis=1)
        / reference.determinant(matrices)[:, None]
    )
