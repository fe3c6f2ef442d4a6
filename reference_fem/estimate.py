"""Estimated error of a finite element solution: its difference from one of higher degree on a finer, independent mesh.

The finer mesh follows the boundary more closely as well, so the estimate sees the geometry's error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlpde.problem import Field
from mlpde.solution import Solution
from reference_fem.function import FiniteElementFunction
from reference_fem.modes import FiniteElementModes


def relative_difference(
    fields: Sequence[Field], coarse: FiniteElementFunction, fine: FiniteElementFunction
) -> tuple[dict[str, Any], NDArray]:
    """{"estimated_error": {field: {"l2", "h1"}}}: |coarse - fine| / |fine| in L2 and in the full H1 norm.

    And the squares of the differences on each cell (C,) of the coarse mesh, relative, summed over the fields: of the
    gradients, or of the values of a field that is approximated without them (a multiplier, an edge element's field).

    By quadrature on the fine mesh.
    Points that lie outside the coarse mesh by more than its own error are left out.  Where the fine function
    is zero the difference is absolute.
    """
    alphas = [(), *((i,) for i in range(fine.mesh.dim))]
    ends = np.cumsum([f.size for f in fields])
    columns = {f.name: slice(end - f.size, end) for f, end in zip(fields, ends, strict=True)}
    # rows: the value, the gradient; columns: of the difference, of the fine function
    squares = {f.name: np.zeros((2, 2)) for f in fields}
    local = {f.name: np.zeros((2, len(coarse.mesh.cells))) for f in fields}
    for cells, xi, weights in fine.quadrature(max(coarse.degrees) + max(fine.degrees)):
        known = fine.jets_at(cells, xi, alphas)
        owners, there, _ = coarse.mesh.locate(fine.mesh.map(cells, xi))
        given = coarse.jets_at(owners, there, alphas)
        inside = owners >= 0
        for name, part in columns.items():
            for alpha in alphas:
                f = known[alpha][inside, part]
                e = given[alpha][inside, part] - f
                terms = weights[inside, None] * np.stack([(e**2).sum(1), (f**2).sum(1)], axis=1)
                squares[name][len(alpha)] += terms.sum(0)
                local[name][len(alpha)] += np.bincount(owners[inside], terms[:, 0], len(coarse.mesh.cells))
    errors = {name: {"l2": _ratio(*s[0]), "h1": _ratio(*s.sum(0))} for name, s in squares.items()}
    natural = {
        f.name: int(f.family == "Lagrange" and degree == max(coarse.degrees))
        for f, degree in zip(fields, coarse.degrees, strict=True)
    }
    sizes = {name: squares[name][order, 1] or 1.0 for name, order in natural.items()}
    return {"estimated_error": errors}, sum(local[name][natural[name]] / sizes[name] for name in natural)


def mode_difference(
    fields: Sequence[Field], coarse: FiniteElementModes, fine: FiniteElementModes
) -> tuple[dict[str, Any], NDArray]:
    """The same for eigenmodes as subspaces; and {"estimated_quantity_error": {"eigenvalue 1": ...}}, absolute."""
    one, other = (Solution("fem", "", tuple(fields), modes, modes.mesh) for modes in (coarse, fine))
    values = zip(one.eigenvalue_quantities.items(), other.eigenvalue_quantities.values(), strict=False)
    aligned: Any = one.aligned(other).model
    count = len(aligned.eigenvalues)
    known = fine.combined(np.eye(len(fine.eigenvalues))[:, :count])
    several = [replace(f, shape=(count * f.size,), mean_zero=False) for f in fields]
    _, local = relative_difference(several, aligned.together, known.together)
    facts = {
        "estimated_error": {
            name: {key: error[key] for key in ("l2", "h1")} for name, error in one.error(other).items()
        },
        "estimated_quantity_error": {name: abs(a - b) for (name, a), b in values},
    }
    return facts, local


def _ratio(difference: float, size: float) -> float:
    return float(np.sqrt(difference / size if size > 0 else difference))
