"""Coordinates in messages."""

import numpy as np


def rounded(point: np.ndarray, points: np.ndarray) -> tuple[float, ...]:
    """The point (dim,) to about four digits of the extent of the points (n, dim): no -2.7e-18 where 0 is meant."""
    extent = np.ptp(points, axis=0)[: len(point)]
    extent = np.where(extent > 1e-9 * extent.max(), extent, extent.max())  # points of one side lie in a plane
    digits = 4 - np.floor(np.log10(np.where(extent > 0, extent, 1))).astype(int)
    return tuple(round(float(c), int(d)) + 0.0 for c, d in zip(point, digits, strict=True))  # no -0.0
