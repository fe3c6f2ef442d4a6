"""Where the densities of an energy and the Dirichlet rows are evaluated: mesh quadrature, or fresh random points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from mlpde.formulation.condition_rows import boundary_rows, condition_rows
from mlpde.formulation.energy import Density
from mlpde.formulation.residual import PointwiseRows, Rows, StrongForm
from mlpde.formulation.torch_expression import Jets, Tensor
from mlpde.formulation.weak_form import weak_form
from mlpde.problem import Problem

DEGREE = 8  # of the quadrature, where the problem does not say
GRADING = 4  # points at a singular corner lie at distances t^4, t the Gauss points
CELL = {1: 1.0, 2: math.sqrt(3) / 4, 3: math.sqrt(2) / 12}  # volume of the regular simplex of edge 1


@dataclass(frozen=True)
class Integral:
    """A density at points (n, d) with weights (n,) and, on a boundary, outward normals (n, d)."""

    density: Density
    points: Tensor
    weights: Tensor
    normals: Tensor | None = None


@dataclass
class Condition:
    """Dirichlet rows at points (n, d) with weights (n,): penalty beta, multipliers lambda (n, K)."""

    rows: PointwiseRows
    points: Tensor
    weights: Tensor
    penalty: float
    multipliers: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.multipliers = self.points.new_zeros(len(self.points), self.rows.equations)

    @property
    def derivatives(self) -> list[tuple[int, ...]]:
        """The jets that the residual needs."""
        return sorted(self.rows.derivatives)

    def residual(self, jets: Jets) -> Tensor:
        """u - g (n, K)."""
        return self.rows.residual(self.points, None, jets)


def dirichlet_form(problem: Problem) -> StrongForm:
    """The Dirichlet and point rows of a steady problem alone: they exist where the strong residual does not."""
    form = weak_form(problem)
    dim = problem.domain.dim
    rows = []
    for name in problem.domain.boundaries:
        expressions = tuple(boundary_rows(problem, form, name).values())
        if expressions:
            rows.append(Rows("dirichlet", name, expressions, form.unknowns, dim))
    for condition in problem.dirichlet:
        if condition.at is not None:
            expressions = tuple(condition_rows(problem, form, condition).values())
            rows.append(Rows("point", condition.at, expressions, form.unknowns, dim))
    components = sum(f.size for f in problem.fields)
    free: list[int] = []
    start = 0
    for f in problem.fields:
        free += range(start, start + f.size) if f.mean_zero else ()
        start += f.size
    return StrongForm(tuple(rows), components, dim, free=tuple(free))


def by_quadrature(
    densities: Sequence[Density],
    rows: Sequence[PointwiseRows],
    domain: Any,
    count: int,
    penalty: float,
    singular: Sequence[tuple[float, ...]] = (),
) -> tuple[list[Integral], list[Condition]]:
    """Gauss points on a mesh so fine that about `count` lie inside.

    singular: corners (d = 2) where the gradient is unbounded; the points of the cells around are graded towards them.
    """
    per_cell = len(_rule(domain.dim))
    volume = float(domain.quadrature(0)[1].sum())
    size = (volume * per_cell / (count * CELL[domain.dim])) ** (1 / domain.dim)
    mesh = domain.mesh(size)
    integrals = []
    for density in densities:
        degree = DEGREE if density.degree is None else density.degree
        if density.kind == "interior":
            points, weights = _inside(mesh, degree, density.where, singular)
            integrals.append(Integral(density, torch.as_tensor(points), torch.as_tensor(weights)))
        else:
            found = mesh.boundary_quadrature(density.where, degree)
            integrals.append(Integral(density, *map(torch.as_tensor, found)))
    conditions = []
    for row in rows:
        if row.kind == "point":
            conditions.append(_at_point(row, penalty))
        else:
            points, weights = _on_boundary(mesh, row.where, singular)
            conditions.append(Condition(row, torch.as_tensor(points), torch.as_tensor(weights), penalty))
    return integrals, conditions


def at_random(
    densities: Sequence[Density],
    rows: Sequence[PointwiseRows],
    domain: Any,
    count: int,
    penalty: float,
    seed: int,
) -> tuple[list[Integral], list[Condition]]:
    """`count` independent uniform points inside, and as many on the boundary as its spacing asks for."""
    inside = domain.interior(count, rule="uniform", seed=seed)
    volume = domain.volume if hasattr(domain, "volume") else float(domain.quadrature(0)[1].sum())
    spacing = (volume / count) ** (1 / domain.dim)

    def on(name: str) -> tuple[Tensor, Tensor, Tensor]:
        measure = float(domain.boundary(name, 1)[1].sum())
        number = max(1, math.ceil(min(measure / spacing ** (domain.dim - 1), count / len(domain.boundaries))))
        points, weights, normals = map(torch.as_tensor, domain.boundary(name, number, seed=seed))
        return points, weights, normals

    integrals = []
    for density in densities:
        if density.kind == "interior":
            several = len(domain.regions) > 1
            x = inside[_region(domain, inside) == density.where] if several else inside
            weights = torch.full((len(x),), volume / count, dtype=torch.float64)
            integrals.append(Integral(density, torch.as_tensor(x), weights))
        else:
            integrals.append(Integral(density, *on(density.where)))
    conditions = []
    for row in rows:
        if row.kind == "point":
            conditions.append(_at_point(row, penalty))
        else:
            points, weights, _ = on(row.where)
            conditions.append(Condition(row, points, weights, penalty))
    return integrals, conditions


def _at_point(row: PointwiseRows, penalty: float) -> Condition:
    point = torch.as_tensor(np.asarray(row.where, float).reshape(1, -1))
    return Condition(row, point, torch.ones(1, dtype=torch.float64), penalty)


def _region(domain: Any, points: np.ndarray) -> np.ndarray:
    mesh = domain.mesh()
    return np.asarray(mesh.regions)[mesh.cell_regions[mesh.locate(points)[0]]]


def _rule(dim: int) -> np.ndarray:
    from geometry.reference import quadrature_rule

    return quadrature_rule(dim, DEGREE)[1]


def _inside(
    mesh: Any, degree: int, region: str, singular: Sequence[tuple[float, ...]]
) -> tuple[np.ndarray, np.ndarray]:
    points, weights = mesh.quadrature(degree, region=region)
    for corner in singular:
        vertices = mesh.points[mesh.cells[:, : mesh.dim + 1]]
        extent = np.ptp(mesh.points, axis=0).max()
        touching = np.argwhere(np.linalg.norm(vertices - np.asarray(corner), axis=2) < 1e-9 * extent)
        touching = touching[mesh.cell_regions[touching[:, 0]] == mesh.regions.index(region)]
        for cell, vertex in touching:
            outside = ~_in_cell(vertices[cell], points)
            graded, measure = _collapsed(mesh, int(cell), int(vertex), degree)
            points = np.concatenate([points[outside], graded])
            weights = np.concatenate([weights[outside], measure])
    return points, weights


def _on_boundary(
    mesh: Any, name: str, singular: Sequence[tuple[float, ...]]
) -> tuple[np.ndarray, np.ndarray]:
    points, weights, _ = mesh.boundary_quadrature(name, DEGREE)
    if not singular:
        return points, weights
    facets = np.flatnonzero(mesh.facet_boundaries == mesh.boundaries.index(name))
    ends = mesh.points[mesh.facets[facets, :2]]
    extent = np.ptp(mesh.points, axis=0).max()
    per_facet = len(points) // len(facets)
    kept = np.ones(len(points), dtype=bool)
    nodes, gauss = np.polynomial.legendre.leggauss(DEGREE)
    t, w = (1 + nodes) / 2, gauss / 2 * GRADING * ((1 + nodes) / 2) ** (GRADING - 1)
    graded: list[tuple[np.ndarray, np.ndarray]] = []
    for corner in singular:
        for k, end in np.argwhere(np.linalg.norm(ends - np.asarray(corner), axis=2) < 1e-9 * extent):
            kept[k * per_facet : (k + 1) * per_facet] = False
            eta = t**GRADING
            flipped = eta[:, None] if end == 0 else 1 - eta[:, None]
            x, normals = mesh.on_facets(np.full(len(t), facets[k]), flipped)
            graded.append((x, w * np.linalg.norm(normals, axis=1)))
    return (
        np.concatenate([points[kept], *(x for x, _ in graded)]),
        np.concatenate([weights[kept], *(v for _, v in graded)]),
    )


def _in_cell(triangle: np.ndarray, points: np.ndarray) -> np.ndarray:
    xi = np.linalg.solve((triangle[1:] - triangle[0]).T, (points - triangle[0]).T).T
    return (xi > 0).all(1) & (xi.sum(1) < 1)


def _collapsed(mesh: Any, cell: int, vertex: int, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights on a triangle, graded towards one vertex: x = v + rho ((1 - eta) a + eta b), rho = t^4.

    M. G. Duffy, SIAM J. Numer. Anal. 19, 1982, doi:10.1137/0719090.
    """
    nodes, gauss = np.polynomial.legendre.leggauss(degree)
    t, w = (1 + nodes) / 2, gauss / 2
    rho, eta = (a.ravel() for a in np.meshgrid(t**GRADING, t, indexing="ij"))
    weight = np.outer(w * GRADING * t ** (GRADING - 1) * t**GRADING, w).ravel()
    barycentric = np.empty((len(rho), 3))
    others = [k for k in range(3) if k != vertex]
    barycentric[:, vertex] = 1 - rho
    barycentric[:, others[0]], barycentric[:, others[1]] = rho * (1 - eta), rho * eta
    xi, cells = barycentric[:, 1:], np.full(len(rho), cell)
    determinants = np.abs(np.linalg.det(mesh.jacobians(cells, xi)))
    return mesh.map(cells, xi), weight * determinants
