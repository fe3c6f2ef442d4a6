"""The Laplacian of a network: exact, or a random estimate whose cost does not grow with the dimension.

exact              one more channel of the forward propagation
random_directions  v.(grad grad u) v, the entries of v independent signs (Hutchinson, doi:10.1080/03610919008812866)
monte_carlo        (grad u(x + s xi) - grad u(x)).xi / s, xi normal, s small: the second derivatives of DGM
                   (Sirignano and Spiliopoulos, arXiv 1708.07469, section 3)

The estimates are unbiased (the last one as s -> 0), a new one in every call.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch

from mlpde.formulation.torch_expression import Alpha, Jets, laplacian
from mlpde.representation.network import Network

Method = Literal["exact", "random_directions", "monte_carlo"]
STEP = 1e-3  # s, on the box [-1, 1]^D of the network


def estimated_jets(
    network: Network,
    theta: torch.Tensor,
    points: torch.Tensor,
    derivatives: Iterable[Alpha],
    dim: int,
    method: Method,
    generator: torch.Generator | None = None,
) -> Jets:
    """`network.jets` at points (n, D) with an estimate of the Laplacian in the first `dim` directions, if asked for."""
    wanted = set(derivatives)
    if method == "exact" or laplacian(dim) not in wanted:
        return network.jets(theta, points, wanted)
    estimate = _along_signs if method == "random_directions" else _by_shifts
    return estimate(network, theta, points, wanted - {laplacian(dim)}, dim, generator)


def _along_signs(
    network: Network,
    theta: torch.Tensor,
    points: torch.Tensor,
    others: set[Alpha],
    dim: int,
    generator: torch.Generator | None,
) -> Jets:
    signs = 2.0 * torch.randint(2, points.shape, generator=generator).to(points) - 1.0
    signs[:, dim:] = 0.0
    value, _, curvature = network.along(theta, points, signs)
    jets = {(): value} if others <= {()} else dict(network.jets(theta, points, others))
    return jets | {laplacian(dim): curvature}


def _by_shifts(
    network: Network,
    theta: torch.Tensor,
    points: torch.Tensor,
    others: set[Alpha],
    dim: int,
    generator: torch.Generator | None,
) -> Jets:
    half = 0.5 * (points.new_tensor(network.upper) - points.new_tensor(network.lower))[:dim]
    step = STEP * half.min()
    xi = torch.randn((len(points), dim), generator=generator, dtype=points.dtype)
    moved = points.clone()
    moved[:, :dim] += step * xi
    directions: list[Alpha] = [(i,) for i in range(dim)]
    here = network.jets(theta, points, others | set(directions))
    there = network.jets(theta, moved, directions)
    change = torch.stack([there[i] - here[i] for i in directions], -1)  # (n, M, dim)
    return {alpha: here[alpha] for alpha in others} | {laplacian(dim): (change * xi[:, None]).sum(-1) / step}
