"""The arithmetic on jets, whose gradients are in closed form, against torch's own."""

import pytest
import torch

from mlpde.representation.jets import ACTIVATIONS, Channels, activate, laplacian, linear

CARRIED = [[()], [(0,), (1,)], [(), (0, 0), (0, 1)], [laplacian(2)], [(1, 1), laplacian(1), laplacian(3)]]


def jet_for(channels, neurons=2):
    generator = torch.Generator().manual_seed(1)
    shape = channels.count, 3, neurons
    return torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("derivatives", CARRIED, ids=str)
def test_activations_have_right_first_and_second_gradients(name, derivatives):
    channels = Channels.of(derivatives, 3)

    def function(jet):
        return activate(name, jet, channels)

    assert torch.autograd.gradcheck(function, jet_for(channels))
    assert torch.autograd.gradgradcheck(function, jet_for(channels))


def test_a_bias_is_added_to_the_value_alone():
    channels = Channels.of([(0, 0), (1,)], 2)
    jet, weight = jet_for(channels), torch.arange(6.0, dtype=torch.float64).reshape(3, 2)
    bias = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    expected = jet @ weight.T
    found = linear(jet, weight, bias)
    assert torch.allclose(found[0], expected[0] + bias) and torch.allclose(found[1:], expected[1:])
