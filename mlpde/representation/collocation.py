"""The rows of the least squares: linearised equations at points, in terms of random features."""

from collections.abc import Sequence
from typing import Any

import torch

from mlpde.errors import InputError
from mlpde.optimize.distributed import owned
from mlpde.optimize.row_groups import RowGroup
from mlpde.representation.partition_of_unity import Alpha, Cover
from mlpde.representation.random_features import RandomFeatures, closure


def assemble(
    features: RandomFeatures,
    points: torch.Tensor,
    terms: Sequence[Any],
    residual: torch.Tensor,
    components: int,
    weight: float | torch.Tensor = 1.0,
    scale: float = 100.0,
    paired: tuple[torch.Tensor, Sequence[Any]] | None = None,
    communicator: Any = None,
    device: torch.device | None = None,
) -> list[RowGroup]:
    """Rows of sum_terms c(x) D^alpha u_m(x) = -residual_k(x) for the equations k at the points (n, D).

    `terms` have the attributes equation, component, derivative (alpha) and coefficient (n,); `residual` is
    (n, equations). Rows are grouped by the subdomains that cover their points; in a group they run over
    (equation, point), the columns of each block over (component, feature). Every row and its right-hand side
    is multiplied by weight * scale / max_j |B_ij|; without that the largest coefficients of the problem
    decide what is fitted. `weight` broadcasts against (n, equations).

    `paired` = (other points (n, D), terms): terms of the same equations at a second point of each row
    (periodic conditions, jumps).

    With an mpi4py `communicator` each rank assembles the rows of its subdomains only: those whose first subdomain it
    owns. On a `device` features are evaluated and rows built there; by default where the points are.
    """
    points, residual = points.to(device), residual.to(device)
    given = [(points, terms)] + ([paired] if paired else [])
    sides = [
        (where.to(device), [t._replace(coefficient=t.coefficient.to(device)) for t in what])
        for where, what in given
    ]
    for where, what in sides:
        _check(where, what, residual, components)
    weights = torch.broadcast_to(
        torch.as_tensor(weight, dtype=residual.dtype, device=residual.device), residual.shape
    )
    covers = [features.partition.covers(where) for where, _ in sides]
    label = torch.zeros((len(points), len(sides)), dtype=torch.long, device=points.device)
    for side, found in enumerate(covers):
        for i, cover in enumerate(found):
            label[cover.rows, side] = i
    kinds, which = torch.unique(label, dim=0, return_inverse=True)
    mine = owned(features.partition.subdomains, communicator)
    groups = []
    for number, kind in enumerate(kinds.tolist()):
        rows = torch.nonzero(which == number)[:, 0]
        met = [found[i]._replace(rows=rows) for found, i in zip(covers, kind, strict=True)]
        first = min(s for cover in met for s in cover.subdomains)
        if first not in mine:
            continue
        blocks, matrix = _rows(features, sides, met, residual.shape[1], components)
        factor = scale / matrix.abs().amax(dim=1)
        factor = torch.where(torch.isfinite(factor), factor, 1.0) * weights[rows].T.reshape(
            -1
        )  # a row of zeros stays one
        groups.append(RowGroup(blocks, matrix * factor[:, None], -residual[rows].T.reshape(-1) * factor))
    return groups


def _rows(
    features: RandomFeatures,
    sides: Sequence[tuple[torch.Tensor, list[Any]]],
    covers: Sequence[Cover],
    equations: int,
    components: int,
) -> tuple[tuple[int, ...], torch.Tensor]:
    """The blocks and the matrix of the rows at one kind of cover (on each side)."""
    blocks = tuple(sorted({s for cover in covers for s in cover.subdomains}))
    count, width = len(covers[0].rows), features.features
    local = sides[0][0].new_zeros((equations, count, len(blocks), components, width))
    whole = local.new_zeros((equations, count, components, features.global_features))
    for (points, terms), cover in zip(sides, covers, strict=True):
        here = points[cover.rows]
        operators: dict[tuple[int, int], dict[Alpha, torch.Tensor]] = {}
        for term in terms:
            operator = operators.setdefault((term.equation, term.component), {})
            coefficient = term.coefficient[cover.rows]
            alpha = term.derivative
            operator[alpha] = operator[alpha] + coefficient if alpha in operator else coefficient
        psis = features.partition.weights(here, cover, closure({term.derivative for term in terms}))
        for subdomain, psi in features.parts(cover.subdomains, psis):
            values = features.operator_rows(here, subdomain, psi, list(operators.values()))
            for (equation, component), value in zip(operators, values, strict=True):
                if subdomain is None:
                    whole[equation, :, component] += value
                else:
                    local[equation, :, blocks.index(subdomain), component] += value
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
