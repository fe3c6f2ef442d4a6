"""The referee: the singular value decomposition of the whole matrix, by LAPACK's gelsd."""

from collections.abc import Sequence

import numpy as np
import scipy.linalg
import torch

from mlpde.optimize.row_groups import RowGroup, columns_of

CUTOFF = 1e-15  # of the largest singular value


def dense(groups: Sequence[RowGroup], offsets: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """x of least norm that minimises |B x - f|, singular values below 1e-15 of the largest dropped; and the same for
    white noise in place of f."""
    matrix = np.zeros((sum(len(g.rhs) for g in groups), offsets[-1]), order="F")
    row = 0
    for group in groups:
        matrix[row : row + len(group.rhs), columns_of(group.blocks, offsets)] = group.matrix.cpu().numpy()
        row += len(group.rhs)
    f = np.concatenate([g.rhs.cpu().numpy() for g in groups])
    rhs = np.stack([f, np.random.default_rng(0).standard_normal(len(f))], axis=1)
    found = scipy.linalg.lstsq(
        matrix, rhs, cond=CUTOFF, lapack_driver="gelsd", overwrite_a=True, check_finite=False
    )[0]
    x, response = torch.as_tensor(found.T).to(groups[0].matrix)
    return x, response
