"""Estimated error of a finite element solution: its difference from one of higher degree on a finer, independent mesh.

The finer mesh follows the boundary more closely as well, so the estimate sees the geometry's error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlpde.problem import Field
from mlpde.solution import Solution
from reference_fem.function import FiniteElementFunction, lagrange
from reference_fem.modes import FiniteElementModes

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
    count, dim = len(coarse.mesh.cells), fine.mesh.dim
    alphas = [(), *((i,) for i in range(dim))]
    ends = np.cumsum([f.size for f in fields])
    columns = {f.name: slice(end - f.size, end) for f, end in zip(fields, ends, strict=True)}
    # rows: the value, the gradient; columns: of the difference, of the fine function, of its unrepresented part
    squares = {f.name: np.zeros((2, 3)) for f in fields}
    local = {f.name: np.zeros((2, count)) for f in fields}
    rest = _unrepresented(fine, coarse.degrees)
    for cells, xi, weights in fine.quadrature(max(coarse.degrees) + max(fine.degrees)):
        known, beyond = (function.jets_at(cells, xi, alphas) for function in (fine, rest))
        owners, there, _ = coarse.mesh.locate(fine.mesh.map(cells, xi))
        given = coarse.jets_at(owners, there, alphas)
        inside = owners >= 0
        for name, part in columns.items():
            for alpha in alphas:
                f, r = known[alpha][inside, part], beyond[alpha][inside, part]
                terms = np.stack(
                    [((given[alpha][inside, part] - f) ** 2).sum(1), (f**2).sum(1), (r**2).sum(1)]
                )
                terms *= weights[inside]
                squares[name][len(alpha)] += terms.sum(1)
                local[name][len(alpha)] += np.bincount(owners[inside], terms[0], count)
    errors = {name: {"l2": _ratio(*s[0, :2]), "h1": _ratio(*s.sum(0)[:2])} for name, s in squares.items()}
    total, orders = np.zeros(count), {}
    for field, degree in zip(fields, coarse.degrees, strict=True):
        gradient = int(field.family == "Lagrange" and degree == max(coarse.degrees))
        error, size, unseen = squares[field.name][gradient]
        total += local[field.name][gradient] / (size or 1.0)
        if error > ROUNDING**2 * size and unseen > 0:
            smooth = degree if gradient or field.family != "Lagrange" else degree + 1
            orders[field.name] = (float(np.log2(error / unseen) / 2), smooth)
    return Difference({"estimated_error": errors}, total, orders)


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
