"""Bounding box of the exact geometry (OpenCASCADE's own is padded, or taken from a coarse triangulation)."""

from types import ModuleType

import numpy as np

_STRAIGHT = ("Line", "Plane")


def bounding_box(model: ModuleType, dim: int) -> np.ndarray:
    """Lower and upper corner (2, dim): the vertices, and the extreme points of curves and surfaces that bend."""
    points = [model.getValue(0, tag, []) for _, tag in model.getEntities(0)]
    for bounded in range(1, dim):
        for _, tag in model.getEntities(bounded):
            if model.getType(bounded, tag) not in _STRAIGHT:
                points += _extremes(model, bounded, tag)
    x = np.array(points).reshape(-1, 3)[:, :dim]
    return np.stack([x.min(0), x.max(0)])


def _extremes(model: ModuleType, dim: int, tag: int) -> list[np.ndarray]:
    """Points of a curve or surface where a coordinate is smallest or largest: sampled, then zoomed in on."""
    lower, upper = (np.array(b, dtype=float) for b in model.getParametrizationBounds(dim, tag))
    count = 65 if dim == 1 else 17
    grid = _grid(lower, upper, count)
    if dim == 2:  # a trimmed surface is smaller than its parameter box; its rim is covered by the curves
        grid = np.array([t for t in grid if model.isInside(2, tag, list(t), parametric=True)]).reshape(-1, 2)
    if not len(grid):
        return []
    values = np.array(model.getValue(dim, tag, grid.ravel())).reshape(-1, 3)
    found = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            best = grid[(sign * values[:, axis]).argmax()]
            width = (upper - lower) / (count - 1)
            for _ in range(30):
                near = _grid(np.maximum(best - width, lower), np.minimum(best + width, upper), 9)
                x = np.array(model.getValue(dim, tag, near.ravel())).reshape(-1, 3)
                top = (sign * x[:, axis]).argmax()
                best, width = near[top], width / 3
            if dim == 1 or model.isInside(2, tag, list(best), parametric=True):
                found.append(x[top])
    return found


def _grid(lower: np.ndarray, upper: np.ndarray, count: int) -> np.ndarray:
    axes = [np.linspace(a, b, count) for a, b in zip(lower, upper, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
