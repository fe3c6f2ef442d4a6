"""The energy natural gradient on a curved valley: it needs few steps, and does not step uphill."""

import math

import pytest
import torch

from mlpde.optimize.natural_gradient import State, Tangent, natural_gradient

TARGET = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
STIFFNESS = torch.tensor([1.0, 1e3, 1e6], dtype=torch.float64)


def function(theta):
    """u(theta) (3,): nonlinear, with the solution theta = (0.5, 0.75, 1.5)."""
    return torch.stack([theta[0], theta[1] + theta[0] ** 2, theta[2] + theta[0] * 1.0])


class Quadratic:
    """E = 1/2 sum k (u - target)^2."""

    def linearise(self, theta):
        jacobian = torch.autograd.functional.jacobian(function, theta)

        def pulled_back(new):
            return jacobian.T @ (STIFFNESS * (function(new) - TARGET))

        return Tangent(STIFFNESS.sqrt()[:, None] * jacobian, pulled_back(theta), pulled_back)

    def difference(self, theta, new):
        old, after = function(theta), function(new)
        return float((STIFFNESS * (after - old) * ((after + old) / 2 - TARGET)).sum())


START = torch.tensor([-2.0, 1.0, 1.0], dtype=torch.float64)


def test_a_stiff_curved_valley_takes_few_steps():
    decreases = []
    result = natural_gradient(
        Quadratic(), START, max_iterations=15, callback=lambda state: decreases.append(state.decrease)
    )
    expected = torch.tensor([0.5, 0.75, 1.5], dtype=torch.float64)
    assert torch.allclose(result.theta, expected, atol=1e-10)
    assert all(decrease > 0 for decrease in decreases)


def test_a_resumed_run_goes_on_to_the_same_result():
    whole = natural_gradient(Quadratic(), START, max_iterations=5)
    half = natural_gradient(Quadratic(), START, callback=lambda state: state.iteration == 2)
    assert half.reason == "stopped"
    state = State(half.theta, half.state.radius, 2)
    assert torch.equal(natural_gradient(Quadratic(), START, max_iterations=5, state=state).theta, whole.theta)


def test_an_energy_that_is_not_finite_is_an_error():
    class Broken(Quadratic):
        def linearise(self, theta):
            return super().linearise(theta)._replace(gradient=theta * math.nan)

    with pytest.raises(FloatingPointError, match="natural-gradient step 0"):
        natural_gradient(Broken(), START)
