"""Self-scaled Broyden and L-BFGS: the secant condition, Rosenbrock's valley, small differences, interrupted runs."""

import math
from itertools import pairwise

import pytest
import torch

from mlpde.optimize.quasi_newton import State, lbfgs, self_scaled_broyden, updated

START = torch.tensor([-1.2, 1.0] * 5, dtype=torch.float64)


def rosenbrock(theta):
    x = theta.clone().requires_grad_()
    loss = (100 * (x[1::2] - x[::2] ** 2) ** 2 + (1 - x[::2]) ** 2).sum()
    (gradient,) = torch.autograd.grad(loss, x)
    return float(loss.detach()), gradient


def test_the_updated_inverse_maps_the_gradients_change_onto_the_step_and_stays_positive():
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    inverse = root @ root.T + torch.eye(6, dtype=torch.float64)
    for _ in range(20):
        gradient = torch.randn(6, generator=generator, dtype=torch.float64)
        step = -0.7 * inverse @ gradient
        change = torch.randn(6, generator=generator, dtype=torch.float64)
        change = change * torch.sign(change @ step)
        inverse = updated(inverse, step, change, 0.7 * gradient)
        assert torch.allclose(inverse @ change, step)
        assert torch.allclose(inverse, inverse.T)
        assert torch.linalg.eigvalsh(inverse)[0] > 0


@pytest.mark.parametrize("method", [self_scaled_broyden, lbfgs])
def test_the_end_of_rosenbrocks_valley_is_found(method):
    result = method(rosenbrock, START, max_iterations=300)
    assert torch.allclose(result.theta, torch.ones(10, dtype=torch.float64), atol=1e-8)


@pytest.mark.parametrize("method", [self_scaled_broyden, lbfgs])
def test_the_loss_is_evaluated_once_at_every_place(method):
    places = []

    def counted(theta):
        places.append(theta.clone())
        return rosenbrock(theta)

    method(counted, START, max_iterations=40)
    assert not any(torch.equal(one, other) for one, other in pairwise(places))


def test_differences_without_cancellation_lead_below_the_rounding_of_the_loss():
    weights = torch.logspace(0, 3, 10, dtype=torch.float64)

    def offset(theta):  # the loss itself cannot tell errors below 1e-2 apart
        return 1e12 + 0.5 * float(weights @ theta**2), weights * theta

    def difference(theta, new):
        return float((weights * (new - theta)) @ (theta + new)) / 2

    def error(**options):
        return float(self_scaled_broyden(offset, START, max_iterations=200, **options).theta.norm())

    assert error(difference=difference) < 1e-10 < 1e-7 < error()


@pytest.mark.parametrize("method", [self_scaled_broyden, lbfgs])
def test_an_interrupted_run_goes_on_to_the_same_result(method):
    whole = method(rosenbrock, START, max_iterations=30)
    half = method(rosenbrock, START, callback=lambda state: state.iteration == 12)
    assert half.reason == "stopped"
    saved = State(half.theta, 12, half.state.loss, half.state.inverse, half.state.pairs)
    assert torch.equal(method(rosenbrock, START, max_iterations=30, state=saved).theta, whole.theta)


def test_l_bfgs_with_a_memory_for_all_directions_solves_a_quadratic_problem_to_rounding():
    weights = torch.logspace(0, 3, 10, dtype=torch.float64)

    def quadratic(theta):
        return 1e-12 * 0.5 * float(weights @ theta**2), 1e-12 * weights * theta

    assert float(lbfgs(quadratic, START, max_iterations=100).theta.norm()) < 1e-8


@pytest.mark.parametrize("method", [self_scaled_broyden, lbfgs])
def test_the_callback_ends_the_run(method):
    result = method(rosenbrock, START, callback=lambda state: state.iteration == 3)
    assert (result.reason, result.state.iteration) == ("stopped", 3)


def test_a_loss_that_is_not_finite_is_an_error():
    with pytest.raises(FloatingPointError, match="quasi-Newton step 0"):
        self_scaled_broyden(lambda theta: (math.nan, theta), START)
