"""Adam and Adagrad on a quadratic, and what a run is worth that was interrupted."""

import math

import pytest
import torch

from mlpde.optimize.first_order import State, first_order

MINIMISER = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
ZERO = torch.zeros(3, dtype=torch.float64)


def quadratic(theta):
    stiffness = torch.tensor([1.0, 3.0, 10.0], dtype=torch.float64)
    error = theta - MINIMISER
    return 0.5 * float(stiffness @ error**2), stiffness * error


@pytest.mark.parametrize(("method", "rate"), [("adam", 0.05), ("adagrad", 0.5)])
def test_the_minimiser_is_found(method, rate):
    result = first_order(quadratic, ZERO, method=method, learning_rate=rate, max_iterations=2000)
    assert result.reason == "max_iterations"
    assert torch.allclose(result.theta, MINIMISER, atol=1e-4)


def test_a_learning_rate_that_falls_to_zero_silences_noise():
    def noisy(theta):
        loss, gradient = quadratic(theta)
        return loss, gradient + torch.randn(3, generator=generator, dtype=torch.float64)

    errors = {}
    for schedule in ("constant", "cosine"):
        generator = torch.Generator().manual_seed(0)
        result = first_order(noisy, ZERO, learning_rate=0.05, schedule=schedule, max_iterations=3000)
        errors[schedule] = float((result.theta - MINIMISER).norm())
    assert errors["cosine"] < 0.3 * errors["constant"]


@pytest.mark.parametrize(("method", "guarded"), [("adam", False), ("adagrad", False), ("adam", True)])
def test_an_interrupted_run_goes_on_to_the_same_result(method, guarded):
    settings = {"method": method, "learning_rate": 0.05, "schedule": "cosine", "max_iterations": 50}
    settings["guarded"] = guarded
    whole = first_order(quadratic, ZERO, **settings)
    half = first_order(quadratic, ZERO, **settings, callback=lambda state: state.iteration == 20)
    assert half.reason == "stopped" and half.state.iteration == 20
    saved = State(
        half.theta.clone(), 20, half.state.loss, {k: v.clone() for k, v in half.state.moments.items()}
    )
    assert torch.equal(first_order(quadratic, ZERO, **settings, state=saved).theta, whole.theta)


def test_one_huge_gradient_does_not_stop_a_guarded_run_for_long():
    """Adam divides by the root of the mean square, in which a gradient of 10^6 stays for thousands of steps."""

    def spiked(theta):
        calls.append(1)
        loss, gradient = quadratic(theta)
        return loss, gradient * (1e6 if len(calls) == 100 else 1.0)

    errors = {}
    for guarded in (False, True):
        calls = []
        result = first_order(
            spiked, ZERO, learning_rate=0.05, schedule="cosine", guarded=guarded, max_iterations=1000
        )
        errors[guarded] = float((result.theta - MINIMISER).norm())
    assert errors[True] < 1e-3 < 0.1 < errors[False]


@pytest.mark.parametrize("wrong", [math.nan, 1e3])
def test_a_guarded_run_takes_a_step_too_far_back(wrong):
    """Beyond a wall nothing is finite, or the gradient points away from the minimiser."""
    seen = []

    def walled(theta):
        seen.append(theta.clone())
        loss, gradient = quadratic(theta)
        return loss, gradient * (-wrong if len(seen) in (100, 102) else 1.0)

    result = first_order(
        walled, ZERO, learning_rate=0.05, schedule="cosine", guarded=True, max_iterations=1000
    )
    assert torch.equal(seen[100], seen[98]) and torch.equal(seen[102], seen[100])
    assert float((result.theta - MINIMISER).norm()) < 1e-3


def test_a_guarded_run_stops_where_nothing_is_finite_any_more():
    calls = []

    def broken(theta):
        calls.append(1)
        loss, gradient = quadratic(theta)
        return (math.nan if len(calls) >= 4 else loss), gradient

    with pytest.raises(FloatingPointError, match="not finite at step 5 of adam"):
        first_order(broken, ZERO, guarded=True)


def test_a_loss_that_is_not_finite_stops_at_once_with_the_step_named():
    calls = []

    def broken(theta):
        calls.append(1)
        loss, gradient = quadratic(theta)
        return (math.nan if len(calls) == 4 else loss), gradient

    with pytest.raises(FloatingPointError, match="not finite at step 4 of adam"):
        first_order(broken, ZERO)
