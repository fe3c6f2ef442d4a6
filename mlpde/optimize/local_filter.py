"""Local filter: the redundant combinations of each block's columns are dropped before the blocks are coupled.

Random features of one subdomain are dependent to rounding, and nearly all ill-conditioning of the least squares
comes from there. Let A_j be the columns of block j, in all rows that touch it, and A_j = Q_j R_j. With the singular
values of R_j = U S V^T below `tau` of the largest dropped, A_j V S^-1 has orthonormal columns. So B = A blockdiag(V_j
S_j^-1), formed explicitly, has a condition number of 1e2 to 1e3 where A has 1e14, and every global solver works on
it. (As a preconditioner the same matrices square the condition of what is left: that stalls at 1e-5.) A local
rank-revealing filter is in van Beek, Dolean, Moseley, arXiv:2506.17626.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from mlpde.errors import InputError
from mlpde.optimize.row_groups import RowGroup, compressed, parts

TAU = 1e-14  # 1e-12 costs up to a digit and a half


class LocalBasis(NamedTuple):
    """Right singular vectors V (width, kept) and singular values (kept,) of the rows of one block."""

    directions: torch.Tensor
    values: torch.Tensor

    def back(self, y: torch.Tensor) -> torch.Tensor:
        """The coefficients V S^-1 y in the block's columns; y (kept,) or (kept, n)."""
        return (self.directions / self.values) @ y

    def coordinates(self, x: torch.Tensor) -> torch.Tensor:
        """S V^T x: of all y the one whose `back` is nearest to x (width, n)."""
        return self.values[:, None] * (self.directions.T @ x)


def triangles(groups: Sequence[RowGroup], widths: Sequence[int]) -> dict[int, torch.Tensor]:
    """R_j of each block that the groups touch."""
    touching: dict[int, list[torch.Tensor]] = {}
    for group in groups:
        for block, part in parts(group, widths):
            touching.setdefault(block, []).append(part)
    return {block: triangle(rows) for block, rows in touching.items()}


def triangle(rows: Sequence[torch.Tensor]) -> torch.Tensor:
    """The R factor of rows in pieces (QR of QRs is stable: TSQR)."""
    matrix = torch.cat(list(rows))
    return torch.linalg.qr(matrix, mode="r")[1] if len(matrix) > matrix.shape[1] else matrix


def local_basis(block: int, triangle: torch.Tensor, tau: float) -> LocalBasis:
    """The basis of a block with R_j (width, width).

    Raises InputError where all of its rows are zero.
    """
    _, values, directions = torch.linalg.svd(triangle, full_matrices=False)
    kept = values > tau * values[0]
    if not kept.any():
        raise InputError(
            f"The least-squares matrix is singular: all rows of block {block} are zero. Give it an equation."
        )
    return LocalBasis(directions[kept].T, values[kept])


def filtered(
    groups: Sequence[RowGroup], widths: Sequence[int], bases: Mapping[int, LocalBasis]
) -> list[RowGroup]:
    """The groups of B = A blockdiag(V_j S_j^-1), each compressed."""
    thin = [
        RowGroup(
            group.blocks,
            torch.cat(
                [part @ (bases[b].directions / bases[b].values) for b, part in parts(group, widths)], 1
            ),
            group.rhs,
        )
        for group in groups
    ]
    kept = [len(bases[b].values) if b in bases else 0 for b in range(len(widths))]
    return compressed(thin, kept)
