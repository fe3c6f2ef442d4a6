"""Difference formulas for the rate at the end of a step, from known values x and rates x' of earlier times,

    x'(t) = a x(t) + sum_j values[j] x_j + sum_j rates[j] x'_j,        j = 0 the latest.

Applied to u it gives the rate, applied to the rate the second one: so one formula serves both orders in time.

BDF2     of variable steps, L-stable.  C. W. Gear, Numerical Initial Value Problems in ODEs, 1971.
theta    the trapezoidal rule, theta = 1/2; on a second rate it is Newmark's method with beta = 1/4, gamma = 1/2, which
         keeps the energy.  N. M. Newmark, J. Eng. Mech. Div. 85(3), 1959.
SDIRK2   two stages, L-stable, needs no rate at the start: it begins a run.
         R. Alexander, SIAM J. Numer. Anal. 14(6), 1977, doi:10.1137/0714068
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GAMMA = 1 - np.sqrt(0.5)  # SDIRK2's stages lie at GAMMA and 1
STENCIL = 4  # values that interpolate in time


@dataclass(frozen=True)
class Formula:
    """x' = a x + sum_j values[j] x_j + sum_j rates[j] x'_j.

    error: C of the local error C k^3 x''' of a step k.
    """

    a: float
    values: tuple[float, ...]
    rates: tuple[float, ...] = ()
    error: float = 0.0

    def history(self, levels: Sequence[Sequence[NDArray]]) -> list[NDArray]:
        """The known part of the rate and of the second rate; levels[j] = (x_j, x'_j, x''_j)."""
        return [
            sum(
                (c * level[order] for c, level in zip(self.values, levels, strict=False) if c),
                start=np.zeros_like(levels[0][0]),
            )
            + sum(c * level[order + 1] for c, level in zip(self.rates, levels, strict=False) if c)
            for order in (0, 1)
        ]


def euler(k: float) -> Formula:
    """Implicit Euler."""
    return Formula(1 / k, (-1 / k,))


def bdf2(k: float, previous: float) -> Formula:
    """BDF2 for a step k after one of length `previous`."""
    w = k / previous
    a = (1 + 2 * w) / (1 + w) / k
    return Formula(a, (-(1 + w) / k, w**2 / (1 + w) / k), error=(1 + w) ** 2 / (6 * w * (1 + 2 * w)))


def theta(k: float) -> Formula:
    """The trapezoidal rule."""
    return Formula(2 / k, (-2 / k,), (-1.0,), error=1 / 12)


def sdirk2(k: float) -> tuple[Formula, Formula]:
    """The two stages of a step; for the second one the first stage is the latest value."""
    a = 1 / (GAMMA * k)
    return Formula(a, (-a,)), Formula(a, (0.0, -a), (-(1 - GAMMA) / GAMMA,))


def lagrange_weights(nodes: NDArray, t: NDArray, derivative: int = 0) -> NDArray:
    """Weights (n, m) of the values at nodes (n, m) for the interpolating polynomial, or its derivative, at t (n,)."""
    count = nodes.shape[1]
    # Taylor's conditions: sum_j w_j (x_j - t)^p = p! if p is the derivative wanted, else 0; scaled to the nodes' span
    span = np.ptp(nodes, axis=1)
    powers = ((nodes - t[:, None]) / span[:, None])[:, None, :] ** np.arange(count)[:, None]
    right = np.zeros((len(t), count, 1))
    right[:, derivative] = float(max(1, derivative))  # 0! = 1! = 1, 2! = 2
    return np.linalg.solve(powers, right)[..., 0] / span[:, None] ** derivative


def third_derivative(times: Sequence[float], values: Sequence[NDArray]) -> NDArray:
    """Of the cubic through four values."""
    table = list(values)
    for order in range(1, 4):
        table = [(table[i + 1] - table[i]) / (times[i + order] - times[i]) for i in range(len(table) - 1)]
    return 6 * table[0]


def stencil(times: NDArray, t: NDArray) -> NDArray:
    """Numbers (n, 4) of the times around each t (n,), two on either side where there are; fewer if there are fewer."""
    count = min(STENCIL, len(times))
    first = np.searchsorted(times, t, side="right") - count // 2
    return first.clip(0, len(times) - count)[:, None] + np.arange(count)
