"""The local filter: orthonormal columns in every block, redundant ones dropped, the solution kept."""

import numpy as np
import pytest
import torch
from blocks import dense, grid_cliques, random_rows

from mlpde.optimize.distributed import local_bases
from mlpde.optimize.local_filter import filtered
from mlpde.optimize.row_groups import parts

WIDTHS = [12] * 9


def rows(mixed=True):
    """Blocks of 12 columns, rank 7, and singular values over nine decades; not mixed: 7 good ones that span them."""
    random = np.random.default_rng(2)
    mix = torch.as_tensor(random.standard_normal((7, 12)) * 10.0 ** -(np.arange(12) ** 0.9))
    mix = mix if mixed else torch.eye(7, dtype=torch.float64)
    groups = random_rows(grid_cliques(3, 3), WIDTHS, rows=25)
    return [
        g._replace(matrix=torch.cat([part[:, :7] @ mix for _, part in parts(g, WIDTHS)], dim=1))
        for g in groups
    ]


def test_the_columns_of_a_block_become_orthonormal_and_the_redundant_ones_go():
    groups = rows()
    bases = local_bases(groups, WIDTHS, 1e-14, None)
    kept = [len(bases[b].values) for b in range(9)]
    assert kept == [7] * 9
    matrix, _ = dense(filtered(groups, WIDTHS, bases), kept)
    for block in matrix.reshape(len(matrix), 9, 7).transpose(1, 2, 0):
        assert np.abs(block @ block.T - np.eye(7)).max() < 1e-6  # singular values down to 1e-9
    assert np.linalg.cond(matrix) < 100
    assert np.linalg.cond(dense(groups, WIDTHS)[0]) > 1e15


def test_the_filtered_problem_has_the_same_least_residual_and_its_solution_goes_back():
    groups = rows()
    bases = local_bases(groups, WIDTHS, 1e-14, None)
    thin, rhs = dense(filtered(groups, WIDTHS, bases), [7] * 9)
    y = torch.as_tensor(np.linalg.lstsq(thin, rhs, rcond=None)[0])
    x = torch.cat([bases[b].back(part) for b, part in enumerate(y.split(7))]).numpy()
    matrix, rhs = dense(groups, WIDTHS)
    good, _ = dense(rows(mixed=False), [7] * 9)
    least = np.linalg.norm(good @ np.linalg.lstsq(good, rhs, rcond=None)[0] - rhs)
    assert np.linalg.norm(matrix @ x - rhs) == pytest.approx(least, rel=1e-9)


def test_coordinates_undo_back():
    basis = local_bases(rows(), WIDTHS, 1e-14, None)[4]
    y = torch.as_tensor(np.random.default_rng(0).standard_normal((7, 2)))
    assert (basis.coordinates(basis.back(y)) - y).abs().max() < 1e-12


def test_a_block_of_zeros_is_named():
    groups = random_rows([(0,), (1,)], [3, 4], rows=6)
    groups[1].matrix[:] = 0
    with pytest.raises(ValueError, match="singular: all rows of block 1 are zero"):
        local_bases(groups, [3, 4], 1e-14, None)
