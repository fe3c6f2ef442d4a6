"""Eigenmodes of two solutions compared as subspaces: signs, and the basis of a multiple eigenvalue, are arbitrary.

min over c of  | r_k - sum_j c_jk s_j |   in L2,  over the modes s_j that belong to the same cluster of eigenvalues
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

CLUSTER = 1e-3  # eigenvalues that are closer, relatively, are one: a discretisation splits a multiple one


def clusters(eigenvalues: ArrayLike) -> list[slice]:
    """Runs of neighbours in the ascending eigenvalues that count as one multiple eigenvalue."""
    values = np.asarray(eigenvalues)
    gaps = np.diff(values) > CLUSTER * np.maximum(np.abs(values[1:]), np.abs(values[:-1]))
    edges = [0, *(np.flatnonzero(gaps) + 1).tolist(), len(values)]
    return [slice(a, b) for a, b in pairwise(edges)]


def alignment(weights: NDArray, own: NDArray, known: NDArray, eigenvalues: ArrayLike) -> NDArray:
    """The coefficients c (K, K) of the best approximations of `known` by `own`, both (n, K, M), cluster by cluster.

    weights (n,): of the quadrature.  eigenvalues (K,): of `known`, ascending.
    """
    result = np.zeros((own.shape[1], known.shape[1]))
    root = np.sqrt(weights)[:, None, None]
    for part in clusters(eigenvalues):
        size = part.stop - part.start
        left, right = ((root * modes[:, part]).transpose(0, 2, 1).reshape(-1, size) for modes in (own, known))
        result[part, part] = np.linalg.lstsq(left, right)[0]
    return result
