"""Estimated error of a finite element solution: its difference from one of higher degree on a finer, independent mesh.

The finer mesh follows the boundary more closely as well, so the estimate sees the geometry's error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlpde.problem import Field
from mlpde.solution import Solution
from reference_fem.function import FiniteElementFunction
from reference_fem.modes import FiniteElementModes


def relative_difference(
    fields: Sequence[Field], coarse: FiniteElementFunction, fine: FiniteElementFunction
) -> dict[str, Any]:
    """{"estimated_error": {field: {"l2", "h1"}}}: |coarse - fine| / |fine| in L2 and in the full H1 norm.

    By quadrature on the fine mesh.
    Points that lie outside the coarse mesh by more than its own error are left out.  Where the fine function
    is zero the difference is absolute.
    """
    alphas = [(), *((i,) for i in range(fine.mesh.dim))]
    ends = np.cumsum([f.size for f in fields])
    columns = {f.name: slice(end - f.size, end) for f, end in zip(fields, ends, strict=True)}
    # rows: the value, the gradient; columns: of the difference, of the fine function
    squares = {f.name: np.zeros((2, 2)) for f in fields}
    for cells, xi, weights in fine.quadrature(max(coarse.degrees) + max(fine.degrees)):
        known = fine.jets_at(cells, xi, alphas)
        given = coarse.jets(fine.mesh.map(cells, xi), alphas)
        inside = np.isfinite(given[()]).all(1)
        for name, part in columns.items():
            for alpha in alphas:
                f = known[alpha][inside, part]
                e = given[alpha][inside, part] - f
                squares[name][len(alpha)] += weights[inside] @ np.stack(
                    [(e**2).sum(1), (f**2).sum(1)], axis=1
                )
    errors = {name: {"l2": _ratio(*s[0]), "h1": _ratio(*s.sum(0))} for name, s in squares.items()}
    return {"estimated_error": errors}


def mode_difference(
    fields: Sequence[Field], coarse: FiniteElementModes, fine: FiniteElementModes
) -> dict[str, Any]:
    """The same for eigenmodes as subspaces; and {"estimated_quantity_error": {"eigenvalue 1": ...}}, absolute."""
    one, other = (Solution("fem", "", tuple(fields), modes, modes.mesh) for modes in (coarse, fine))
    values = zip(one.eigenvalue_quantities.items(), other.eigenvalue_quantities.values(), strict=False)
    return {
        "estimated_error": {
            name: {key: error[key] for key in ("l2", "h1")} for name, error in one.error(other).items()
        },
        "estimated_quantity_error": {name: abs(a - b) for (name, a), b in values},
    }


def _ratio(difference: float, size: float) -> float:
    return float(np.sqrt(difference / size if size > 0 else difference))
