"""Linear least squares with a block structure: a ladder of solvers behind one function.

The unknowns fall into blocks (in the random feature method: the coefficients of one subdomain), and every row
touches few of them. From the referee to the one that scales furthest:

    dense       LAPACK's gelsd
    block_qr    nested-dissection multifrontal QR in double precision: the most accurate, for any equation
    mixed_qr    local filter, then the same QR in single precision as a preconditioner of LSQR in double precision
    cholesky    local filter, then PETSc's LSQR preconditioned by MUMPS' Cholesky factor of B^T B; the one for MPI
    two_level   local filter, then PETSc's LSQR preconditioned by two-level multigrid; for elliptic problems
"""

import os
import re
import resource
import sys
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from mlpde.errors import InputError, unknown
from mlpde.optimize.block_qr import block_qr
from mlpde.optimize.dense import dense
from mlpde.optimize.distributed import diagnostics, local_bases, on_first, owned, sizes, together, total
from mlpde.optimize.elimination_order import elimination_order
from mlpde.optimize.iteration import Solved, Stagnation
from mlpde.optimize.local_filter import TAU, LocalBasis, filtered
from mlpde.optimize.mixed_qr import mixed_qr
from mlpde.optimize.petsc_least_squares import cholesky
from mlpde.optimize.petsc_matrices import Layout, said_once, unused_options
from mlpde.optimize.row_groups import RowGroup, check
from mlpde.optimize.two_level import two_level

__all__ = ["METHODS", "Method", "RowGroup", "solve_blocks"]

Method = Literal["auto", "dense", "block_qr", "mixed_qr", "cholesky", "two_level"]
METHODS: tuple[Method, ...] = ("auto", "dense", "block_qr", "mixed_qr", "cholesky", "two_level")
FALLBACK: dict[Method, Method] = {"two_level": "cholesky", "cholesky": "block_qr", "mixed_qr": "block_qr"}
PETSC: tuple[Method, ...] = ("cholesky", "two_level")
# Columns up to which block QR and Cholesky are taken, up to two dimensions and above: in space factors fill up.
IN_PLANE, IN_SPACE = (20_000, 100_000), (5_000, 20_000)


class _Problem(NamedTuple):
    """The global block is the last of the blocks."""

    groups: Sequence[RowGroup]
    widths: list[int]
    offsets: np.ndarray
    has_global: bool
    regularisation: float | None
    centres: np.ndarray | None
    coarse: Callable[[], Sequence[torch.Tensor]] | None
    communicator: Any

    def order(self, groups: Sequence[RowGroup]) -> list[int]:
        """The blocks as they are eliminated, the global one last."""
        last = len(self.widths) - 1
        local = self.widths[:last] if self.has_global else self.widths
        cliques = [[b for b in g.blocks if b < len(local)] for g in groups]
        return elimination_order(cliques, local, self.centres) + ([last] if self.has_global else [])


def solve_blocks(
    groups: Sequence[RowGroup],
    widths: Sequence[int],
    global_width: int = 0,
    method: Method = "auto",
    regularisation: float | None = None,
    centres: np.ndarray | None = None,
    coarse: Callable[[], Sequence[torch.Tensor]] | None = None,
    communicator: Any = None,
) -> tuple[torch.Tensor, dict[str, Any]]:
    """Minimise |B x - f|.

    `widths` are the numbers of columns of the blocks; a global block of `global_width` columns, which every
    row touches, is eliminated last. `centres` (blocks, d) lets the elimination order dissect space, which halves
    the work of large grids; without them the order takes the smallest front first.

    "auto" is block_qr up to 20,000 columns (`centres` in more than two dimensions: 5,000) and with a global block;
    then cholesky; two_level above 100,000 (20,000) if there are `coarse` functions.
    - block_qr minimises |B x - f|^2 + |mu D x|^2, D the column norms of B, mu = `regularisation`, by default 4 eps.
    - dense drops singular values below 1e-15 of the largest.
    - The others drop the singular values of each block below 1e-14. mixed_qr and cholesky that do not converge in 10
      iterations, and cholesky where B^T B is singular to rounding, give way to block_qr, two_level to cholesky:
      `warnings` say so.
    - `coarse()` are coarse functions (width, n) of every block for two_level: coefficients of smooth functions.

    With an mpi4py `communicator` every rank passes some of the rows, and gets all of x; "auto" is then cholesky or
    two_level, and the methods without PETSc run on rank 0.

    PETSc's objects take options with the prefix `rfm_` from the environment variable PETSC_OPTIONS:
    -rfm_ksp_monitor, -rfm_pc_type, -rfm_mat_type; those that nothing used are named in `warnings`.

    Returns x (sum of widths + global width,), blocks in order, the global one last, and diagnostics: `rows`, `columns`,
    `residual` |B x - f|, `gradient` |B^T r| / (|B| |r|) (Frobenius norm), `norm` |x|, `method`, `device`, `seconds`,
    `peak_memory_mb` of the process, `warnings`; of QR `regularisation` and `largest_front` (rows, columns); of the
    filtered methods `iterations` and `dropped` singular values; but for two_level `response`, x for white noise of
    variance 1 in place of f: large in the directions that the rows hardly determine. Raises InputError on input that
    does not determine x.
    """
    start = perf_counter()
    if communicator is not None and communicator.size == 1:
        communicator = None
    if method not in METHODS:
        raise unknown("least-squares method", method, METHODS)
    if regularisation is not None and not 0 <= regularisation < 1:
        raise InputError(
            f"The regularisation must be in [0, 1), relative to the columns: got {regularisation}."
        )
    together(communicator, lambda: check(groups, widths, global_width, centres))
    rows, columns = sizes(groups, widths, global_width, communicator)
    blocks = list(widths) + ([global_width] if global_width else [])
    if global_width:
        groups = [RowGroup((*g.blocks, len(widths)), g.matrix, g.rhs) for g in groups]
    offsets = np.concatenate([[0], np.cumsum(blocks)])
    problem = _Problem(
        groups, blocks, offsets, global_width > 0, regularisation, centres, coarse, communicator
    )
    taken = _taken(method, problem)
    warnings, tried = [], [taken]
    while True:
        try:
            x, facts = _METHODS[taken](problem)
            break
        except Stagnation as stagnation:
            warnings.append(f"least squares by {taken}: {stagnation}; {FALLBACK[taken]} was taken instead")
            taken = FALLBACK[taken]
            tried.append(taken)
    warnings += _without_effect(tried)
    if not torch.isfinite(x).all():
        raise InputError("The least-squares matrix is singular and not regularised: pass regularisation > 0.")
    return x, diagnostics(groups, offsets, x, communicator) | facts | {
        "rows": rows,
        "columns": columns,
        "method": taken,
        "device": str(x.device),
        "seconds": perf_counter() - start,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "warnings": warnings,
    }


def _taken(method: Method, problem: _Problem) -> Method:
    if method == "two_level" and problem.coarse is None:
        raise InputError("The least-squares method 'two_level' needs coarse functions: use 'cholesky'.")
    if method != "auto":
        return method
    columns = problem.offsets[-1]
    in_space = problem.centres is not None and problem.centres.shape[1] > 2
    direct, factored = IN_SPACE if in_space else IN_PLANE
    if problem.communicator is None and (columns <= direct or problem.has_global):
        return "block_qr"
    if problem.coarse is not None and columns > factored:
        return "two_level"
    return "cholesky"


def _solve_dense(problem: _Problem) -> tuple[torch.Tensor, dict[str, Any]]:
    x, response = on_first(
        problem.communicator, problem.groups, lambda groups: dense(groups, problem.offsets)
    )
    return x, {"response": response}


def _solve_block_qr(problem: _Problem) -> tuple[torch.Tensor, dict[str, Any]]:
    def solve(groups: list[RowGroup]) -> tuple[torch.Tensor, dict[str, Any]]:
        mu = problem.regularisation
        mu = 4 * torch.finfo(groups[0].matrix.dtype).eps if mu is None else mu
        factor = block_qr(groups, problem.widths, problem.order(groups), mu)
        facts = {"largest_front": factor.largest, "regularisation": mu, "response": factor.response()}
        return factor.solution(), facts

    return on_first(problem.communicator, problem.groups, solve)


def _solve_mixed_qr(problem: _Problem) -> tuple[torch.Tensor, dict[str, Any]]:
    def solve(groups: list[RowGroup]) -> tuple[torch.Tensor, dict[str, Any]]:
        alone = problem._replace(groups=groups, communicator=None)
        bases = local_bases(groups, problem.widths, TAU, None)
        layout = _layout(alone, bases)
        solved, front = mixed_qr(
            filtered(groups, problem.widths, bases), layout.widths, problem.order(groups)
        )
        x, facts = _in_all_columns(alone, layout, bases, solved)
        return x, facts | {"largest_front": front}

    return on_first(problem.communicator, problem.groups, solve)


def _solve_cholesky(problem: _Problem) -> tuple[torch.Tensor, dict[str, Any]]:
    bases = local_bases(problem.groups, problem.widths, TAU, problem.communicator)
    layout = _layout(problem, bases)
    solved = cholesky(filtered(problem.groups, problem.widths, bases), layout)
    return _in_all_columns(problem, layout, bases, solved)


def _solve_two_level(problem: _Problem) -> tuple[torch.Tensor, dict[str, Any]]:
    assert problem.coarse is not None
    bases = local_bases(problem.groups, problem.widths, TAU, problem.communicator)
    layout = _layout(problem, bases)
    functions = dict(enumerate(problem.coarse()))
    coarse = {
        b: bases[b].coordinates(functions[b].to(bases[b].values)) for b in layout.owned if b in functions
    }
    solved = two_level(filtered(problem.groups, problem.widths, bases), layout, coarse)
    return _in_all_columns(problem, layout, bases, solved)


_METHODS: dict[Method, Callable[[_Problem], tuple[torch.Tensor, dict[str, Any]]]] = {
    "dense": _solve_dense,
    "block_qr": _solve_block_qr,
    "mixed_qr": _solve_mixed_qr,
    "cholesky": _solve_cholesky,
    "two_level": _solve_two_level,
}


def _layout(problem: _Problem, bases: dict[int, LocalBasis]) -> Layout:
    mine = owned(len(problem.widths), problem.communicator)
    kept = np.zeros(len(problem.widths), dtype=int)
    kept[mine] = [len(bases[b].values) for b in mine]
    kept = total(problem.communicator, kept)
    return Layout(kept.tolist(), np.concatenate([[0], np.cumsum(kept)]), mine, problem.communicator)


def _in_all_columns(
    problem: _Problem, layout: Layout, bases: dict[int, LocalBasis], solved: Solved
) -> tuple[torch.Tensor, dict[str, Any]]:
    """x on every rank, from y in the filtered columns of this one; the response to noise likewise."""
    first = layout.offsets[layout.owned.start]
    like = problem.groups[0].matrix if problem.groups else torch.empty(0, dtype=torch.float64)

    def everywhere(values: np.ndarray) -> torch.Tensor:
        mine = []
        for block in layout.owned:
            start, stop = layout.offsets[block : block + 2] - first
            y = torch.as_tensor(values[start:stop]).to(bases[block].values)
            mine.append(bases[block].back(y).cpu())
        if problem.communicator is not None:
            mine = [piece for found in problem.communicator.allgather(mine) for piece in found]
        return torch.cat(mine).to(like)

    dropped = int(problem.offsets[-1] - layout.offsets[-1])
    response = {} if solved.response is None else {"response": everywhere(solved.response)}
    return everywhere(solved.y), {"iterations": solved.iterations, "dropped": dropped, **response}


def _without_effect(tried: Sequence[Method]) -> list[str]:
    """A sentence about options with PETSc's prefix that none of the methods used."""
    if any(method in PETSC for method in tried):
        unused = unused_options()
    else:
        unused = re.findall(r"-rfm_\w+", os.environ.get("PETSC_OPTIONS", ""))
        if unused and "petsc4py.PETSc" in sys.modules:
            said_once()
    if not unused:
        return []
    verb = "option {} was" if len(unused) == 1 else "options {} were"
    by = f"method{'s' if len(tried) > 1 else ''} {', '.join(tried)}"
    return [f"the PETSc {verb.format(', '.join(unused))} not used by the {by}"]
