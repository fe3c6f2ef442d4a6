"""Networks, written again as plainly as possible, against nested automatic differentiation."""

import pytest
import torch

from mlpde.errors import InputError
from mlpde.representation.jets import laplacian
from mlpde.representation.network import BATCH, Network
from mlpde.representation.networks import MLP, GatedNetwork, ResidualNetwork

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
    ResidualNetwork(2, 1, (-1.0, -1.0), (1.0, 1.0), width=5, depth=2),
    ResidualNetwork(3, 2, (0.0, 0.0, 0.0), (1.0, 0.1, 5.0), width=3, depth=3, activation="tanh"),
    GatedNetwork(2, 2, (0.0, -1.0), (2.0, 1.0), width=4, depth=2),
    GatedNetwork(1, 1, (-2.0,), (3.0,), width=5, depth=1, activation="sigmoid"),
]


def points_of(network: Network, count: int, seed: int = 0) -> torch.Tensor:
    lower, upper = (torch.tensor(bound, dtype=torch.float64) for bound in (network.lower, network.upper))
    unit = torch.rand(
        count, network.inputs, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    return lower + (upper - lower) * unit


def textbook(network: Network, parameters: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """The values of the network by its formula."""
    lower, upper = (torch.tensor(bound, dtype=torch.float64) for bound in (network.lower, network.upper))
    y, rest = 2.0 * (points - lower) / (upper - lower) - 1.0, parameters
    s = {"cubic": lambda x: x.clamp(min=0.0) ** 3}.get(network.activation) or getattr(
        torch, network.activation
    )

    def affine(x, out):
        nonlocal rest
        weight, bias, rest = rest.tensor_split([out * x.shape[1], out * (x.shape[1] + 1)])
        return x @ weight.reshape(out, -1).T + bias

    width, value = network.width, y
    if isinstance(network, MLP):
        for _ in range(network.depth):
            value = s(affine(value, width))
    elif isinstance(network, ResidualNetwork):
        value = torch.cat([y, y.new_zeros(len(y), width - network.inputs)], 1)
        for block in range(network.depth):
            inner = s(affine(value if block else y, width))
            value = s(affine(inner, width)) + value
    else:
        value = s(affine(y, width))
        for _ in range(network.depth):
            z, g, r = (s(affine(torch.cat([y, value], 1), width)) for _ in range(3))
            h = s(affine(torch.cat([y, value * r], 1), width))
            value = (1 - g) * h + z * value
    result = affine(value, network.outputs)
    assert len(rest) == 0
    return result


def relative(difference: torch.Tensor, reference: torch.Tensor) -> float:
    return float((difference.abs().max() / reference.abs().max()).detach())


def curved(jets):
    """A residual with two equations, nonlinear in every jet."""
    total = sum((1.0 + k) * jet for k, jet in enumerate(jets.values()))
    product = torch.stack([torch.sin(jet) for jet in jets.values()]).prod(dim=0)
    return torch.cat(
        [total[:, :1] ** 2 + product[:, :1], torch.exp(0.1 * total[:, -1:]) * product[:, -1:]], dim=1
    )


def test_sizes_of_published_networks():
    square = 2, 1, (0.0, 0.0), (1.0, 1.0)
    assert MLP(*square, width=16, depth=2).size == 337
    sizes = [ResidualNetwork(*square, width=10, depth=blocks).size for blocks in (3, 4, 5, 6)]
    assert sizes == [591, 811, 1031, 1251]  # Table 1 of arXiv 1710.00211


@pytest.mark.parametrize("network", NETWORKS, ids=repr)
def test_jets_equal_nested_differentiation(network):
    parameters, points = 1.5 * network.initial(3), points_of(network, 40).requires_grad_()
    values = textbook(network, parameters, points)
    jets = network.jets(parameters, points.detach(), ALL[network.inputs])
    assert relative(jets[()] - values, values) < 1e-13
    for m in range(network.outputs):
        (gradient,) = torch.autograd.grad(values[:, m].sum(), points, create_graph=True)
        total = 0.0
        for i in range(network.inputs):
            assert relative(jets[(i,)][:, m] - gradient[:, i], gradient[:, i]) < 1e-12
            (row,) = torch.autograd.grad(gradient[:, i].sum(), points, retain_graph=True)
            for j in range(i, network.inputs):
                assert relative(jets[(i, j)][:, m] - row[:, j], row) < 1e-12
            total = total + row[:, i]
            traces = network.jets(parameters, points.detach(), [(), laplacian(i + 1)])
            assert relative(traces[laplacian(i + 1)][:, m] - total, row) < 1e-12


@pytest.mark.parametrize("network", NETWORKS, ids=repr)
def test_jacobian_equals_automatic_differentiation(network):
    derivatives = [*ALL[network.inputs], laplacian(network.inputs)]
    parameters, points = network.initial(1), points_of(network, 12)
    residual, jacobian = network.jacobian(parameters, points, derivatives, curved)
    assert residual.shape == (12, 2) and jacobian.shape == (24, network.size)
    expected = curved(network.jets(parameters, points, derivatives))
    assert relative(residual - expected, expected) < 1e-13
    reference = torch.autograd.functional.jacobian(
        lambda p: curved(network.jets(p, points, derivatives)).flatten(), parameters
    )
    assert relative(jacobian - reference, reference) < 1e-12


@pytest.mark.parametrize("alpha", [(), (1,), (0, 1), (1, 1), laplacian(2)])
def test_only_the_requested_derivatives_are_returned(alpha):
    network = NETWORKS[1]
    parameters, points = network.initial(0), points_of(network, 5)
    alone = network.jets(parameters, points, [alpha])
    all_of_them = network.jets(parameters, points, [*ALL[2], laplacian(2)])
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
    parameters, points = network.initial(0), points_of(network, 2 * BATCH // network.width + 17)
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
        ({"activation": "relu"}, "one of tanh, sin, cubic, sigmoid, not 'relu'"),
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
    for alpha in [(1, 0), (2,), (0, 0, 0), (-3, -3), (-2,), (-1, 0)]:
        with pytest.raises(ValueError, match="is not one of"):
            network.jets(parameters, points, [alpha])
    with pytest.raises(ValueError, match="337 parameters"):
        network.jets(parameters[:-1], points, [()])


def test_a_residual_network_narrower_than_its_inputs_is_named():
    with pytest.raises(InputError, match="at least as wide as their 3 inputs: width=2"):
        ResidualNetwork(3, 1, (0.0,) * 3, (1.0,) * 3, width=2)
