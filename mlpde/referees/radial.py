"""u(0, x0) of a problem that no rotation changes, as a function of time and q = |x|^2.

With drift 0 and sigma = s a number, u(t, x) = v(t, q) satisfies, at any unit vector e and r = sqrt(q),

    v_t + s^2/2 (4 q v_qq + 2 d v_q) + f(t, r e, v, 2 s v_q r e) = 0,    v(T, q) = g(r e).

Chebyshev collocation in q on [0, Q], the implicit Runge-Kutta method Radau IIA in time (Hairer and Wanner 1999,
doi:10.1016/S0377-0427(99)00134-X).  At Q, where paths from x0 hardly come, v moves by the driver alone.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.interpolate import BarycentricInterpolator

from mlpde.errors import InputError
from mlpde.formulation.stochastic import ForwardBackwardSDE
from mlpde.problem import SemilinearParabolic
from mlpde.referees import ROTATIONS, Referee, check_radial, isotropic_noise, rotated

REACH = 8.0  # standard deviations beyond the typical |x| at the end: Q
DEGREES = (32, 64, 128, 256, 512)
STEP_TOLERANCE = 1e-9  # of Radau, relative


def radial(problem: SemilinearParabolic, tolerance: float = 1e-9) -> Referee:
    """u(0, x0): degrees are doubled until two values, the second on a larger interval, agree to `tolerance` (relative).

    Raises InputError if the problem is not radial, or if the largest degree does not suffice.
    """
    sde = ForwardBackwardSDE(problem)
    s = _check(sde)
    values: list[float] = []
    for k, degree in enumerate(DEGREES):
        values.append(_value(sde, s, degree, REACH + k))
        if k and abs(values[-1] - values[-2]) <= tolerance * abs(values[-1]):
            return Referee(values[-1], abs(values[-1] - values[-2]) + STEP_TOLERANCE * abs(values[-1]))
    raise InputError(
        f"the radial equation is not resolved by {DEGREES[-1]} Chebyshev points: the last values are "
        f"{values[-2]:.10g} and {values[-1]:.10g}, asked is a relative tolerance of {tolerance:g}"
    )


def _check(sde: ForwardBackwardSDE) -> float:
    """s; InputError unless f(t, x, y, c x) and g(x) depend on x through |x| alone."""
    random = torch.Generator().manual_seed(0)
    spread = float(sde.x0.norm()) + math.sqrt(sde.horizon)
    x = torch.randn(ROTATIONS, sde.dim, generator=random, dtype=torch.float64) * spread
    other = rotated(x, random)
    s = isotropic_noise(sde, x)
    check_radial("terminal", sde.terminal(x), sde.terminal(other))
    y = torch.randn(ROTATIONS, generator=random, dtype=torch.float64)
    c = torch.randn(ROTATIONS, 1, generator=random, dtype=torch.float64) / spread
    t = sde.horizon / 3
    check_radial("driver", sde.driver(t, x, y, c * x), sde.driver(t, other, y, c * other))
    return s


def _value(sde: ForwardBackwardSDE, s: float, degree: int, reach: float) -> float:
    far = (float(sde.x0.norm()) + abs(s) * math.sqrt(sde.horizon) * (math.sqrt(sde.dim) + reach)) ** 2
    nodes, first = chebyshev(degree)
    q, first = far * (1 + nodes) / 2, first * 2 / far
    linear = s**2 / 2 * (4 * q[:, None] * (first @ first) + 2 * sde.dim * first)
    linear[0] = 0.0
    x = torch.zeros(degree + 1, sde.dim, dtype=torch.float64)
    x[:, 0] = torch.from_numpy(np.sqrt(q))

    def driver(tau: float, v: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """f, f_v, f_(v_q) at the nodes."""
        z = 2 * s * torch.from_numpy(first @ v)[:, None] * x
        f, by_y, by_z = sde.driver_slopes(sde.horizon - tau, x, torch.from_numpy(v), z)
        zero = torch.zeros_like(f)
        slope = zero if by_z is None else 2 * s * (by_z * x).sum(1)
        return f.numpy(), (zero if by_y is None else by_y).numpy(), slope.numpy()

    def rate(tau: float, v: NDArray) -> NDArray:
        return linear @ v + driver(tau, v)[0]

    def jacobian(tau: float, v: NDArray) -> NDArray:
        _, by_v, by_slope = driver(tau, v)
        return linear + np.diag(by_v) + by_slope[:, None] * first

    start = sde.terminal(x).numpy()
    scale = float(np.abs(start).max())
    found = solve_ivp(
        rate,
        (0.0, sde.horizon),
        start,
        method="Radau",
        rtol=STEP_TOLERANCE,
        atol=STEP_TOLERANCE * scale * 1e-3,
        jac=jacobian,
        t_eval=[sde.horizon],
    )
    if not found.success:
        raise InputError(f"the radial equation cannot be followed to t = 0: {found.message}")
    at = float(sde.x0.square().sum())
    return float(BarycentricInterpolator(q, found.y[:, -1])(at))


def chebyshev(degree: int) -> tuple[NDArray, NDArray]:
    """The nodes cos(pi k / n) (n + 1,), from 1 to -1, and the matrix that differentiates at them.

    Trefethen, Spectral Methods in MATLAB, 2000, doi:10.1137/1.9780898719598, chapter 6.
    """
    k = np.arange(degree + 1)
    nodes = np.cos(np.pi * k / degree)
    signs = np.where((k == 0) | (k == degree), 2.0, 1.0) * (-1.0) ** k
    differences = nodes[:, None] - nodes + np.eye(degree + 1)
    matrix = np.outer(signs, 1 / signs) / differences
    return nodes, matrix - np.diag(matrix.sum(1))
