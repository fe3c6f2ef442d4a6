"""Householder QR of rows that begin with different numbers of zeros, such as triangles on top of each other.

Sorted by their first entry that is not zero, rows take part from the panel of columns on in which they begin: two
triangles take a third of what LAPACK's QR does. Such are the fronts of a multifrontal QR (Davis, ACM TOMS 38(1), 2011,
doi:10.1145/2049662.2049670). A panel is LAPACK's; its reflectors H_1 ... H_k = I - V T V^T reach the other columns by
matrix products, T^-1 being the upper triangle of V^T V with 1/tau on the diagonal (Joffrain et al., ACM TOMS 32(2),
2006, doi:10.1145/1141885.1141886).
"""

import torch

PANEL = 96  # columns: 64 to 256 take the same time
# LAPACK is the faster one on few columns, and where panels save less than this of the operations.
FEWEST, SAVED = 400, 0.3


def staircase_qr(matrix: torch.Tensor, pivots: int) -> torch.Tensor:
    """Q^T matrix (m, n), its rows being permuted before: the first `pivots` columns are upper triangular."""
    begin = torch.where((matrix != 0).any(1), (matrix != 0).byte().argmax(1), matrix.shape[1])
    begin, order = begin.sort(stable=True)
    matrix = matrix[order]
    rows, columns = matrix.shape
    pivots = min(pivots, rows)
    edges = torch.arange(0, pivots, PANEL, device=matrix.device)
    ends = (edges + PANEL).clamp(max=pivots)
    active = torch.maximum(torch.searchsorted(begin, ends), ends)
    width = (ends - edges) * (columns - edges)
    staircase, full = int(((active - edges) * width).sum()), int(((rows - edges) * width).sum())
    panels = [(0, pivots, rows)]
    if pivots >= FEWEST and staircase < (1 - SAVED) * full:
        panels = list(zip(edges.tolist(), ends.tolist(), active.tolist(), strict=True))
    for first, last, until in panels:
        reflectors, tau = torch.geqrf(matrix[first:until, first:last])
        matrix[first:until, first:last] = reflectors.triu()
        if last == columns:
            break
        v = reflectors.tril_(-1)
        v.diagonal().fill_(1.0)
        v *= tau != 0  # H = I
        inverse = (v.T @ v).triu_(1)
        inverse.diagonal().copy_(torch.where(tau == 0, 1.0, 1 / tau))
        others = matrix[first:until, last:]
        y = torch.linalg.solve_triangular(inverse.T, v.T @ others, upper=False)
        others.addmm_(v, y, alpha=-1)
    return matrix
