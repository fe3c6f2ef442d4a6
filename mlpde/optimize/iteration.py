"""What an iterative least-squares method comes to: a solution, or the need of another method."""

from typing import NamedTuple

import numpy as np


class Stagnation(Exception):
    """The iteration did not converge: another method is to be taken."""


class Solved(NamedTuple):
    """y in the columns of this rank, the iterations of LSQR, and the response to noise where there is a factor."""

    y: np.ndarray
    iterations: int
    response: np.ndarray | None = None
