"""Both bounds of u(0, x0), for a driver of two linear functions, from a regression of u."""

from __future__ import annotations

import math

import torch

from mlpde.formulation.control_bounds import Bounds, control_bounds, two_pieces
from mlpde.representation.extreme_values import ExtremeValue
from mlpde.representation.regression_features import Regression

Tensor = torch.Tensor
STEPS, PATHS = 20, 1000


def regression_bounds(regression: Regression, generator: torch.Generator) -> Bounds | None:
    """None where the driver is another one.

    The policy is the regression's; so is the martingale, unless the conditional expectation of g is known, whose gains
    have mean 0 over steps of any length.
    """
    sde, psi = regression.features.sde, regression.features.psi
    pieces = two_pieces(sde)
    if pieces is None:
        return None
    rate = float(pieces.by_y[0])

    def exact_gain(t: float, dt: float, x: Tensor, dw: Tensor) -> Tensor:
        assert isinstance(psi, ExtremeValue)
        return math.exp(rate * (sde.horizon - t)) * psi.increment(t, dt, x, dw)

    def hedged(t: float, dt: float, x: Tensor, dw: Tensor) -> Tensor:
        return (sde.z_of_gradient(t, x, regression.between(t, x)[1]) * dw).sum(1)

    gain = exact_gain if isinstance(psi, ExtremeValue) else hedged
    return control_bounds(sde, pieces, regression.between, gain, STEPS, PATHS, generator)
