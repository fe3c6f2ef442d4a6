"""Hard conditions on an interval, and in the strip of an interval and a time span."""

import math

import numpy as np
import pytest
import torch
import ufl

from geometry import interval, rectangle
from mlpde import Dirichlet, Field, Problem, dt
from mlpde.errors import InputError
from mlpde.formulation.residual import strong_form
from mlpde.formulation.space_time import SpaceTime
from mlpde.representation.hard_conditions import HardNetwork, hard_conditions
from mlpde.representation.networks import MLP

SPAN = (1.0, 4.0)


def exact(x, t):
    return ufl.cos(x[0] + t) * ufl.exp(x[0])


def rate(x):
    return -ufl.sin(x[0] + SPAN[0]) * ufl.exp(x[0])


def in_time(order, domain=None, **settings):
    def weak_form(u, v, omega):
        return ((dt(dt(u)) if order == 2 else dt(u)) * v + ufl.inner(ufl.grad(u), ufl.grad(v))) * omega.dx

    def start(x):
        return exact(x, SPAN[0])

    usual = {
        "dirichlet": Dirichlet("all", exact),
        "initial": (start, rate) if order == 2 else start,
    }
    return Problem(domain or interval(-1.0, 2.0), Field("u"), weak_form, time=SPAN, **(usual | settings))


def hard_network(problem):
    domain = problem.domain if problem.time is None else SpaceTime(problem.domain, *problem.time)
    lower, upper = domain.bounding_box
    mlp = MLP(len(lower), 1, tuple(lower), tuple(upper), width=5)
    return HardNetwork(mlp, hard_conditions(strong_form(problem), domain)), domain


def jets(network, points, alphas):
    return network.jets(network.initial(3), torch.as_tensor(np.asarray(points, float)), alphas)


@pytest.mark.parametrize("order", [1, 2])
def test_a_network_in_time_has_its_data_whatever_its_parameters(order):
    network, _ = hard_network(in_time(order))
    for x in (-1.0, 2.0):
        t = np.linspace(*SPAN, 20)
        values = jets(network, np.column_stack([np.full(20, x), t]), [()])[()][:, 0]
        assert np.abs(values.numpy() - np.cos(x + t) * math.exp(x)).max() < 1e-11
    x = np.linspace(-1.0, 2.0, 20)
    found = jets(network, np.column_stack([x, np.full(20, SPAN[0])]), [(), (1,)])
    assert np.abs(found[()][:, 0].numpy() - np.cos(x + SPAN[0]) * np.exp(x)).max() < 1e-11
    error = np.abs(found[(1,)][:, 0].numpy() + np.sin(x + SPAN[0]) * np.exp(x)).max()
    assert error < 1e-10 if order == 2 else error > 1e-2


def test_a_network_on_an_interval_has_the_data_of_the_end_that_has_some():
    def weak_form(u, v, omega):
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - v) * omega.dx

    one, _ = hard_network(
        Problem(interval(0.0, 3.0), Field("u"), weak_form, dirichlet=Dirichlet("right", 2.5))
    )
    assert jets(one, [[3.0]], [()])[()][0, 0] == pytest.approx(2.5, abs=1e-14)
    assert abs(jets(one, [[0.0]], [()])[()][0, 0] - 2.5) > 1e-2


def test_derivatives_of_a_network_in_time_equal_differences():
    network, domain = hard_network(in_time(1))
    x, step = domain.interior(10, seed=1), 1e-4
    found = jets(network, x, [(), (0,), (1,), (0, 0)])
    for i in range(2):
        e = step * np.eye(2)[i]
        plus, minus = (jets(network, x + s * e, [()])[()] for s in (1, -1))
        assert torch.allclose(found[(i,)], (plus - minus) / (2 * step), rtol=1e-5, atol=1e-5)
    before, after = (jets(network, x + s * np.array([step, 0.0]), [()])[()] for s in (-1, 1))
    second = (before - 2 * found[()] + after) / step**2
    assert torch.allclose(found[(0, 0)], second, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (lambda: in_time(1, dirichlet=Dirichlet("left", 7.0)), "at x = -1 the initial value differs"),
        (
            lambda: in_time(2, initial=(lambda x: exact(x, SPAN[0]), 5.0)),
            "at x = -1 the initial rate differs",
        ),
        (
            lambda: in_time(1, initial=lambda x: abs(x[0]), dirichlet=()),
            "the initial values are not smooth",
        ),
        (
            lambda: in_time(1, rectangle(0.0, 0.0, 1.0, 1.0), dirichlet=()),
            "hard on an interval only, not on a domain of 2 dimensions",
        ),
    ],
    ids=["value", "rate", "kink", "plane"],
)
def test_what_has_no_lift_is_refused(problem, sentence):
    with pytest.raises(InputError, match=sentence):
        hard_network(problem())
