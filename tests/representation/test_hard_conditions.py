"""Distance functions and lifts: exact on the boundary, and networks that keep the conditions whatever they learn."""

import numpy as np
import pytest
import torch
import ufl

from geometry import Domain, annulus, disk, l_shape, plate_with_holes, rectangle, slit_square
from mlpde import Dirichlet, Field, Problem
from mlpde.errors import InputError
from mlpde.formulation.residual import strong_form
from mlpde.representation.differentiation import jet_of
from mlpde.representation.distances import distance
from mlpde.representation.hard_conditions import HardNetwork, hard_conditions
from mlpde.representation.jets import Channels, laplacian
from mlpde.representation.networks import MLP


def half_disk(model):
    """{|x| < 1, y > 0}, an arc and a segment."""
    points = [model.occ.addPoint(x, 0.0, 0.0) for x in (-1.0, 0.0, 1.0)]
    arc, line = (
        model.occ.addCircleArc(points[2], points[1], points[0]),
        model.occ.addLine(points[0], points[2]),
    )
    model.occ.addPlaneSurface([model.occ.addCurveLoop([arc, line])])
    model.occ.remove([(0, points[1])])
    model.occ.synchronize()
    model.addPhysicalGroup(1, [arc], name="arc")
    model.addPhysicalGroup(1, [line], name="line")


DOMAINS = {
    "rectangle": lambda: rectangle(0.0, 0.0, 2.0, 1.0),
    "plate": lambda: plate_with_holes(2.0, 1.0, [(0.5, 0.5, 0.15), (1.4, 0.4, 0.2)]),
    "annulus": lambda: annulus(1.0, 2.0, (0.5, 0.0)),
    "disk": lambda: disk(2.0, (1.0, 1.0)),
    "l_shape": lambda: l_shape(1.0),
    "half disk": lambda: Domain(2, half_disk),
}


def problem_on(domain, dirichlet, fields=None):
    return Problem(
        domain,
        fields or Field("u"),
        lambda u, v, omega: (ufl.inner(ufl.grad(u), ufl.grad(v)) - ufl.inner(u, v)) * omega.dx,
        dirichlet=dirichlet,
    )


@pytest.mark.parametrize("name", DOMAINS)
def test_a_distance_function_vanishes_on_its_boundary_alone(name):
    domain = DOMAINS[name]()
    assert set(domain.pieces) == set(domain.boundaries)
    for boundary in domain.boundaries:
        phi = distance(domain, domain.pieces[boundary])
        extent = float(np.ptp(domain.bounding_box, axis=0).max())
        on = phi(torch.as_tensor(domain.boundary(boundary, 300, seed=1)[0]))
        assert on.abs().max() < 1e-8
        inside = domain.interior(2000, seed=2)
        assert phi(torch.as_tensor(inside)).min() > -1e-12
        others = [b for b in domain.boundaries if b != boundary]
        for other in others:
            x = domain.boundary(other, 300, seed=1)[0]
            far = (
                np.linalg.norm(x[:, None] - domain.boundary(boundary, 500)[0], axis=-1).min(1) > 0.05 * extent
            )
            assert phi(torch.as_tensor(x[far])).min() > 1e-4


@pytest.mark.parametrize("name", ["rectangle", "plate", "annulus", "disk"])
def test_the_distance_function_of_convex_corners_and_circles_is_smooth(name):
    domain = DOMAINS[name]()
    phi = distance(domain, [p for pieces in domain.pieces.values() for p in pieces])
    points = torch.as_tensor(np.concatenate([domain.boundary(b, 500)[0] for b in domain.boundaries]))
    corners = torch.as_tensor(np.array([c.point for c in domain.corners]).reshape(-1, 2))
    near = torch.cat([points, corners + 1e-9])
    jet = jet_of(lambda x: phi(x)[:, None], near, Channels.of([(0, 0), (0, 1), (1, 1)], 2))
    assert jet.isfinite().all() and jet.abs().max() < 200.0


def test_the_distance_function_has_a_unit_slope_on_a_hole_and_where_a_piece_is_trimmed():
    domain = DOMAINS["l_shape"]()
    phi = distance(domain, domain.pieces["reentrant"])
    x, _, normals = domain.boundary("reentrant", 50)
    jet = jet_of(lambda x: phi(x)[:, None], torch.as_tensor(x - 1e-6 * normals), Channels.of([(0,), (1,)], 2))
    slope = -(jet[1:, :, 0].T * torch.as_tensor(normals)).sum(1) * 2.0  # the distance is over the extent
    assert (slope[10:40] - 1.0).abs().max() < 0.2


@pytest.mark.parametrize("name", DOMAINS)
def test_a_hard_network_has_its_data_whatever_its_parameters(name):
    domain = DOMAINS[name]()
    data = {b: (lambda x, k=k: ufl.cos(x[0] + k) * ufl.exp(x[1])) for k, b in enumerate(domain.boundaries)}
    form = strong_form(problem_on(domain, [Dirichlet(b, g) for b, g in data.items()]))
    lower, upper = domain.bounding_box
    network = HardNetwork(MLP(2, 1, tuple(lower), tuple(upper), width=5), hard_conditions(form, domain))
    for k, boundary in enumerate(domain.boundaries):
        x = torch.as_tensor(domain.boundary(boundary, 100, seed=3)[0])
        values = network.jets(network.initial(0), x, [()])[()][:, 0]
        expected = torch.cos(x[:, 0] + k) * torch.exp(x[:, 1])
        assert (values - expected).abs().max() < 1e-6


@pytest.mark.parametrize("name", DOMAINS)
def test_a_hard_network_has_its_data_in_corners_hit_but_for_rounding(name):
    domain = DOMAINS[name]()
    data = [Dirichlet(b, lambda x: ufl.cos(x[0]) * ufl.exp(x[1])) for b in domain.boundaries]
    lower, upper = domain.bounding_box
    conditions = hard_conditions(strong_form(problem_on(domain, data)), domain)
    network = HardNetwork(MLP(2, 1, tuple(lower), tuple(upper), width=5), conditions)
    ends = torch.tensor(
        [end for pieces in domain.pieces.values() for p in pieces for end in (p.start, p.end)]
    )
    near = 1e-16 * torch.tensor([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)], dtype=torch.float64)
    x = (ends.double()[:, None] + near).flatten(0, 1)
    if name == "rectangle":
        x = torch.cat(
            [x, torch.tensor([(a, b) for a in (0.0, 2.0) for b in (0.0, 1.0)], dtype=torch.float64)]
        )
    values = network.jets(network.initial(0), x, [()])[()][:, 0]
    assert (values - torch.cos(x[:, 0]) * torch.exp(x[:, 1])).abs().max() < 1e-6


def test_constant_data_on_parts_that_do_not_meet_are_smooth():
    plate = DOMAINS["plate"]()
    sides = [Dirichlet(b, 1.0) for b in ("left", "right", "top", "bottom")]
    assert hard_conditions(strong_form(problem_on(plate, [*sides, Dirichlet("holes", 0.0)])), plate).smooth
    assert not hard_conditions(
        strong_form(problem_on(plate, [*sides[:-1], Dirichlet("bottom", 0.0)])), plate
    ).smooth
    shape = DOMAINS["l_shape"]()
    assert not hard_conditions(strong_form(problem_on(shape, Dirichlet("all", 0.0))), shape).smooth


def test_one_component_alone_can_be_hard():
    domain = DOMAINS["rectangle"]()
    fields = Field("u", shape=(2,))
    conditions = [Dirichlet("left", 2.0, component=0), Dirichlet("bottom", -1.0, component=1)]
    form = strong_form(problem_on(domain, conditions, fields))
    network = HardNetwork(MLP(2, 2, (0.0, 0.0), (2.0, 1.0), width=5), hard_conditions(form, domain))
    left, bottom = (torch.as_tensor(domain.boundary(b, 20)[0]) for b in ("left", "bottom"))
    on_left, on_bottom = (network.jets(network.initial(1), x, [()])[()] for x in (left, bottom))
    assert (on_left[:, 0] - 2.0).abs().max() < 1e-12 and (on_bottom[:, 1] + 1.0).abs().max() < 1e-12
    assert (on_left[:, 1] + 1.0).abs().max() > 1e-3 and (on_bottom[:, 0] - 2.0).abs().max() > 1e-3


def test_jets_of_a_hard_network_equal_differences_and_its_jacobian_automatic_differentiation():
    domain = DOMAINS["plate"]()
    form = strong_form(problem_on(domain, [Dirichlet("holes", lambda x: x[1] ** 2), Dirichlet("left", 1.0)]))
    network = HardNetwork(MLP(2, 1, (0.0, 0.0), (2.0, 1.0), width=5), hard_conditions(form, domain))
    theta, x = network.initial(2), torch.as_tensor(domain.interior(10, seed=4))
    channels = Channels.of([(), (0,), (1,), (0, 0), (0, 1), (1, 1), laplacian(2)], 2)
    jets = network.jets(theta, x, channels.requested)
    step = 1e-4
    for i in range(2):
        e = step * torch.eye(2, dtype=torch.float64)[i]
        plus, minus = (network.jets(theta, x + s * e, [()])[()] for s in (1, -1))
        assert torch.allclose(jets[(i,)], (plus - minus) / (2 * step), rtol=1e-5, atol=1e-5)
        second = (plus - 2 * jets[()] + minus) / step**2
        assert torch.allclose(jets[(i, i)], second, rtol=1e-4, atol=1e-4 * float(second.abs().max()))
    assert torch.allclose(jets[laplacian(2)], jets[(0, 0)] + jets[(1, 1)], rtol=1e-10)

    def residual(jets):
        return jets[()] ** 2 + jets[laplacian(2)] - jets[(0, 1)]

    values, jacobian = network.jacobian(theta, x, channels.requested, residual)
    exact = torch.autograd.functional.jacobian(
        lambda t: residual(network.jets(t, x, channels.requested)).flatten(), theta
    )
    assert torch.allclose(jacobian, exact, rtol=1e-10, atol=1e-10 * float(exact.abs().max()))
    assert values.shape == (10, 1)


def test_second_derivatives_are_right_where_a_distance_is_exactly_zero():
    domain = DOMAINS["plate"]()
    sides = [Dirichlet(b, 1.0) for b in ("left", "right", "top", "bottom")]
    hard = hard_conditions(strong_form(problem_on(domain, [*sides, Dirichlet("holes", 0.0)])), domain)
    on = torch.tensor([[0.0, 0.25], [2.0, 0.5], [0.5, 0.0], [0.75, 1.0], [0.5, 0.65]], dtype=torch.float64)
    center = torch.tensor([1.0, 0.6], dtype=torch.float64)
    near = on + 1e-9 * (center - on)
    channels = Channels.of([(0, 0), (0, 1), (1, 1)], 2)
    for function in (hard.factor, hard.offset):
        exact, close = (jet_of(function, x, channels) for x in (on, near))
        assert torch.allclose(exact, close, rtol=1e-5, atol=1e-5)


def test_what_has_no_distance_function_is_refused():
    slit = slit_square(1.0)
    with pytest.raises(InputError, match=r"'slit' does not consist of straight and circular pieces"):
        hard_conditions(strong_form(problem_on(slit, Dirichlet("slit", 0.0))), slit)
    domain = DOMAINS["rectangle"]()
    jump = Dirichlet("left", lambda x: ufl.conditional(ufl.gt(x[1], 0.5), 1.0, 0.0))
    with pytest.raises(InputError, match="not smooth along the boundary"):
        hard_conditions(strong_form(problem_on(domain, jump)), domain)
