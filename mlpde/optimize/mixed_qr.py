"""LSQR in double precision, preconditioned by a block QR in single precision, on the filtered matrix.

Half the memory of a double-precision factor, and on processors half the time or less; the filter has brought the
condition number to 1e2 to 1e3, so a factor with seven digits leaves a few iterations. (Mixed-precision
preconditioning of LSQR: Carson, Higham, Pranesh, SIAM J. Sci. Comput. 42(6), 2020, doi:10.1137/20M1316822, for
GMRES.)
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, lsqr

from mlpde.optimize.block_qr import block_qr
from mlpde.optimize.iteration import Solved, Stagnation
from mlpde.optimize.row_groups import RowGroup, columns_of

ITERATIONS = 10
TOLERANCE = 1e-14
CONVERGED = (1, 2, 4, 5)  # of scipy's istop: to the tolerance, or as far as the machine can


def mixed_qr(
    groups: Sequence[RowGroup], widths: Sequence[int], order: Sequence[int]
) -> tuple[Solved, tuple[int, int]]:
    """y that minimises |B y - f|, and (rows, columns) of the largest front.

    Raises Stagnation after 10 iterations.
    """
    single = [RowGroup(g.blocks, g.matrix.float(), g.rhs.float()) for g in groups]
    factor = block_qr(single, widths, order, 4 * torch.finfo(torch.float32).eps)
    like = groups[0].matrix
    offsets = np.concatenate([[0], np.cumsum(widths)])
    columns = [torch.as_tensor(columns_of(g.blocks, offsets), device=like.device) for g in groups]
    counts = [len(g.rhs) for g in groups]

    def forward(y: np.ndarray) -> np.ndarray:
        x = factor.solve(torch.as_tensor(y).to(like))
        return torch.cat([g.matrix @ x[c] for g, c in zip(groups, columns, strict=True)]).cpu().numpy()

    def backward(r: np.ndarray) -> np.ndarray:
        z = like.new_zeros(int(offsets[-1]))
        for g, c, part in zip(groups, columns, torch.as_tensor(r).to(like).split(counts), strict=True):
            z[c] += g.matrix.T @ part
        return factor.solve_transposed(z).cpu().numpy()

    operator = LinearOperator((sum(counts), int(offsets[-1])), matvec=forward, rmatvec=backward, dtype=float)
    f = torch.cat([g.rhs for g in groups]).cpu().numpy()
    y, stop, iterations = lsqr(operator, f, atol=TOLERANCE, btol=TOLERANCE, conlim=0, iter_lim=ITERATIONS)[:3]
    if stop not in CONVERGED:
        raise Stagnation(f"LSQR did not converge in {iterations} iterations")
    x = factor.solve(torch.as_tensor(y).to(like)).cpu().numpy()
    return Solved(x, iterations, factor.response().cpu().numpy()), factor.largest
