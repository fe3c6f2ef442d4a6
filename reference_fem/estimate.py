"""Estimated error of a finite element solution: its difference from one of higher degree on a finer, independent mesh.

The finer mesh follows the boundary more closely as well, so the estimate sees the geometry's error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlpde.problem import Field
from mlpde.relative_errors import TIME_NODES
from mlpde.solution import Solution
from reference_fem.function import FiniteElementFunction, lagrange
from reference_fem.modes import FiniteElementModes
from reference_fem.time_function import FiniteElementHistory

ROUNDING = 1e-8  # relative error below which nothing is said of its order


@dataclass(frozen=True, eq=False)
class Difference:
    """What the two levels say about the error of the coarse one.

    facts: {"estimated_error": {field: {"l2", "h1"}}}, relative, and of eigenmodes {"estimated_quantity_error"}.
    squares (C,): squared relative errors on the coarse cells, each field in its natural norm, summed over the fields.
    orders: by field the order in h, observed between the levels, and that of a smooth solution.
    The natural norm is that of the gradient; of the values for a multiplier or edge elements.
    """

    facts: dict[str, Any]
    squares: NDArray
    orders: dict[str, tuple[float, int]]

    @property
    def warnings(self) -> list[str]:
        """A sentence for each field that converges too slowly for its estimate to be trusted."""
        return [
            f"the error of field {name!r} falls like h^{observed:.1f} under refinement, not like h^{smooth}: the "
            "solution is singular, or not resolved, and the estimated error may be too small; FEM(tolerance=...) "
            "refines where it is"
            for name, (observed, smooth) in self.orders.items()
            if observed < smooth / 2
        ]


def relative_difference(
    fields: Sequence[Field], coarse: FiniteElementFunction, fine: FiniteElementFunction
) -> Difference:
    """|coarse - fine| / |fine| in L2 and in the full H1 norm, by quadrature on the fine mesh.

    Points that lie outside the coarse mesh by more than its own error are left out.  Where the fine function
    is zero the difference is absolute.  The order is log2 of the ratio of |coarse - fine| to the part of the fine
    function that elements of the coarse degree cannot represent on the fine mesh, of half the size.
    """
    count = len(coarse.mesh.cells)
    ends = np.cumsum([f.size for f in fields])
    columns = {f.name: slice(end - f.size, end) for f, end in zip(fields, ends, strict=True)}
    # rows: the value, the gradient; columns: of the difference, of the fine function, of its unrepresented part
    squares = {f.name: np.zeros((2, 3)) for f in fields}
    local = {f.name: np.zeros((2, count)) for f in fields}
    rest = _unrepresented(fine, coarse.degrees)
    for owners, weights, differences, known, beyond in _samples(coarse, fine, rest):
        for name, part in columns.items():
            for alpha, e in differences.items():
                parts = (e[:, part], known[alpha][:, part], beyond[alpha][:, part])
                terms = weights * np.stack([(values**2).sum(1) for values in parts])
                squares[name][len(alpha)] += terms.sum(1)
                local[name][len(alpha)] += np.bincount(owners, terms[0], count)
    errors = {name: {"l2": _ratio(*s[0, :2]), "h1": _ratio(*s.sum(0)[:2])} for name, s in squares.items()}
    total, orders = np.zeros(count), {}
    for field, degree in zip(fields, coarse.degrees, strict=True):
        gradient = int(field.family == "Lagrange" and degree == max(coarse.degrees))
        error, size, unseen = squares[field.name][gradient]
        total += local[field.name][gradient] / (size or 1.0)
        whole = squares[field.name][:, 1].sum()  # the gradient of a constant is rounding itself
        if error > ROUNDING**2 * whole and unseen > 0:
            smooth = degree if gradient or field.family != "Lagrange" else degree + 1
            orders[field.name] = (float(np.log2(error / unseen) / 2), smooth)
    return Difference({"estimated_error": errors}, total, orders)


def _samples(coarse: FiniteElementFunction, fine: FiniteElementFunction, *others: Any) -> Iterator[tuple]:
    """Quadrature points of the fine mesh that lie in the coarse one, in pieces.

    Their cells in the coarse mesh (n,), weights (n,), and {(): values (n, M), (i,): derivatives} of coarse - fine, of
    fine, and of the other functions on the fine mesh.
    """
    alphas = [(), *((i,) for i in range(fine.mesh.dim))]
    for cells, xi, weights in fine.quadrature(max(coarse.degrees) + max(fine.degrees)):
        owners, there, _ = coarse.mesh.locate(fine.mesh.map(cells, xi))
        inside = owners >= 0
        cells, xi, owners = cells[inside], xi[inside], owners[inside]
        known = fine.jets_at(cells, xi, alphas)
        given = coarse.jets_at(owners, there[inside], alphas)
        differences = {alpha: given[alpha] - known[alpha] for alpha in alphas}
        rest = (other.jets_at(cells, xi, alphas) for other in others)
        yield owners, weights[inside], differences, known, *rest


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
    """The estimated error at the last of the times; and "l2_time" in L2 of time, by `weights` of the other times."""
    sizes = [f.size for f in fields for _ in times]
    first = np.cumsum([0, *sizes[:-1]])
    # rows: the value, the gradient; columns: of the difference, of the fine function
    squares = np.zeros((len(sizes), 2, 2))
    for _, volumes, differences, known in _samples(coarse.at(times), fine.at(times)):
        for alpha in known:
            for column, values in enumerate((differences[alpha], known[alpha])):
                squares[:, len(alpha), column] += np.add.reduceat(volumes @ values**2, first)
    return {
        "estimated_error": {
            f.name: {
                "l2": _ratio(*s[-1, 0]),
                "h1": _ratio(*s[-1].sum(0)),
                "l2_time": _ratio(*np.tensordot(weights, s[:-1, 0], 1)),
            }
            for f, s in zip(fields, squares.reshape(len(fields), len(times), 2, 2), strict=True)
        }
    }


def mode_difference(
    fields: Sequence[Field], coarse: FiniteElementModes, fine: FiniteElementModes
) -> Difference:
    """The same for eigenmodes as subspaces; and {"estimated_quantity_error": {"eigenvalue 1": ...}}, absolute."""
    one, other = (Solution("fem", "", tuple(fields), modes, modes.mesh) for modes in (coarse, fine))
    values = zip(one.eigenvalue_quantities.items(), other.eigenvalue_quantities.values(), strict=False)
    aligned: Any = one.aligned(other).model
    count = len(aligned.eigenvalues)
    known = fine.combined(np.eye(len(fine.eigenvalues))[:, :count])
    several = [replace(f, shape=(count * f.size,), mean_zero=False) for f in fields]
    facts = {
        "estimated_error": {
            name: {key: error[key] for key in ("l2", "h1")} for name, error in one.error(other).items()
        },
        "estimated_quantity_error": {name: abs(a - b) for (name, a), b in values},
    }
    return replace(relative_difference(several, aligned.together, known.together), facts=facts)


def _unrepresented(function: FiniteElementFunction, degrees: Sequence[int]) -> FiniteElementFunction:
    """The function minus its interpolation by elements of lower degrees on the same mesh."""
    values = []
    for own, lower, nodal in zip(function.degrees, degrees, function.values, strict=True):
        high, low = lagrange(function.mesh.dim, own), lagrange(function.mesh.dim, lower)
        down, up = high.tabulate(0, low.points)[0, ..., 0], low.tabulate(0, high.points)[0, ..., 0]
        values.append(nodal - np.einsum("ab,cbm->cam", up @ down, nodal))
    return FiniteElementFunction(function.mesh, function.degrees, tuple(values))


def _ratio(difference: float, size: float) -> float:
    return float(np.sqrt(difference / size if size > 0 else difference))
