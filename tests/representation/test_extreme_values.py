"""The conditional expectation of a function of the largest or least component, against sampling and closed forms."""

import math

import pytest
import torch
import ufl

from mlpde import SemilinearParabolic, largest, smallest
from mlpde.formulation.stochastic import ForwardBackwardSDE
from mlpde.representation.extreme_values import ExtremeValue

DIM, END = 30, 0.5


def spread_call(best):
    return ufl.max_value(best - 1.2, 0) - 2 * ufl.max_value(best - 1.5, 0)


def made(geometric: bool, extreme: int) -> tuple[ForwardBackwardSDE, ExtremeValue, torch.Tensor]:
    reduce = largest if extreme > 0 else smallest
    problem = SemilinearParabolic(
        DIM,
        END,
        1.0,
        lambda t, x, y, z: 0 * y,
        lambda x: spread_call(extreme * reduce(x) + (0 if extreme > 0 else 2)),
        drift=lambda t, x: 0.1 * x if geometric else 0.1 * (1 + t) * ufl.as_vector([1] * DIM),
        diffusion=lambda t, x: 0.2 * x if geometric else 0.2,
    )
    sde = ForwardBackwardSDE(problem)
    dw = math.sqrt(END) * torch.randn(
        40_000, DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    ends = sde.step(0.0, END, sde.x0.expand_as(dw), dw)
    value = ExtremeValue.of(sde, torch.Generator().manual_seed(1))
    assert value is not None
    assert value.extreme == extreme
    return sde, value, ends


@pytest.mark.parametrize("geometric", [True, False])
@pytest.mark.parametrize("extreme", [1, -1])
def test_against_samples_and_differences(geometric, extreme):
    sde, value, ends = made(geometric, extreme)
    seen = sde.terminal(ends)
    found = float(value(0.0, sde.x0[None])[0])
    assert abs(found - float(seen.mean())) < 4 * float(seen.std()) / math.sqrt(len(seen))
    x, e = ends[:5], torch.zeros(DIM, dtype=torch.float64)
    slope = value(0.2, x)[1]
    for i in (0, 7):
        e[i] = 1e-5
        difference = (value(0.2, x + e)[0] - value(0.2, x - e)[0]) / 2e-5
        assert slope[:, i] == pytest.approx(difference, abs=1e-7)
        e[i] = 0.0


def test_the_increments_have_mean_zero():
    _, value, ends = made(True, 1)
    x = ends[:1].expand(20_000, -1)
    for t, dt in ((0.1, 0.1), (0.45, 0.05)):  # the second is the last step, which ends at g itself
        dw = math.sqrt(dt) * torch.randn(x.shape, generator=torch.Generator().manual_seed(1), dtype=x.dtype)
        gained = value.increment(t, dt, x, dw)
        assert abs(float(gained.mean())) < 4 * float(gained.std()) / math.sqrt(len(x))


def test_mixed_components_are_left_out():
    matrix = ufl.as_matrix([[1, 0.5], [0, 1]])
    problem = SemilinearParabolic(
        2, 1.0, 0.0, lambda t, x, y, z: 0 * y, lambda x: largest(x), diffusion=lambda t, x: matrix
    )
    sde = ForwardBackwardSDE(problem)
    assert ExtremeValue.of(sde, torch.Generator()) is None


def test_a_function_of_all_components_is_left_out():
    problem = SemilinearParabolic(3, 1.0, 0.0, lambda t, x, y, z: 0 * y, lambda x: ufl.dot(x, x))
    assert ExtremeValue.of(ForwardBackwardSDE(problem), torch.Generator()) is None
