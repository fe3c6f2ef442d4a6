"""The rows of the least squares: linearised equations at points, in terms of random features."""

from collections.abc import Container, Sequence
from typing import Any, NamedTuple

import torch

from mlpde.errors import InputError
from mlpde.optimize.row_groups import RowGroup
from mlpde.representation.partition_of_unity import Alpha, Cover
from mlpde.representation.random_features import RandomFeatures
from mlpde.representation.ridges import closure


class Side(NamedTuple):
    """Terms at points (n, D) in terms of `features`, whose subdomains are the blocks from `first` on.

    Terms have the attributes equation, component, derivative (alpha) and coefficient (n,).
    """

    features: RandomFeatures
    points: torch.Tensor
    terms: Sequence[Any]
    first: int = 0

    def to(self, device: torch.device | None) -> "Side":
        """The same side with points and coefficients on a device."""
        terms = [term._replace(coefficient=term.coefficient.to(device)) for term in self.terms]
        return self._replace(points=self.points.to(device), terms=terms)


class Assembled(NamedTuple):
    """A row group, the indices (n,) of its points, and the factors (equations, n) that its rows were multiplied by."""

    group: RowGroup
    points: torch.Tensor
    factors: torch.Tensor


def assemble(
    features: RandomFeatures,
    points: torch.Tensor,
    terms: Sequence[Any],
    residual: torch.Tensor,
    components: int,
    weight: float | torch.Tensor = 1.0,
    scale: float = 100.0,
    paired: tuple[torch.Tensor, Sequence[Any]] | None = None,
) -> list[RowGroup]:
    """The row groups of `assembled` for one set of features.

    `paired` = (other points (n, D), terms): terms of the same equations at a second point of each row.
    """
    sides = [Side(features, points, terms)] + ([Side(features, *paired)] if paired else [])
    return [part.group for part in assembled(sides, residual, components, weight, scale)]


def assembled(
    sides: Sequence[Side],
    residual: torch.Tensor,
    components: int,
    weight: float | torch.Tensor = 1.0,
    scale: float = 100.0,
    owned: Container[int] | None = None,
    device: torch.device | None = None,
) -> list[Assembled]:
    """Rows of sum_sides sum_terms c(x) D^alpha u_m(x) = -residual_k(x) for the equations k at n points.

    `residual` is (n, equations). A row has one side, or two: the points that a periodic condition or a jump joins,
    each in its own features. Rows are grouped by the subdomains that cover their points; in a group they run over
    (equation, point), the columns of each block over (component, feature). Every row and its right-hand side
    is multiplied by weight * scale / max_j |B_ij|; without that the largest coefficients of the problem
    decide what is fitted. `weight` broadcasts against (n, equations).

    Only rows whose first block is in `owned` are assembled, by default all. On a `device` features are evaluated and
    rows built there, by default where the points are; indices and factors stay there, the groups lie on the device.
    """
    home, residual = residual.device, residual.to(device)
    sides = [side.to(device) for side in sides]
    for side in sides:
        _check(side.points, side.terms, residual, components)
    weights = torch.broadcast_to(
        torch.as_tensor(weight, dtype=residual.dtype, device=residual.device), residual.shape
    )
    covers = [side.features.partition.covers(side.points) for side in sides]
    label = torch.zeros((len(residual), len(sides)), dtype=torch.long, device=residual.device)
    for number, found in enumerate(covers):
        for i, cover in enumerate(found):
            label[cover.rows, number] = i
    kinds, which = torch.unique(label, dim=0, return_inverse=True)
    parts = []
    for number, kind in enumerate(kinds.tolist()):
        rows = torch.nonzero(which == number)[:, 0]
        met = [found[i]._replace(rows=rows) for found, i in zip(covers, kind, strict=True)]
        if owned is not None and _first(sides, met) not in owned:
            continue
        blocks, matrix = joined_rows(sides, met, residual.shape[1], components)
        factor = scale / matrix.abs().amax(dim=1)
        factor = torch.where(torch.isfinite(factor), factor, 1.0) * weights[rows].T.reshape(
            -1
        )  # a row of zeros stays one
        group = RowGroup(blocks, matrix * factor[:, None], -residual[rows].T.reshape(-1) * factor)
        parts.append(Assembled(group, rows.to(home), factor.reshape(residual.shape[1], -1).to(home)))
    return parts


def _first(sides: Sequence[Side], covers: Sequence[Cover]) -> int:
    return min(side.first + s for side, cover in zip(sides, covers, strict=True) for s in cover.subdomains)


def joined_rows(
    sides: Sequence[Side], covers: Sequence[Cover], equations: int, components: int
) -> tuple[tuple[int, ...], torch.Tensor]:
    """The blocks and the matrix of the rows at one kind of cover (on each side), not scaled."""
    blocks = tuple(
        sorted({side.first + s for side, c in zip(sides, covers, strict=True) for s in c.subdomains})
    )
    features = sides[0].features
    count, width = len(covers[0].rows), features.features
    local = sides[0].points.new_zeros((equations, count, len(blocks), components, width))
    whole = local.new_zeros((equations, count, components, features.global_features))
    for side, cover in zip(sides, covers, strict=True):
        here = side.points[cover.rows]
        operators: dict[tuple[int, int], dict[Alpha, torch.Tensor]] = {}
        for term in side.terms:
            operator = operators.setdefault((term.equation, term.component), {})
            coefficient = term.coefficient[cover.rows]
            alpha = term.derivative
            operator[alpha] = operator[alpha] + coefficient if alpha in operator else coefficient
        psis = side.features.partition.weights(here, cover, closure({term.derivative for term in side.terms}))
        for subdomain, psi in side.features.parts(cover.subdomains, psis):
            values = side.features.operator_rows(here, subdomain, psi, list(operators.values()))
            for (equation, component), value in zip(operators, values, strict=True):
                if subdomain is None:
                    whole[equation, :, component] += value
                else:
                    local[equation, :, blocks.index(side.first + subdomain), component] += value
    return blocks, torch.cat(
        [local.reshape(equations * count, -1), whole.reshape(equations * count, -1)], dim=1
    )


def _check(points: torch.Tensor, terms: Sequence[Any], residual: torch.Tensor, components: int) -> None:
    if residual.ndim != 2 or len(residual) != len(points):
        raise InputError(f"a residual ({len(points)}, equations) is needed, got {tuple(residual.shape)}")
    for term in terms:
        if not (0 <= term.equation < residual.shape[1] and 0 <= term.component < components):
            raise InputError(
                f"a term of equation {term.equation} and component {term.component} does not fit "
                f"{residual.shape[1]} equations and {components} components"
            )
        if tuple(term.coefficient.shape) != (len(points),):
            raise InputError(
                f"a term needs a coefficient ({len(points)},), got {tuple(term.coefficient.shape)}"
            )
