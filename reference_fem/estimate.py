"""Estimated error of a finite element solution: its difference from one of higher degree on a finer, independent mesh.

The finer mesh follows the boundary more closely as well, so the estimate sees the geometry's error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlpde.problem import Field
from mlpde.solution import TIME_NODES, Solution
from reference_fem.function import FiniteElementFunction
from reference_fem.modes import FiniteElementModes
from reference_fem.time_function import FiniteElementHistory


def relative_difference(
    fields: Sequence[Field], coarse: FiniteElementFunction, fine: FiniteElementFunction
) -> dict[str, Any]:
    """{"estimated_error": {field: {"l2", "h1"}}}: |coarse - fine| / |fine| in L2 and in the full H1 norm.

    By quadrature on the fine mesh.
    Points that lie outside the coarse mesh by more than its own error are left out.  Where the fine function
    is zero the difference is absolute.
    """
    squares = _squares([f.size for f in fields], coarse, fine)
    return {
        "estimated_error": {
            f.name: {"l2": _ratio(*s[0]), "h1": _ratio(*s.sum(0))}
            for f, s in zip(fields, squares, strict=True)
        }
    }


def times_of_errors(interval: tuple[float, float]) -> tuple[NDArray, NDArray]:
    """Gauss-Legendre times in the interval, then its end; and the weights of the former."""
    nodes, weights = np.polynomial.legendre.leggauss(TIME_NODES)
    start, end = interval
    return np.append((start + end) / 2 + (end - start) / 2 * nodes, end), (end - start) / 2 * weights


def difference_in_time(
    fields: Sequence[Field],
    coarse: FiniteElementHistory,
    fine: FiniteElementHistory,
    times: NDArray,
    weights: NDArray,
) -> dict[str, Any]:
    """The same at the last of the times; and "l2_time" in L2 of time, by `weights` of the other times."""
    sizes = [f.size for f in fields for _ in times]
    squares = _squares(sizes, coarse.at(times), fine.at(times)).reshape(len(fields), len(times), 2, 2)
    return {
        "estimated_error": {
            f.name: {
                "l2": _ratio(*s[-1, 0]),
                "h1": _ratio(*s[-1].sum(0)),
                "l2_time": _ratio(*np.tensordot(weights, s[:-1, 0], 1)),
            }
            for f, s in zip(fields, squares, strict=True)
        }
    }


def _squares(sizes: Sequence[int], coarse: FiniteElementFunction, fine: FiniteElementFunction) -> NDArray:
    """Integrals (K, 2, 2) over the fine mesh for K groups of components of the given sizes.

    [:, 0] of the values, [:, 1] of the gradients; [..., 0] of |coarse - fine|^2, [..., 1] of |fine|^2.
    """
    alphas = [(), *((i,) for i in range(fine.mesh.dim))]
    first = np.cumsum([0, *sizes[:-1]])
    squares = np.zeros((len(sizes), 2, 2))
    for cells, xi, weights in fine.quadrature(max(coarse.degrees) + max(fine.degrees)):
        known = fine.jets_at(cells, xi, alphas)
        given = coarse.jets(fine.mesh.map(cells, xi), alphas)
        inside = np.isfinite(given[()]).all(1)
        for alpha in alphas:
            f = known[alpha][inside]
            e = given[alpha][inside] - f
            for column, values in enumerate((e, f)):
                squares[:, len(alpha), column] += np.add.reduceat(weights[inside] @ values**2, first)
    return squares


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
