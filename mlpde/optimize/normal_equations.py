"""Least squares with a few well-scaled unknowns and many rows, for several right-hand sides that come one by one."""

from __future__ import annotations

import torch

Tensor = torch.Tensor
RIDGE = 1e-6  # added to the mean square of each unknown's column


class NormalEquations:
    """argmin_c |phi c - y|^2 / n + RIDGE |c|^2, phi (n, K); sums and factorisation in double precision.

    The columns of phi are expected to have mean squares of order one.
    """

    def __init__(self, phi: Tensor):
        self._phi = phi
        matrix = (phi.T @ phi).double() / len(phi)
        matrix.diagonal().add_(RIDGE)
        self._factor = torch.linalg.cholesky_ex(matrix)[0]

    def solve(self, y: Tensor) -> Tensor:
        """c (K,) for y (n,); nan where y is not finite."""
        right = (self._phi.T @ y).double() / len(y)
        return torch.cholesky_solve(right[:, None], self._factor)[:, 0].to(y)
