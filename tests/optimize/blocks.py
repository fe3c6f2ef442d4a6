"""Random block matrices for the tests of least squares, and the dense matrix they stand for."""

import itertools

import numpy as np
import torch

from mlpde.optimize.row_groups import RowGroup


def grid_cliques(*shape):
    """The sets of cells that meet inside, on faces and on corners of a regular grid."""
    pieces = [[(i,) for i in range(n)] + [(i, i + 1) for i in range(n - 1)] for n in shape]
    return [
        tuple(int(np.ravel_multi_index(cell, shape)) for cell in itertools.product(*sides))
        for sides in itertools.product(*pieces)
    ]


def random_rows(cliques, widths, global_width=0, rows=None, seed=0, dtype=torch.float64):
    random = np.random.default_rng(seed)
    groups = []
    for clique in cliques:
        n = sum(widths[b] for b in clique) + global_width
        m = rows or widths[clique[0]] + 2
        matrix, rhs = (torch.as_tensor(random.standard_normal(size), dtype=dtype) for size in ((m, n), (m,)))
        groups.append(RowGroup(tuple(clique), matrix, rhs))
    return groups


def dense(groups, widths, global_width=0):
    offsets = np.cumsum([0, *widths, global_width])
    matrix = np.zeros((sum(len(g.rhs) for g in groups), offsets[-1]))
    row = 0
    for group in groups:
        wanted = [*group.blocks, *([len(widths)] if global_width else [])]
        columns = np.concatenate([np.arange(offsets[b], offsets[b + 1]) for b in wanted])
        matrix[row : row + len(group.rhs), columns] = group.matrix
        row += len(group.rhs)
    return matrix, np.concatenate([g.rhs for g in groups])
