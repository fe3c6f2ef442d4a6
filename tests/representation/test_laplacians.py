"""Laplacians of networks: the exact channel against second derivatives, the estimates against the exact one."""

import pytest
import torch

from mlpde.formulation.torch_expression import laplacian
from mlpde.representation.laplacians import estimated_jets
from mlpde.representation.networks import MLP, GatedNetwork

DIM = 6


def network(kind, directions=DIM):
    return kind(directions, 1, (-1.0,) * directions, (2.0,) * directions, width=8, depth=2)


def points(n, directions=DIM):
    generator = torch.Generator().manual_seed(0)
    return 3.0 * torch.rand(n, directions, generator=generator, dtype=torch.float64) - 1.0


@pytest.mark.parametrize("kind", [MLP, GatedNetwork])
def test_curvature_along_a_direction_is_that_of_the_hessian(kind):
    net, x = network(kind), points(7)
    theta = net.initial(1)
    v = torch.randn(7, DIM, dtype=torch.float64)
    hessian = net.jets(theta, x, [(i, j) for i in range(DIM) for j in range(i, DIM)])
    expected = sum(
        hessian[tuple(sorted((i, j)))][:, 0] * v[:, i] * v[:, j] for i in range(DIM) for j in range(DIM)
    )
    value, slope, curvature = net.along(theta, x, v)
    gradient = net.jets(theta, x, [(), *((i,) for i in range(DIM))])
    torch.testing.assert_close(curvature[:, 0], expected)
    torch.testing.assert_close(value, gradient[()])
    torch.testing.assert_close(slope[:, 0], sum(gradient[i,][:, 0] * v[:, i] for i in range(DIM)))


@pytest.mark.parametrize("method", ["random_directions", "monte_carlo"])
@pytest.mark.parametrize("directions", [DIM, DIM + 1])  # with time, of which the Laplacian knows nothing
def test_estimates_have_the_exact_laplacian_as_their_mean(method, directions):
    net = network(MLP, directions)
    theta = net.initial(2)
    x = points(2, directions)
    exact = net.jets(theta, x, [laplacian(DIM)])[laplacian(DIM)]
    many = x.repeat(20_000, 1)
    generator = torch.Generator().manual_seed(3)
    found = estimated_jets(net, theta, many, [(), laplacian(DIM)], DIM, method, generator)
    samples = found[laplacian(DIM)].reshape(-1, 2)
    spread = samples.std(0) / len(samples) ** 0.5
    assert (samples.mean(0) - exact[:, 0]).abs().max() < 4 * spread.max()
    torch.testing.assert_close(found[()][:2], net.jets(theta, x, [()])[()])
    assert set(found) == {(), laplacian(DIM)}


def test_estimates_are_differentiable_in_the_parameters():
    net, x = network(GatedNetwork), points(50)
    for method in ("random_directions", "monte_carlo"):
        theta = net.initial(4).requires_grad_()
        jets = estimated_jets(net, theta, x, [laplacian(DIM)], DIM, method, torch.Generator().manual_seed(0))
        (slope,) = torch.autograd.grad(jets[laplacian(DIM)].square().mean(), theta)
        assert slope.isfinite().all() and slope.abs().max() > 0
