"""The rows of a least-squares problem with a block structure: groups of dense rows that touch the same blocks."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from mlpde.errors import InputError


class RowGroup(NamedTuple):
    """Rows that touch the same blocks.

    blocks: the indices of these blocks; matrix: (rows, sum of their widths + global width), columns in the
    order of `blocks`, then those of the global block; rhs: (rows,).
    """

    blocks: tuple[int, ...]
    matrix: torch.Tensor
    rhs: torch.Tensor


def parts(group: RowGroup, widths: Sequence[int]) -> list[tuple[int, torch.Tensor]]:
    """The blocks of a group, and the columns (rows, width) of each."""
    return list(zip(group.blocks, group.matrix.split([widths[b] for b in group.blocks], dim=1), strict=True))


def columns_of(blocks: Sequence[int], offsets: np.ndarray) -> np.ndarray:
    """The columns of some blocks in the whole matrix, `offsets` being the first column of every block."""
    return np.concatenate([np.arange(offsets[b], offsets[b + 1]) for b in blocks])


def compressed(groups: Sequence[RowGroup], widths: Sequence[int]) -> list[RowGroup]:
    """One group for each set of blocks, tall ones replaced by their R factor.

    min |B x - f| keeps its solution; where a group loses rows, a row with nothing but a right-hand side keeps the
    residual.
    """
    return [
        RowGroup(blocks, rows[:, :-1], rows[:, -1])
        for blocks, rows in compressed_rows(groups, widths, range(len(widths)))
    ]


def compressed_rows(
    groups: Sequence[RowGroup], widths: Sequence[int], order: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], torch.Tensor]]:
    """Blocks, in `order`, and rows [matrix, right-hand side] of `compressed`."""
    position = {block: i for i, block in enumerate(order)}
    together: dict[tuple[int, ...], list[torch.Tensor]] = {}
    for group in groups:
        blocks = tuple(sorted(group.blocks, key=position.__getitem__))
        rows = torch.cat([group.matrix, group.rhs[:, None]], dim=1)
        together.setdefault(blocks, []).append(spread(rows, group.blocks, blocks, widths))
    for blocks in list(together):
        rows = torch.cat(together.pop(blocks))
        if len(rows) > rows.shape[1]:
            rows = torch.geqrf(rows)[0][: rows.shape[1]].triu()
        yield blocks, rows


def spread(
    rows: torch.Tensor, blocks: Sequence[int], columns: Sequence[int], widths: Sequence[int]
) -> torch.Tensor:
    """Rows over `blocks` (and the right-hand side) written as rows over `columns`, a larger or reordered list
    of blocks."""
    if list(blocks) == list(columns):
        return rows
    starts = dict(
        zip(columns, np.concatenate([[0], np.cumsum([widths[b] for b in columns])]).tolist(), strict=False)
    )
    out = rows.new_zeros((len(rows), sum(widths[b] for b in columns) + 1))
    for block, part in zip(blocks, rows[:, :-1].split([widths[b] for b in blocks], dim=1), strict=True):
        out[:, starts[block] : starts[block] + widths[block]] = part
    out[:, -1] = rows[:, -1]
    return out


def check(
    groups: Sequence[RowGroup], widths: Sequence[int], global_width: int, centres: np.ndarray | None
) -> None:
    """Raise InputError where the shapes do not fit or an entry is not finite."""
    if not widths or min(widths) < 1:
        raise InputError("Least squares needs at least one block, and every block needs a column.")
    if centres is not None and len(centres) != len(widths):
        raise InputError(f"{len(centres)} centres were given for {len(widths)} blocks: one each is needed.")
    for i, group in enumerate(groups):
        if any(not 0 <= b < len(widths) for b in group.blocks) or len(set(group.blocks)) < len(group.blocks):
            raise InputError(
                f"Row group {i} names the blocks {group.blocks}: distinct ones of 0..{len(widths) - 1} are needed."
            )
        shape = (len(group.rhs), sum(widths[b] for b in group.blocks) + global_width)
        if tuple(group.matrix.shape) != shape:
            raise InputError(
                f"Row group {i} has a matrix of shape {tuple(group.matrix.shape)}: {shape} was expected."
            )
        if not torch.isfinite(group.matrix).all() or not torch.isfinite(group.rhs).all():
            raise InputError(f"Row group {i} (blocks {group.blocks}) has entries that are not finite.")
