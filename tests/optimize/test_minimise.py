"""One call for all methods, and states that can be kept."""

import pytest
import torch

from mlpde.errors import InputError
from mlpde.optimize.memory import check_memory
from mlpde.optimize.minimise import affordable, minimise, restored, saved

TIMES = torch.linspace(0.0, 2.0, 12, dtype=torch.float64)


class Decay:
    """r = a exp(-b t) - 2 exp(-t)."""

    def residual(self, theta):
        return theta[0] * torch.exp(-theta[1] * TIMES) - 2.0 * torch.exp(-TIMES)

    def residual_and_jacobian(self, theta):
        return self.residual(theta), torch.autograd.functional.jacobian(self.residual, theta)

    def loss_and_gradient(self, theta):
        r, jacobian = self.residual_and_jacobian(theta)
        return 0.5 * float(r @ r), jacobian.T @ r


START = torch.tensor([1.0, 0.3], dtype=torch.float64)
STEPS = {"gauss_newton": 20, "broyden": 60, "lbfgs": 60, "adam": 1500}


@pytest.mark.parametrize("method", sorted(STEPS))
def test_every_method_finds_the_minimum(method):
    result = minimise(method, Decay(), START, STEPS[method], lambda state: False, learning_rate=0.05)
    assert torch.allclose(result.theta, torch.tensor([2.0, 1.0], dtype=torch.float64), atol=1e-4)


@pytest.mark.parametrize("method", ["gauss_newton", "broyden", "adam"])
def test_a_kept_state_continues_to_the_same_result(method):
    kept = {}

    def keep(state):
        if state.iteration == 1:
            kept.update(zip(("arrays", "settings"), saved(method, state), strict=True))
        return False

    whole = minimise(method, Decay(), START, 2, keep)
    again = minimise(method, Decay(), START, 2, lambda state: False, restored(**kept))
    assert torch.equal(whole.theta, again.theta) and again.state.iteration == 2


def test_gauss_newton_is_taken_where_it_takes_seconds():
    assert affordable(3000, 700) == "gauss_newton"
    assert affordable(1000, 12_000) == "gauss_newton"  # more parameters than rows
    assert affordable(30_000, 12_000) == "lbfgs"


def test_a_jacobian_larger_than_the_memory_is_refused():
    check_memory(10_000, 1000, "Gauss-Newton", "fewer points")
    with pytest.raises(
        InputError, match=r"Gauss-Newton needs \d+ GiB .* the machine has \d+: take fewer points"
    ):
        check_memory(10**6, 10**6, "Gauss-Newton", "fewer points")
