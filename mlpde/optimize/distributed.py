"""Row groups spread over MPI ranks: bases of shared blocks by TSQR at their owner, results and errors on every rank.

Every rank holds whole rows, each rank others. The blocks are numbered the same on all ranks, and a rank owns a run
of consecutive ones: strips of subdomains. `communicator` is mpi4py's, or None where there is one rank.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mlpde.errors import InputError
from mlpde.optimize.local_filter import LocalBasis, local_basis, triangle, triangles
from mlpde.optimize.row_groups import RowGroup, columns_of


def owner(block: int, blocks: int, ranks: int) -> int:
    """The rank that owns one of the blocks."""
    return block * ranks // blocks


def owned(blocks: int, communicator: Any) -> range:
    """The blocks of this rank."""
    if communicator is None:
        return range(blocks)
    rank, ranks = communicator.rank, communicator.size
    first, last = (
        -(-r * blocks // ranks) for r in (rank, rank + 1)
    )  # the least b with b * ranks >= r * blocks
    return range(first, last)


def together[R](communicator: Any, function: Callable[[], R]) -> R:
    """The function's result on each rank; where it raises InputError on one of them, it does on all."""
    if communicator is None:
        return function()
    result, error = None, None
    try:
        result = function()
    except InputError as raised:
        error = raised
    first = next((e for e in communicator.allgather(error) if e is not None), None)
    if first is not None:
        raise first
    return result  # type: ignore[return-value]


def total[N: (int, float, np.ndarray)](communicator: Any, value: N) -> N:
    """The sum over the ranks."""
    return value if communicator is None else communicator.allreduce(value)


def local_bases(
    groups: Sequence[RowGroup], widths: Sequence[int], tau: float, communicator: Any
) -> dict[int, LocalBasis]:
    """The bases of the blocks that this rank owns or touches, from the rows of all ranks.

    Raises InputError, on every rank, where all rows of a block are zero.
    """
    local = triangles(groups, widths)
    if communicator is None:
        return {block: local_basis(block, r, tau) for block, r in local.items()}
    blocks, rank, ranks = len(widths), communicator.rank, communicator.size
    by_owner: list[list[int]] = [[] for _ in range(ranks)]
    for block in sorted(local):
        by_owner[owner(block, blocks, ranks)].append(block)
    sent = [{} if r == rank else {b: local[b].cpu() for b in by_owner[r]} for r in range(ranks)]
    received: list[Mapping[int, torch.Tensor]] = communicator.alltoall(sent)
    like = groups[0].matrix if groups else torch.empty(0, dtype=torch.float64)

    def bases() -> dict[int, LocalBasis]:
        stacks = {b: [local[b]] for b in by_owner[rank]}
        for found in received:  # in the order of the ranks
            for block, r in found.items():
                stacks.setdefault(block, []).append(r.to(like))
        return {block: local_basis(block, triangle(rows), tau) for block, rows in stacks.items()}

    mine = together(communicator, bases)
    answers = communicator.alltoall(
        [{b: LocalBasis(*(part.cpu() for part in mine[b])) for b in found} for found in received]
    )
    for found in answers:
        mine |= {b: LocalBasis(*(part.to(like) for part in basis)) for b, basis in found.items()}
    return mine


def on_first[R](communicator: Any, groups: Sequence[RowGroup], solve: Callable[[list[RowGroup]], R]) -> R:
    """solve(the rows of all ranks) on rank 0, its result or its InputError on every rank."""
    if communicator is None:
        return solve(list(groups))
    everything = communicator.gather([g._replace(matrix=g.matrix.cpu(), rhs=g.rhs.cpu()) for g in groups])
    result = together(
        communicator, lambda: None if everything is None else solve([g for part in everything for g in part])
    )
    return communicator.bcast(result)


def sizes(
    groups: Sequence[RowGroup], widths: Sequence[int], global_width: int, communicator: Any
) -> tuple[int, int]:
    """Rows on all ranks and columns.

    Raises InputError on fewer rows than columns, and on a block that no row touches.
    """
    touched = np.zeros(len(widths), dtype=int)
    for group in groups:
        if len(group.rhs):
            touched[list(group.blocks)] = 1
    touched = total(communicator, touched)
    if not touched.any():
        raise InputError("Least squares needs at least one row group.")
    if len(missing := np.flatnonzero(touched == 0)):
        raise InputError(f"No row touches block {missing[0]}: give it points, or merge it into a neighbour.")
    rows, columns = total(communicator, sum(len(g.rhs) for g in groups)), sum(widths) + global_width
    if rows < columns:
        raise InputError(
            f"{rows} rows cannot determine {columns} columns: use more points or fewer features."
        )
    return rows, columns


def diagnostics(
    groups: Sequence[RowGroup], offsets: np.ndarray, x: torch.Tensor, communicator: Any
) -> dict[str, float]:
    """`residual` |B x - f|, `gradient` |B^T r| / (|B| |r|) (Frobenius norm), `norm` |x|."""
    gradient = torch.zeros_like(x)
    squares = residuals = 0.0
    for group in groups:
        columns = torch.as_tensor(columns_of(group.blocks, offsets), device=x.device)
        residual = group.matrix @ x[columns] - group.rhs
        gradient[columns] += group.matrix.T @ residual
        squares += float(group.matrix.square().sum())
        residuals += float(residual.square().sum())
    squares, residuals = (total(communicator, value) for value in (squares, residuals))
    scale = (squares * residuals) ** 0.5
    slope = float(np.linalg.norm(total(communicator, gradient.cpu().numpy())))
    return {
        "residual": residuals**0.5,
        "gradient": slope / scale if scale else 0.0,
        "norm": float(x.norm()),
    }
