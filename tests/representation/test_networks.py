"""Networks against nested automatic differentiation."""

import pytest
import torch

from mlpde.representation.networks import BATCH, MLP

ALL = {
    1: [(), (0,), (0, 0)],
    2: [(), (0,), (1,), (0, 0), (0, 1), (1, 1)],
    3: [(), (0,), (1,), (2,), (0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)],
}
NETWORKS = [
    MLP(1, 1, (-2.0,), (3.0,), width=7, depth=1),
    MLP(2, 1, (0.0, 0.0), (2.0, 1.0), width=16, depth=2),
    MLP(2, 3, (0.0, -1.0), (2.0, 1.0), width=8, depth=3, activation="sin"),
    MLP(3, 2, (0.0, 0.0, 0.0), (1.0, 0.1, 5.0), width=9, depth=2),
]


def points_of(network: MLP, count: int, seed: int = 0) -> torch.Tensor:
    lower, upper = (torch.tensor(bound, dtype=torch.float64) for bound in (network.lower, network.upper))
    unit = torch.rand(
        count, network.inputs, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    return lower + (upper - lower) * unit


def textbook(network: MLP, parameters: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """The network again, written as plainly as possible."""
    lower, upper = (torch.tensor(bound, dtype=torch.float64) for bound in (network.lower, network.upper))
    value, start = 2.0 * (points - lower) / (upper - lower) - 1.0, 0
    for index, (out, into) in enumerate(network.shapes):
        weight = parameters[start : start + out * into].reshape(out, into)
        bias = parameters[start + out * into : start + out * into + out]
        start += out * into + out
        value = value @ weight.T + bias
        if index < network.depth:
            value = getattr(torch, network.activation)(value)
    assert start == network.size
    return value


def relative(difference: torch.Tensor, reference: torch.Tensor) -> float:
    return float((difference.abs().max() / reference.abs().max()).detach())


def curved(jets):
    """A residual with two equations, nonlinear in every jet."""
    total = sum((1.0 + k) * jet for k, jet in enumerate(jets.values()))
    product = torch.stack([torch.sin(jet) for jet in jets.values()]).prod(dim=0)
    return torch.cat(
        [total[:, :1] ** 2 + product[:, :1], torch.exp(0.1 * total[:, -1:]) * product[:, -1:]], dim=1
    )


def test_size_of_the_published_network():
    assert MLP(2, 1, (0.0, 0.0), (1.0, 1.0), width=16, depth=2).size == 337


@pytest.mark.parametrize("network", NETWORKS, ids=repr)
def test_jets_equal_nested_differentiation(network):
    parameters, points = 1.5 * network.initial(3), points_of(network, 40).requires_grad_()
    values = textbook(network, parameters, points)
    jets = network.jets(parameters, points.detach(), ALL[network.inputs])
    assert relative(jets[()] - values, values) < 1e-13
    for m in range(network.outputs):
        (gradient,) = torch.autograd.grad(values[:, m].sum(), points, create_graph=True)
        for i in range(network.inputs):
            assert relative(jets[(i,)][:, m] - gradient[:, i], gradient[:, i]) < 1e-12
            (row,) = torch.autograd.grad(gradient[:, i].sum(), points, retain_graph=True)
            for j in range(i, network.inputs):
                assert relative(jets[(i, j)][:, m] - row[:, j], row) < 1e-12


@pytest.mark.parametrize("network", NETWORKS, ids=repr)
def test_jacobian_equals_automatic_differentiation(network):
    derivatives = ALL[network.inputs]
    parameters, points = network.initial(1), points_of(network, 12)
    residual, jacobian = network.jacobian(parameters, points, derivatives, curved)
    assert residual.shape == (12, 2) and jacobian.shape == (24, network.size)
    expected = curved(network.jets(parameters, points, derivatives))
    assert relative(residual - expected, expected) < 1e-13
    reference = torch.autograd.functional.jacobian(
        lambda p: curved(network.jets(p, points, derivatives)).flatten(), parameters
    )
    assert relative(jacobian - reference, reference) < 1e-12


@pytest.mark.parametrize("alpha", [(), (1,), (0, 1), (1, 1)])
def test_only_the_requested_derivatives_are_returned(alpha):
    network = NETWORKS[1]
    parameters, points = network.initial(0), points_of(network, 5)
    alone, all_of_them = network.jets(parameters, points, [alpha]), network.jets(parameters, points, ALL[2])
    assert list(alone) == [alpha]
    assert relative(alone[alpha] - all_of_them[alpha], all_of_them[alpha]) < 1e-14
    residual, jacobian = network.jacobian(parameters, points, [alpha], lambda jets: jets[alpha] - 1.0)
    reference = torch.autograd.functional.jacobian(
        lambda p: network.jets(p, points, [alpha])[alpha].flatten(), parameters
    )
    assert relative(residual + 1.0 - alone[alpha], alone[alpha]) < 1e-14
    assert relative(jacobian - reference, reference) < 1e-12


def test_an_equation_without_the_unknown_has_a_zero_jacobian():
    network = NETWORKS[1]
    points = points_of(network, 4)
    _, jacobian = network.jacobian(
        network.initial(0),
        points,
        [()],
        lambda jets: torch.cat([jets[()], 0.0 * jets[()] + points[:, :1]], dim=1),
    )
    assert jacobian[0::2].abs().max() > 0 and jacobian[1::2].abs().max() == 0


def test_batches_do_not_change_the_jets():
    network = NETWORKS[2]
    parameters, points = network.initial(0), points_of(network, 2 * BATCH + 17)
    together, tail = network.jets(parameters, points, ALL[2]), network.jets(parameters, points[-5:], ALL[2])
    for alpha in ALL[2]:
        assert together[alpha].shape == (len(points), 3)
        assert relative(together[alpha][-5:] - tail[alpha], tail[alpha]) < 1e-13
    assert network.jets(parameters, points[:0], ALL[2])[(0, 1)].shape == (0, 3)


def test_initial_parameters_depend_on_the_seed_alone():
    network = NETWORKS[1]
    torch.manual_seed(5)
    first = network.initial(7)
    torch.manual_seed(6)
    assert torch.equal(first, network.initial(7)) and not torch.equal(first, network.initial(8))
    assert first.dtype == torch.float64 and first.shape == (337,)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"width": 0}, "width must be at least 1"),
        ({"activation": "relu"}, "'tanh' or 'sin'"),
        ({"upper": (1.0,)}, "must have 2 lower and upper bounds"),
        ({"upper": (1.0, 0.0)}, "empty or not finite"),
        ({"upper": (1.0, float("nan"))}, "empty or not finite"),
    ],
)
def test_bad_networks_are_named(change, sentence):
    settings = {"inputs": 2, "outputs": 1, "lower": (0.0, 0.0), "upper": (1.0, 1.0)} | change
    with pytest.raises(ValueError, match=sentence):
        MLP(**settings)


def test_bad_derivatives_and_parameters_are_named():
    network = NETWORKS[1]
    parameters, points = network.initial(0), points_of(network, 3)
    for alpha in [(1, 0), (2,), (0, 0, 0)]:
        with pytest.raises(ValueError, match="is not one of"):
            network.jets(parameters, points, [alpha])
    with pytest.raises(ValueError, match="337 parameters"):
        network.jets(parameters[:-1], points, [()])
