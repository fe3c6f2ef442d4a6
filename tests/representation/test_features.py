"""Functions that a geometry gives a network as inputs."""

import math

import pytest
import torch
import ufl

from geometry import annulus, disk, l_shape, plate_with_holes
from geometry.pieces import Arc, Segment
from mlpde import Dirichlet, Field, Problem, dt
from mlpde.formulation.residual import strong_form
from mlpde.formulation.space_time import SpaceTime
from mlpde.representation.features import LogDistance, features
from mlpde.representation.heat_layers import HeatLayer
from mlpde.representation.jets import Channels, laplacian
from mlpde.representation.networks import MLP, NETWORKS
from mlpde.representation.stokes_corners import StokesCorner, exponents, stokes_corners
from mlpde.representation.with_flows import WithFlows

SECOND = [(), (0,), (1,), (0, 0), (0, 1), (1, 1), laplacian(2)]


def found(domain, kinds):
    problem = Problem(
        domain,
        Field("u"),
        lambda u, v, omega: (ufl.inner(ufl.grad(u), ufl.grad(v)) - v) * omega.dx,
        dirichlet=Dirichlet("all", 0.0),
    )
    return features(strong_form(problem), domain, kinds)


def test_a_hole_gives_the_logarithm_of_the_distance_to_its_centre():
    plate = plate_with_holes(2.0, 1.0, [(0.5, 0.5, 0.15), (1.4, 0.4, 0.2)])
    logs = found(plate, ("holes",))
    assert sorted(log.center for log in logs) == [
        pytest.approx(center, abs=1e-12) for center in [(0.5, 0.5), (1.4, 0.4)]
    ]
    assert len(found(annulus(1.0, 2.0, (0.0, 0.0)), ("holes",))) == 1
    assert found(disk(1.0, (0.0, 0.0)), ("holes", "corners")) == ()


def test_the_logarithm_of_the_distance_is_harmonic():
    log, x = LogDistance((0.5, 0.0), 2.0), torch.tensor([[0.8, 0.4], [-1.0, 3.0]], dtype=torch.float64)
    jet = Channels.of(SECOND, 2).select(log.jet(x, Channels.of(SECOND, 2))[..., 0])
    assert jet[()][0] == pytest.approx(math.log(0.5 / 2.0), rel=1e-14)
    assert jet[(0,)][0] == pytest.approx(0.3 / 0.25, rel=1e-13)
    assert jet[laplacian(2)].abs().max() < 1e-13 and jet[(0, 0)].abs().min() > 1e-2


def test_a_reentrant_corner_gives_its_function_and_every_boundary_its_distance():
    domain = l_shape(1.0)
    (corner, *_), walls = found(domain, ("corners",)), found(domain, ("distances",))
    assert corner.function.exponent == pytest.approx(2 / 3) and len(walls) == len(domain.boundaries)
    x = torch.as_tensor(domain.interior(10))
    for feature in (corner, *walls):
        jet = feature.jet(x, Channels.of(SECOND, 2))[..., 0]
        for i in range(2):
            step = torch.zeros(2, dtype=torch.float64)
            step[i] = 1e-5
            values = [feature.jet(x + s * step, Channels.of([()], 2))[0, :, 0] for s in (1, -1)]
            assert torch.allclose(jet[1 + i], (values[0] - values[1]) / 2e-5, rtol=1e-6, atol=1e-6)
        assert torch.allclose(jet[-1], jet[3] + jet[5], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_contains_its_features_and_has_their_jets_and_jacobian(kind):
    logs = (LogDistance((-0.5, 0.2), 1.0), LogDistance((3.0, 0.2), 1.0))
    network = kind(2, 1, (0.0, 0.0), (2.0, 1.0), width=5, depth=2, features=logs)
    x = torch.rand(8, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    theta = torch.zeros(network.size, dtype=torch.float64)
    theta[-3:-1] = torch.tensor([2.0, -3.0])
    channels = Channels.of(SECOND, 2)
    expected = channels.select(2.0 * logs[0].jet(x, channels) - 3.0 * logs[1].jet(x, channels))
    jets = network.jets(theta, x, SECOND)
    for alpha in SECOND:
        assert torch.allclose(jets[alpha], expected[alpha], rtol=1e-12, atol=1e-12)

    def residual(jets):
        return jets[laplacian(2)] + jets[(0,)] * jets[()]

    theta = network.initial(1)
    _, jacobian = network.jacobian(theta, x, SECOND, residual)
    reference = torch.autograd.functional.jacobian(
        lambda t: residual(network.jets(t, x, SECOND)).flatten(), theta
    )
    assert torch.allclose(jacobian, reference, rtol=1e-11, atol=1e-11)


def heated(conductivity=2.0, time=(1.0, 3.0)):
    plate = plate_with_holes(2.0, 1.0, [(0.5, 0.5, 0.15), (1.4, 0.4, 0.2)])
    problem = Problem(
        plate,
        Field("u"),
        lambda u, v, omega: (
            (3.0 * dt(u) * v + conductivity * ufl.inner(ufl.grad(u), ufl.grad(v))) * omega.dx
            - 6.0 * (1.0 - u) * v * omega.ds("holes")
            - v * omega.ds("left")
            + omega.x[0] * u * v * omega.ds("top")
        ),
        dirichlet=Dirichlet("right", 0.0),
        time=time,
        initial=0.0,
    )
    return strong_form(problem), SpaceTime(plate, *time)


def test_holes_give_their_logarithms_in_space_and_time_too():
    assert len(features(*heated(), ("holes",))) == 2


def test_every_boundary_with_a_flux_gives_a_layer_of_the_diffusivity():
    layers = features(*heated(), ("layers",))
    assert sorted(len(layer.pieces) for layer in layers) == [1, 1, 1, 2]  # left, bottom, top; two holes
    assert all(layer.diffusivity == pytest.approx(2.0 / 3.0) for layer in layers)
    # only the holes have a constant one: 2 du/dn = 6 (1 - u)
    transfers = sorted((len(layer.pieces), layer.transfer) for layer in layers)
    assert transfers == [(1, 0.0)] * 3 + [(2, pytest.approx(3.0))]
    assert found(disk(1.0, (0.0, 0.0)), ("layers",)) == ()  # steady


@pytest.mark.parametrize("transfer", [0.0, 3.0])
def test_the_layer_of_a_straight_boundary_solves_the_heat_equation_and_its_condition_from_the_start(transfer):
    layer = HeatLayer((Segment((0.0, 0.0), (0.0, -1.0)),), (1.0,), 0.5, 1.0, 4.0, transfer)
    x = torch.tensor([[0.0, 0.3, 1.2], [0.4, 0.1, 1.3], [0.7, 0.2, 2.0]], dtype=torch.float64)
    channels = Channels.of([(), (0,), (0, 0), (1, 1), (2,)], 3)
    jet = channels.select(layer.jet(x, channels)[..., 0])
    assert torch.allclose(jet[(2,)], 0.5 * (jet[(0, 0)] + jet[(1, 1)]), rtol=1e-12, atol=1e-14)
    influx = transfer * (1.0 - float(jet[()][0])) if transfer else 1.0 / 4.0
    assert jet[(0,)][0] == pytest.approx(-influx, abs=1e-12)
    early = torch.tensor([[0.4, 0.1, 1.0], [0.0, 0.1, 1.0]], dtype=torch.float64)
    assert layer.jet(early, channels).isfinite().all() and layer.jet(early, channels)[0].abs().max() < 2e-5


@pytest.mark.parametrize("transfer", [0.0, 3.0])
def test_the_layer_around_a_circle_meets_its_condition_and_soon_after_the_start_the_equation(transfer):
    circle = Arc((2.0, 0.0), (2.0, 0.0), (0.0, 0.0), 2.0, (-2.0, 0.0))
    layer = HeatLayer((circle,), (1.0,), 0.5, 1.0, 4.0, transfer)
    x = torch.tensor([[2.0, 0.0, 1.2], [0.0, 2.1, 1.01], [0.0, 2.02, 1.001]], dtype=torch.float64)
    channels = Channels.of([(), (0,), (0, 0), (1, 1), (2,)], 3)
    jet = channels.select(layer.jet(x, channels)[..., 0])
    influx = transfer * (1.0 - float(jet[()][0])) if transfer else 1.0 / 4.0
    assert jet[(0,)][0] == pytest.approx(-influx, abs=1e-12)
    left = jet[(2,)] - 0.5 * (jet[(0, 0)] + jet[(1, 1)])
    radius = torch.linalg.norm(x[:, :2], dim=1)
    assert torch.allclose(left, -0.5 * jet[()] / (4 * radius**2), rtol=1e-10, atol=1e-13)


def test_a_flow_over_a_step_gives_the_flows_at_its_corner():
    """Divergence free, at rest on both walls, 2 Lap u = grad p."""

    def stokes(up, vq, omega):
        (u, p), (v, q) = up, vq
        return (2.0 * ufl.inner(ufl.grad(u), ufl.grad(v)) - p * ufl.div(v) - q * ufl.div(u)) * omega.dx + v[
            0
        ] * omega.dx

    domain = l_shape(1.0)
    problem = Problem(
        domain,
        [Field("u", shape=(2,)), Field("p", mean_zero=True)],
        stokes,
        dirichlet=Dirichlet("all", (0.0, 0.0), field="u"),
    )
    flows = stokes_corners(strong_form(problem), domain)
    assert [complex(flow.exponent, flow.wave) for flow in flows] == pytest.approx(
        [0.544484, 1.629257 + 0.231251j, 1.629257 + 0.231251j, 0.908529], abs=1e-6
    )
    x, channels = torch.as_tensor(domain.interior(10)), Channels.of(SECOND, 2)
    on_walls = torch.as_tensor(domain.boundary("reentrant", 10)[0])
    for flow in flows:
        jet = channels.select(flow.jet(x, channels))
        assert (jet[(0,)][:, 0] + jet[(1,)][:, 1]).abs().max() < 1e-12
        slope = torch.stack([jet[(0,)][:, 2], jet[(1,)][:, 2]], 1)
        assert torch.allclose(2.0 * jet[laplacian(2)][:, :2], slope, rtol=1e-10, atol=1e-12)
        assert flow.jet(on_walls, Channels.of([()], 2))[0, :, :2].abs().max() < 1e-12
    assert exponents(math.pi / 2, True) == exponents(math.pi / 2, False) == []


def test_flows_at_the_tip_of_a_slit():
    x = torch.tensor([[-0.3, 0.2], [0.2, 0.7]], dtype=torch.float64)
    on_slit, channels = torch.tensor([[0.5, 0.0]], dtype=torch.float64), Channels.of(SECOND, 2)
    for even in (True, False):
        assert exponents(2 * math.pi, even) == pytest.approx([0.5, 1.5])
        for a in exponents(2 * math.pi, even):
            flow = StokesCorner((0.0, 0.0), math.pi, 2 * math.pi, a.real, even, 2.0, 1.0)
            jet = channels.select(flow.jet(x, channels))
            assert jet[()][:, :2].abs().max() > 0.1
            slope = torch.stack([jet[(0,)][:, 2], jet[(1,)][:, 2]], 1)
            assert torch.allclose(2.0 * jet[laplacian(2)][:, :2], slope, rtol=1e-10, atol=1e-12)
            assert flow.jet(on_slit, Channels.of([()], 2))[0, :, :2].abs().max() < 1e-12


def test_a_network_with_flows_has_their_jets_and_jacobian():
    flow = StokesCorner((0.0, 0.0), 0.75 * math.pi, 1.5 * math.pi, 0.5444837367824651, True, 2.0, 1.0)
    whole = WithFlows(MLP(2, 3, (-1.0, -1.0), (1.0, 1.0), width=4, depth=1), (flow,))
    x = 0.1 + torch.rand(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    theta = whole.initial(0)
    theta[-1] = 0.7

    def rows(jets):
        return jets[()][:, :2] * jets[(0,)][:, :2] + jets[laplacian(2)][:, :1]

    values, jacobian = whole.jacobian(theta, x, SECOND, rows)
    assert torch.allclose(values, rows(whole.jets(theta, x, SECOND)), rtol=1e-12)
    for k in (0, whole.size - 1):
        step = torch.zeros_like(theta)
        step[k] = 1e-5
        ahead, behind = (rows(whole.jets(theta + s * step, x, SECOND)).flatten() for s in (1, -1))
        assert torch.allclose(jacobian[:, k], (ahead - behind) / 2e-5, rtol=1e-6, atol=1e-7)
