"""The Rayleigh quotient's derivatives and differences, windows of boxes, points that follow a function."""

import numpy as np
import torch
import ufl

from geometry import Box
from mlpde import Field, Problem
from mlpde.formulation.energy import energy_densities
from mlpde.formulation.energy_points import Integral
from mlpde.formulation.torch_expression import laplacian
from mlpde.representation.importance import ProductDensity
from mlpde.representation.networks import MLP
from mlpde.representation.product_window import WindowedNetwork
from mlpde.representation.rayleigh import RayleighQuotient

BOX = Box(4, -1.0, 2.0)
NETWORK = WindowedNetwork(MLP(4, 1, BOX.lower, BOX.upper, 3, 2), (0, 1, 2, 3))
THETA = NETWORK.initial(0)


def quotient(known=()):
    x, w = ProductDensity.uniform(BOX.bounding_box).sample(256, 0)
    parts = [
        [
            Integral(d, torch.as_tensor(x), torch.as_tensor(w))
            for d in energy_densities(Problem(BOX, Field("u"), form))
        ]
        for form in (
            lambda u, v, omega: (ufl.inner(ufl.grad(u), ufl.grad(v)) + omega.x[0] ** 2 * u * v) * omega.dx,
            lambda u, v, omega: u * v * omega.dx,
        )
    ]
    return RayleighQuotient(NETWORK, *parts, known)


def other(x, alphas):
    return NETWORK.jets(NETWORK.initial(5), x, alphas)


def test_the_gradient_in_function_space_is_that_of_the_quotient():
    for known in ((), (other,)):
        sums = quotient(known)
        _, gradient = sums.loss_and_gradient(THETA)
        assert torch.allclose(sums.linearise(THETA).gradient, gradient, atol=1e-9 * float(gradient.norm()))


def test_differences_agree_with_the_values_and_do_not_cancel():
    sums, direction = quotient(), torch.ones_like(THETA)
    far = THETA + 0.1 * direction
    assert np.isclose(sums.difference(THETA, far), sums.value(far) - sums.value(THETA), rtol=1e-9)
    slope = float(sums.loss_and_gradient(THETA)[1] @ direction)
    assert np.isclose(sums.difference(THETA, THETA + 1e-9 * direction), 1e-9 * slope, rtol=1e-4)


def test_a_windowed_network_vanishes_on_all_faces_and_its_derivatives_are_those_of_its_values():
    for face in BOX.boundaries:
        x = torch.as_tensor(BOX.boundary(face, 8)[0])
        assert float(NETWORK.jets(THETA, x, [()])[()].abs().max()) < 1e-14
    x = torch.as_tensor(BOX.interior(8)).requires_grad_()
    network = WindowedNetwork(NETWORK.network, (0, 1, 3))
    (expected,) = torch.autograd.grad(network.jets(THETA, x, [()])[()].sum(), x, create_graph=True)
    second = [torch.autograd.grad(expected[:, i].sum(), x, retain_graph=True)[0] for i in range(4)]
    pairs = [(i, j) for i in range(4) for j in range(i, 4)]
    jets = network.jets(THETA, x.detach(), [*((i,) for i in range(4)), *pairs, laplacian(4)])
    assert torch.allclose(torch.cat([jets[(i,)] for i in range(4)], 1), expected)
    assert all(torch.allclose(jets[i, j][:, 0], second[i][:, j]) for i, j in pairs)
    assert torch.allclose(jets[laplacian(4)][:, 0], sum(second[i][:, i] for i in range(4)))


def test_points_that_follow_a_function_integrate_it_more_exactly():
    def peak(x):
        return np.exp(-20 * ((x - 0.3) ** 2).sum(1))

    exact = (np.pi / 20) ** 2
    density = ProductDensity.uniform(BOX.bounding_box)
    errors = []
    for k in range(6):
        x, w = density.sample(1024, k)
        errors.append(abs(w @ peak(x) / exact - 1))
        density = density.adapted(x, w * peak(x))
    assert errors[-1] < 0.02
    assert np.isclose(density.probabilities.sum(1), 1.0).all()
