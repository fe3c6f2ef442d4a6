"""Bounds from both sides for drivers that are the larger or the smaller of two linear functions."""

import math

import pytest
import torch
import ufl

from mlpde import SemilinearParabolic
from mlpde.formulation.compiled_function import gradient_of
from mlpde.formulation.control_bounds import control_bounds, two_pieces
from mlpde.formulation.stochastic import ForwardBackwardSDE

LENDING, BORROWING, DRIFT, VOLATILITY, STRIKE, END = 0.02, 0.1, 0.06, 0.2, 100.0, 0.5


def rates(sign: int) -> SemilinearParabolic:
    """Bergman's two rates for a call, whose seller always borrows: Black and Scholes with the borrowing rate.

    sign = -1: the same equation for -u, with a minimum.
    """

    def driver(t, x, y, z):
        held = z[0] / VOLATILITY
        borrowed = ufl.max_value(sign * (held - y), 0)
        return -LENDING * y - (DRIFT - LENDING) * held + sign * (BORROWING - LENDING) * borrowed

    return SemilinearParabolic(
        1,
        END,
        100.0,
        driver,
        lambda x: sign * ufl.max_value(x[0] - STRIKE, 0),
        drift=lambda t, x: DRIFT * x,
        diffusion=lambda t, x: VOLATILITY * x,
    )


def call(t, x):
    """Value of the call with the borrowing rate."""
    rest = END - t
    spread = VOLATILITY * math.sqrt(rest)
    a = ((x / STRIKE).log() + (BORROWING + VOLATILITY**2 / 2) * rest) / spread
    return (
        x * torch.special.ndtr(a) - STRIKE * math.exp(-BORROWING * rest) * torch.special.ndtr(a - spread)
    )[:, 0]


@pytest.mark.parametrize("sign", [1, -1])
def test_black_and_scholes_lies_between(sign):
    sde, steps = ForwardBackwardSDE(rates(sign)), 20
    pieces = two_pieces(sde)
    assert pieces is not None
    assert pieces.sign == sign
    assert sorted(pieces.by_y.tolist()) == pytest.approx([-BORROWING, -LENDING])

    def known(t, x):
        return tuple(sign * part for part in gradient_of(lambda y: call(t, y), x))

    def increment(t, dt, x, dw):
        return (sde.z_of_gradient(t, x, known(t, x)[1]) * dw).sum(1)

    bounds = control_bounds(sde, pieces, known, increment, steps, 2000, torch.Generator().manual_seed(0))
    value = sign * float(call(0.0, sde.x0[None]))
    assert bounds.lower < value < bounds.upper
    assert bounds.upper - bounds.lower < 0.04 * abs(value)


def test_a_poor_guess_widens_the_bounds_and_keeps_them_right():
    sde, steps = ForwardBackwardSDE(rates(1)), 20
    pieces = two_pieces(sde)
    bounds = control_bounds(
        sde,
        pieces,
        lambda t, x: (torch.full_like(x[:, 0], 50.0), torch.zeros_like(x)),  # lends, always
        lambda t, dt, x, dw: torch.zeros_like(dw[:, 0]),
        steps,
        2000,
        torch.Generator().manual_seed(0),
    )
    value = float(call(0.0, sde.x0[None]))
    assert bounds.lower < 0.9 * value
    assert value < bounds.upper


@pytest.mark.parametrize(
    "driver",
    [
        lambda t, x, y, z: -ufl.dot(z, z),
        lambda t, x, y, z: y - y**3,
        lambda t, x, y, z: -0.1 * y + z[0],  # one piece
        lambda t, x, y, z: ufl.max_value(y, 0) + ufl.max_value(z[0], 0),  # four
        lambda t, x, y, z: ufl.max_value(y, 0) + 1,  # a constant
        lambda t, x, y, z: ufl.max_value(y, x[0] * y),
    ],
)
def test_other_drivers_have_no_two_pieces(driver):
    assert two_pieces(ForwardBackwardSDE(SemilinearParabolic(2, 1.0, 0.0, driver, lambda x: x[0]))) is None
