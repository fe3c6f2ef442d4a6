"""Vector calculus of smooth functions by torch.func: the referee of what is derived from UFL.

A function maps one point (D,) to a tensor; operators map functions to functions.  In time the last coordinate is t.
"""

import itertools
from types import SimpleNamespace

import torch
from torch.func import hessian, jacfwd, vmap

from mlpde.formulation.torch_expression import laplacian


def domain(dim, regions=("domain",), boundaries=("left", "right")):
    """What the formulation needs to know of a domain."""
    return SimpleNamespace(dim=dim, regions=regions, boundaries=boundaries)


def smooth_function(components, dim, amplitude=1.0, seed=0):
    """x (D,) -> (M,): sines, exponentials and squares of sums over all coordinates, with random coefficients."""
    a, b, c = torch.rand(
        3, components, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )

    def u(x):
        return amplitude * (torch.sin(2 * a @ x + b[:, 0]) * torch.exp(0.5 * c @ x) + (b @ x) ** 2)

    return u


def random_points(n, dim, seed=1):
    """(n, D) in (0.1, 1.1)^D: no component is zero."""
    return torch.rand(n, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + 0.1


def unit_normals(n, dim, seed=2):
    """(n, d) random unit vectors."""
    normals = torch.randn(n, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return normals / normals.norm(dim=1, keepdim=True)


def jets(u, points):
    """All derivatives of u up to the second, and its Laplacian in all directions, as `{alpha: (n, M)}`."""
    value, first, second = vmap(u)(points), vmap(jacfwd(u))(points), vmap(hessian(u))(points)
    result = {(): value}
    for i in range(points.shape[1]):
        result[(i,)] = first[..., i]
    for i, j in itertools.combinations_with_replacement(range(points.shape[1]), 2):
        result[i, j] = second[..., i, j]
    return result | {laplacian(points.shape[1]): second.diagonal(dim1=-2, dim2=-1).sum(-1)}


def grad(f, dim):
    """x -> (*shape, d): derivatives in space."""
    return lambda x: jacfwd(f)(x)[..., :dim]


def div(f, dim):
    """x -> shape without its last axis: the divergence in space over the last axis of f(x)."""
    return lambda x: jacfwd(f)(x)[..., :dim].diagonal(dim1=-2, dim2=-1).sum(-1)


def rate(f):
    """x -> shape: the derivative by the last coordinate, time."""
    return lambda x: jacfwd(f)(x)[..., -1]


def assert_close(actual, expected, tolerance=1e-12):
    """Equal up to `tolerance` of the largest expected value."""
    error = (actual - expected).abs().max() / expected.abs().max()
    assert error < tolerance, f"relative difference {error:.1e}"
