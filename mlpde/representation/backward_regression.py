"""u on a grid of times by regression along samples of the forward equation, backward from t_N = T to t_1.

With multi-step targets along each path, the trapezoidal rule for the driver, and the martingale of the regression
itself as control variate,

    c_n = argmin E |phi_n.c - G_n|^2,   G_n = G_{n+1} + dt/2 (F_n + F_{n+1}) - Z_n.dW_n,   F = f - b.Z,

where b shifts the drift of the samples to mu + sigma b: b = f_z at an earlier regression makes F stationary there, so
that what is wrong with Z enters squared (policy iteration, that is Newton's method for the equation).
Gobet, Lemor, Warin 2005, doi:10.1214/105051605000000412; Bender, Denk 2007, doi:10.1016/j.spa.2007.03.005.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from mlpde.formulation.feynman_kac import antithetic, pair_means, rounding_variance
from mlpde.optimize.normal_equations import NormalEquations
from mlpde.representation.regression_features import (
    Regression,
    RegressionFeatures,
    gradient,
    row_of,
    scale_of,
)

Tensor = torch.Tensor


class Fit(NamedTuple):
    """A regression, the standard error of its y0, and the variance of the residuals over that without martingale."""

    regression: Regression
    standard_error: float
    variance_ratio: float


def fit_backward(
    features: RegressionFeatures,
    steps: int,
    paths: int,
    generator: torch.Generator,
    previous: Regression | None = None,
    part: float = 1.0,
) -> Fit:
    """The regression on `steps` times from `paths` antithetic samples of the forward equation.

    previous: its part * f_z shifts the drift of the samples.  part: of the driver, part * f is solved for.
    The numbers may be nan where the iteration diverges: that is for the caller to see.
    """
    sde = features.sde
    dt = sde.horizon / steps
    x, dw, shifts = [sde.x0.expand(paths, -1)], [], []
    for n in range(steps):
        shift = None
        if previous is not None and "z" in sde.driver_uses:
            value, slope = previous.value_and_gradient(n * dt, x[n])
            by_z = sde.driver_slopes(n * dt, x[n], value, sde.z_of_gradient(n * dt, x[n], slope))[2]
            shift = part * by_z if by_z is not None else None
        dw.append(antithetic(generator, paths, sde.x0) * math.sqrt(dt))
        shifts.append(shift)
        x.append(sde.step(n * dt, dt, x[n], dw[n], shift))

    def integral(n: int, now: Tensor, z_now: Tensor, ahead: Tensor, z_ahead: Tensor) -> Tensor:
        total, shift = now + ahead, shifts[n]
        return 0.5 * dt * (total if shift is None else total - (shift * (z_now + z_ahead)).sum(1))

    target, slope = sde.terminal_gradient(x[-1])
    martingale = torch.zeros_like(target)
    z = sde.z_of_gradient(sde.horizon, x[-1], slope)
    f = part * sde.driver(sde.horizon, x[-1], target, z)
    scales, found = [], []
    c: Tensor | None = None
    for n in range(steps - 1, 0, -1):
        t = n * dt
        bases = features.bases(t, x[n])
        scale = scale_of(x[n], bases)
        row = row_of(x[n], bases, scale)
        equations = NormalEquations(row.phi)
        c = equations.solve(target) if c is None else c
        z_n = sde.z_of_gradient(t, x[n], gradient(row, scale, c))
        c = equations.solve(target + integral(n, f, z, f, z) - (z_n * dw[n]).sum(1))
        for last in (False, True):
            z_n = sde.z_of_gradient(t, x[n], gradient(row, scale, c))
            f_n = part * sde.driver(t, x[n], row.phi @ c, z_n)
            new = target + integral(n, f_n, z_n, f, z) - (z_n * dw[n]).sum(1)
            if not last:
                c = equations.solve(new)
        target, z, f = new, z_n, f_n
        martingale = martingale + (z_n * dw[n]).sum(1)
        scales.append(scale)
        found.append(c)
    regression = Regression(features, tuple(reversed(scales)), torch.stack(found[::-1]), 0.0)
    value, slope = regression.value_and_gradient(0.0, x[0])
    z_0 = sde.z_of_gradient(0.0, x[0], slope)
    y0 = (target + integral(0, f, z, f, z) - (z_0 * dw[0]).sum(1)).mean()
    f_0 = part * sde.driver(0.0, x[0], y0.expand(paths), z_0)
    target = (target + integral(0, f_0, z_0, f, z) - (z_0 * dw[0]).sum(1)).double()
    pairs = pair_means(target)
    error = float(pairs.std()) / math.sqrt(len(pairs))
    regression = Regression(features, regression.scales, regression.coefficients, float(target.mean()))
    plain = float((target + martingale).var())
    return Fit(
        regression, error, float(target.var()) / max(plain, rounding_variance(regression.y0, sde.x0.dtype))
    )
