"""Block multifrontal QR: block after block is eliminated from the rows that touch it.

Gather the rows that touch the block, factorise them by Householder QR, keep the top rows, and hand the remaining
ones on as rows of the other blocks. In a nested-dissection order this is multifrontal QR (Davis, ACM TOMS 38(1),
2011, doi:10.1145/2049662.2049670) with dense blocks as pivots; it is backward stable, and every flop is LAPACK's.

Random feature matrices are singular to rounding, so rows `mu * diag(column norms)` with `mu` a few units of
rounding are part of the factorisation: the accuracy of a truncated SVD, or better, at the cost of a QR.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mlpde.errors import InputError
from mlpde.optimize.row_groups import RowGroup, compressed_rows, parts, spread
from mlpde.optimize.staircase_qr import staircase_qr


@dataclass(frozen=True)
class BlockFactor:
    """The triangle R of B = Q R, and Q^T f, as fronts in the order of elimination.

    fronts: of every pivot block the blocks of its rows, itself first, and these rows of [R, Q^T f]; largest: (rows,
    columns) of the largest front.
    """

    fronts: list[tuple[list[int], torch.Tensor]]
    widths: list[int]
    largest: tuple[int, int]

    def solution(self) -> torch.Tensor:
        """x = R^-1 Q^T f."""
        return self._backward({columns[0]: top[:, -1:] for columns, top in self.fronts})

    def response(self) -> torch.Tensor:
        """The solution for white noise in place of f: Q^T leaves noise white, so it is R^-1 z."""
        like = self.fronts[0][1]
        z = torch.randn(sum(self.widths), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        return self.solve(z.to(like.device))

    def solve(self, y: torch.Tensor) -> torch.Tensor:
        """R^-1 y, both in the order of the columns, in the precision of y."""
        return self._backward(dict(enumerate(y[:, None].split(self.widths))))

    def solve_transposed(self, z: torch.Tensor) -> torch.Tensor:
        """R^-T z, both in the order of the columns, in the precision of z."""
        left, found = dict(enumerate(z[:, None].clone().split(self.widths))), {}
        for columns, top in self.fronts:
            block, width = columns[0], self.widths[columns[0]]
            found[block] = torch.linalg.solve_triangular(top[:, :width].to(z).T, left[block], upper=False)
            if len(columns) > 1:
                carried = top[:, width:-1].to(z).T @ found[block]
                for other, part in zip(
                    columns[1:], carried.split([self.widths[b] for b in columns[1:]]), strict=True
                ):
                    left[other] -= part
        return torch.cat([found[b] for b in range(len(self.widths))])[:, 0]

    def _backward(self, right: dict[int, torch.Tensor]) -> torch.Tensor:
        found: dict[int, torch.Tensor] = {}
        for columns, top in reversed(self.fronts):
            block, width = columns[0], self.widths[columns[0]]
            y = right[block]
            if len(columns) > 1:
                y = y - top[:, width:-1].to(y) @ torch.cat([found[b] for b in columns[1:]])
            found[block] = torch.linalg.solve_triangular(top[:, :width].to(y), y, upper=True)
        return torch.cat([found[b] for b in range(len(self.widths))])[:, 0]


def block_qr(
    groups: Sequence[RowGroup], widths: Sequence[int], order: Sequence[int], mu: float
) -> BlockFactor:
    """Factorise the groups, with rows mu * diag(column norms) added, eliminating the blocks in `order`.

    Raises InputError where fewer rows than columns are left for a block.
    """
    position = {block: i for i, block in enumerate(order)}
    waiting: list[list[tuple[list[int], torch.Tensor]]] = [
        [] for _ in order
    ]  # rows by their first block to go
    largest = (0, 0)
    for blocks, rows in compressed_rows(_regularised(groups, widths, mu), widths, order):
        waiting[position[blocks[0]]].append((list(blocks), rows))
    fronts = []
    for step, block in enumerate(order):
        columns = sorted({b for part, _ in waiting[step] for b in part}, key=position.__getitem__)
        front = torch.cat([spread(rows, part, columns, widths) for part, rows in waiting[step]])
        waiting[step] = []
        largest = max(largest, (front.shape[0], front.shape[1] - 1))
        width = widths[block]
        if len(front) < width:
            raise InputError(f"Block {block} has {width} columns but only {len(front)} rows determine it.")
        # With fewer rows than columns no row would be saved by making a triangle of the rest as well.
        size = front.shape[1] if len(front) > front.shape[1] else len(front)
        front = staircase_qr(front, size if size == front.shape[1] else width)
        top, rest = front[:width].clone(), front[width:size, width:]
        fronts.append((columns, top))
        if len(columns) > 1 and len(rest):
            waiting[position[columns[1]]].append((columns[1:], rest))
    return BlockFactor(fronts, list(widths), largest)


def _regularised(groups: Sequence[RowGroup], widths: Sequence[int], mu: float) -> list[RowGroup]:
    """The groups and, for mu > 0, one more for each block: mu * diag(norms of its columns), zero right-hand
    side."""
    if mu == 0:
        return list(groups)
    like = groups[0].matrix
    squares = [like.new_zeros(width) for width in widths]
    for group in groups:
        for block, part in parts(group, widths):
            squares[block] += part.square().sum(dim=0)
    # A column of zeros gets the row 1 * x = 0: the least-norm value.
    norms = [torch.where(square > 0, mu * square.sqrt(), 1.0) for square in squares]
    return [
        *groups,
        *(RowGroup((b,), torch.diag(norm), like.new_zeros(len(norm))) for b, norm in enumerate(norms)),
    ]
