"""Linear least squares with a block structure: a dense referee and a block multifrontal QR.

The unknowns fall into blocks (in the random feature method: the coefficients of one subdomain), and every row
touches few of them. `min |B x - f|` is solved by eliminating block after block: gather the rows that touch
the block, factorise them by Householder QR, keep the top rows, and hand the remaining ones on as rows of the
other blocks. In a nested-dissection order this is multifrontal QR (Davis, ACM TOMS 38(1), 2011,
doi:10.1145/2049662.2049670) with dense blocks as pivots; it is backward stable, and every flop is LAPACK's.

Random feature matrices are singular to rounding, so rows `mu * diag(column norms)` with `mu` a few units of
rounding are part of the factorisation: the accuracy of a truncated SVD, or better, at the cost of a QR.
"""

from collections.abc import Sequence
from time import perf_counter
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.linalg
import torch

from mlpde.errors import InputError, unknown
from mlpde.optimize.elimination_order import elimination_order


class RowGroup(NamedTuple):
    """Rows that touch the same blocks.

    blocks: the indices of these blocks; matrix: (rows, sum of their widths + global width), columns in the
    order of `blocks`, then those of the global block; rhs: (rows,).
    """

    blocks: tuple[int, ...]
    matrix: torch.Tensor
    rhs: torch.Tensor


def solve_blocks(
    groups: Sequence[RowGroup],
    widths: Sequence[int],
    global_width: int = 0,
    method: Literal["auto", "dense", "block_qr"] = "auto",
    regularisation: float | None = None,
    centres: np.ndarray | None = None,
) -> tuple[torch.Tensor, dict[str, Any]]:
    """Minimise |B x - f|^2 + |mu D x|^2, D the column norms of B.

    `widths` are the numbers of columns of the blocks; a global block of `global_width` columns, which every
    row touches, is eliminated last. "block_qr" (what "auto" takes: it is the faster one from a single block
    on) regularises with mu = `regularisation`, by default 4 eps of the matrix; "dense" is LAPACK's gelsd with
    singular values below 1e-15 of the largest dropped, slow, meant as the referee. `centres` (blocks, d) lets
    the elimination order dissect space, which halves the work of large grids; without them the order takes
    the smallest front first.

    Returns x (sum of widths + global width,), blocks in order, the global one last, and diagnostics: `rows`,
    `columns`, `residual` |B x - f|, `gradient` |B^T r| / (|B| |r|) (Frobenius norm), `norm` |x|,
    `largest_front` (rows, columns), `regularisation`, `method`, `seconds`. Raises InputError on input that
    does not determine x.
    """
    start = perf_counter()
    _check(groups, widths, global_width, centres)
    if method not in ("auto", "dense", "block_qr"):
        raise unknown("least-squares method", method, ("auto", "dense", "block_qr"))
    if regularisation is not None and not 0 <= regularisation < 1:
        raise InputError(
            f"The regularisation must be in [0, 1), relative to the columns: got {regularisation}."
        )
    blocks = list(widths) + ([global_width] if global_width else [])
    if global_width:
        groups = [RowGroup((*g.blocks, len(widths)), g.matrix, g.rhs) for g in groups]
    offsets = np.concatenate([[0], np.cumsum(blocks)])
    rows, columns = sum(len(g.rhs) for g in groups), int(offsets[-1])
    if method == "dense":
        mu, front = 0.0, (rows, columns)
        x = _dense(groups, offsets)
    else:
        mu = 4 * torch.finfo(groups[0].matrix.dtype).eps if regularisation is None else regularisation
        order = elimination_order(
            [g.blocks[: len(g.blocks) - bool(global_width)] for g in groups], widths, centres
        )
        x, front = _block_qr(groups, blocks, order + ([len(widths)] if global_width else []), mu)
    if not torch.isfinite(x).all():
        raise InputError("The least-squares matrix is singular and not regularised: pass regularisation > 0.")
    return x, _diagnostics(groups, offsets, x) | {
        "rows": rows,
        "columns": columns,
        "largest_front": front,
        "regularisation": mu,
        "method": "dense" if method == "dense" else "block_qr",
        "seconds": perf_counter() - start,
    }


def _block_qr(
    groups: Sequence[RowGroup], widths: Sequence[int], order: Sequence[int], mu: float
) -> tuple[torch.Tensor, tuple[int, int]]:
    position = {block: i for i, block in enumerate(order)}
    waiting: list[list[tuple[list[int], torch.Tensor]]] = [
        [] for _ in order
    ]  # rows by their first block to go
    largest = (0, 0)

    for blocks, rows in _compressed(_regularised(groups, widths, mu), widths, position):
        waiting[position[blocks[0]]].append((blocks, rows))
    fronts = []
    for step, block in enumerate(order):
        columns = sorted({b for blocks, _ in waiting[step] for b in blocks}, key=position.__getitem__)
        front = torch.cat([_spread(rows, blocks, columns, widths) for blocks, rows in waiting[step]])
        waiting[step] = []
        largest = max(largest, (front.shape[0], front.shape[1] - 1))
        width = widths[block]
        if len(front) < width:
            raise InputError(f"Block {block} has {width} columns but only {len(front)} rows determine it.")
        if len(front) > front.shape[1]:
            triangle = torch.geqrf(front)[0][: front.shape[1]].triu_()
            top, rest = triangle[:width].clone(), triangle[width:, width:]
        else:  # no row would be saved by making a triangle of the rest as well
            reflectors, tau = torch.geqrf(front[:, :width])
            rest = torch.ormqr(reflectors, tau, front[:, width:].contiguous(), transpose=True)
            top, rest = torch.cat([reflectors[:width].triu(), rest[:width]], dim=1), rest[width:]
        fronts.append((columns, top))
        if len(columns) > 1 and len(rest):
            waiting[position[columns[1]]].append((columns[1:], rest))

    solution: dict[int, torch.Tensor] = {}
    for columns, top in reversed(fronts):
        width = widths[columns[0]]
        right = top[:, -1:]
        if len(columns) > 1:
            right = right - top[:, width:-1] @ torch.cat([solution[b] for b in columns[1:]])
        solution[columns[0]] = torch.linalg.solve_triangular(top[:, :width], right, upper=True)
    return torch.cat([solution[b] for b in range(len(widths))])[:, 0], largest


def _regularised(groups: Sequence[RowGroup], widths: Sequence[int], mu: float) -> list[RowGroup]:
    """The groups and, for mu > 0, one more for each block: mu * diag(norms of its columns), zero right-hand
    side."""
    like = groups[0].matrix
    squares = [like.new_zeros(width) for width in widths]
    for group in groups:
        for block, part in zip(
            group.blocks, group.matrix.split([widths[b] for b in group.blocks], dim=1), strict=True
        ):
            squares[block] += part.square().sum(dim=0)
    if mu == 0:
        return list(groups)
    # A column of zeros gets the row 1 * x = 0: the least-norm value.
    norms = [torch.where(square > 0, mu * square.sqrt(), 1.0) for square in squares]
    return [
        *groups,
        *(RowGroup((b,), torch.diag(norm), like.new_zeros(len(norm))) for b, norm in enumerate(norms)),
    ]


def _compressed(
    groups: Sequence[RowGroup], widths: Sequence[int], position: dict[int, int]
) -> list[tuple[list[int], torch.Tensor]]:
    """Rows (matrix, right-hand side) by sets of blocks in elimination order, tall ones replaced by their R
    factor."""
    together: dict[tuple[int, ...], list[torch.Tensor]] = {}
    for group in groups:
        blocks = sorted(group.blocks, key=position.__getitem__)
        rows = torch.cat([group.matrix, group.rhs[:, None]], dim=1)
        if tuple(blocks) != tuple(group.blocks):
            rows = _spread(rows, group.blocks, blocks, widths)
        together.setdefault(tuple(blocks), []).append(rows)
    out = []
    for key in list(together):
        rows = torch.cat(together.pop(key))
        if len(rows) > rows.shape[1]:
            rows = torch.geqrf(rows)[0][: rows.shape[1]].triu()
        out.append((list(key), rows))
    return out


def _spread(
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


def _dense(groups: Sequence[RowGroup], offsets: np.ndarray) -> torch.Tensor:
    matrix = np.zeros((sum(len(g.rhs) for g in groups), offsets[-1]), order="F")
    row = 0
    for group in groups:
        columns = np.concatenate([np.arange(offsets[b], offsets[b + 1]) for b in group.blocks])
        matrix[row : row + len(group.rhs), columns] = group.matrix.cpu().numpy()
        row += len(group.rhs)
    rhs = np.concatenate([g.rhs.cpu().numpy() for g in groups])
    x = scipy.linalg.lstsq(
        matrix, rhs, cond=1e-15, lapack_driver="gelsd", overwrite_a=True, check_finite=False
    )[0]
    return torch.as_tensor(x, dtype=groups[0].matrix.dtype, device=groups[0].matrix.device)


def _diagnostics(groups: Sequence[RowGroup], offsets: np.ndarray, x: torch.Tensor) -> dict[str, float]:
    gradient = torch.zeros_like(x)
    squares = residuals = 0.0
    for group in groups:
        columns = torch.cat([torch.arange(offsets[b], offsets[b + 1], device=x.device) for b in group.blocks])
        residual = group.matrix @ x[columns] - group.rhs
        gradient[columns] += group.matrix.T @ residual
        squares += float(group.matrix.square().sum())
        residuals += float(residual.square().sum())
    scale = (squares * residuals) ** 0.5
    return {
        "residual": residuals**0.5,
        "gradient": float(gradient.norm()) / scale if scale else 0.0,
        "norm": float(x.norm()),
    }


def _check(
    groups: Sequence[RowGroup], widths: Sequence[int], global_width: int, centres: np.ndarray | None
) -> None:
    if not groups or not widths or min(widths) < 1:
        raise InputError(
            "Least squares needs at least one row group and one block, and every block needs a column."
        )
    if centres is not None and len(centres) != len(widths):
        raise InputError(f"{len(centres)} centres were given for {len(widths)} blocks: one each is needed.")
    touched: set[int] = set()
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
        if shape[0]:
            touched.update(group.blocks)
    if missing := sorted(set(range(len(widths))) - touched):
        raise InputError(f"No row touches block {missing[0]}: give it points, or merge it into a neighbour.")
    rows, columns = sum(len(g.rhs) for g in groups), sum(widths) + global_width
    if rows < columns:
        raise InputError(
            f"{rows} rows cannot determine {columns} columns: use more points or fewer features."
        )
