"""Element sizes of the next mesh from the local errors of this one: equidistribution.

With the squared error  e_K = c_K h^(2 s + d)  on a cell K, s the local order of convergence, the fewest cells of a
given total error all have the same error t, so

    h_new = h (t / e_K)^(1 / (2 s + d)).

For smooth solutions s is the elements' degree; where it is lower, at corners, it is observed from mesh to mesh.
Source: O. C. Zienkiewicz, J. Z. Zhu, A simple error estimator and adaptive procedure for practical engineering
analysis, 1987, doi:10.1002/nme.1620240206
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geometry import Mesh
from geometry.size_map import SizeMap

SHRINK, GROW = 1 / 8, 2.0  # bounds of h_new / h: the error's law holds for changes of moderate size
LEAST_EXPONENT = 0.5  # of h in the error of one cell, for singularities
CHANGED = 1.5  # ratio of sizes from which an order of convergence can be observed


@dataclass(frozen=True, eq=False)
class LocalErrors:
    """squares (C,): squared error on each cell of the mesh."""

    mesh: Mesh
    squares: NDArray

    @cached_property
    def density(self) -> NDArray:
        """Squared error (C,) by volume; never zero."""
        density = self.squares / self.mesh.volumes
        return np.maximum(density, 1e-30 * density.max(initial=1e-300))


def next_sizes(
    errors: LocalErrors, before: LocalErrors | None, base: Mesh, degree: int, reduction: float, growth: float
) -> SizeMap:
    """Sizes for which the root of the total is `reduction` times what it was, or the cells `growth` times as many.

    before: the errors of the mesh before this one.  base: the first mesh, whose sizes are not exceeded.
    """
    mesh, dim = errors.mesh, errors.mesh.dim
    squares = errors.density * mesh.volumes
    smooth = 2 * degree + dim
    pieces = float(np.sum(squares ** (dim / smooth)))  # sum_K of the new cells, times t^(d / (2 p + d))
    wanted = (reduction**2 * squares.sum() / pieces) ** (smooth / (2 * degree))
    affordable = (pieces / (growth * len(squares))) ** (smooth / dim)
    level = max(wanted, affordable)
    factor = np.clip((level / squares) ** (1 / _exponents(errors, before, smooth)), SHRINK, GROW)
    return SizeMap.on(mesh, np.minimum(factor * mesh.sizes, _nearest_sizes(base, mesh)))


def _exponents(errors: LocalErrors, before: LocalErrors | None, smooth: int) -> NDArray:
    """2 s + d (C,): d log e_K / d log h, observed where the mesh before was coarser."""
    mesh = errors.mesh
    exponents = np.full(len(mesh.cells), float(smooth))
    if before is None:
        return exponents
    centres = mesh.points[mesh.cells[:, : mesh.dim + 1]].mean(1)
    cells = before.mesh.locate(centres)[0]
    ratio = before.mesh.sizes[cells] / mesh.sizes
    seen = (cells >= 0) & (ratio > CHANGED)
    fall = np.log(before.density[cells[seen]] / errors.density[seen])
    exponents[seen] = np.clip(fall / np.log(ratio[seen]) + mesh.dim, LEAST_EXPONENT, smooth)
    return exponents


def _nearest_sizes(base: Mesh, mesh: Mesh) -> NDArray:
    """The size (C,) of the cell of `base` whose centre is nearest."""
    from scipy.spatial import cKDTree

    one, other = (m.points[m.cells[:, : m.dim + 1]].mean(1) for m in (base, mesh))
    return base.sizes[cKDTree(one).query(other)[1]]
