"""A European claim on the smallest of a hundred assets, whose seller may default: Black, Scholes and Barenblatt.

u_t + mu x.grad u + sigma^2/2 sum_i x_i^2 u_ii - ((1 - delta) Q(u) + R) u = 0, u(T) = min_i x_i.  The intensity Q of
default falls from 0.2 (u below 50) to 0.02 (above 70).
"""

import ufl

from mlpde import Case, SemilinearParabolic, smallest

DELTA, RATE, DRIFT, VOLATILITY = 2 / 3, 0.02, 0.02, 0.2
LOW, HIGH = (50.0, 0.2), (70.0, 0.02)  # value of the claim, intensity of default


def intensity(y):
    (v_low, q_low), (v_high, q_high) = LOW, HIGH
    line = q_low + (q_high - q_low) * (y - v_low) / (v_high - v_low)
    return ufl.max_value(q_high, ufl.min_value(q_low, line))


def default_risk(dim=100):
    return SemilinearParabolic(
        dim=dim,
        horizon=1.0,
        x0=100.0,
        drift=lambda t, x: DRIFT * x,
        diffusion=lambda t, x: VOLATILITY * x,
        driver=lambda t, x, y, z: -((1 - DELTA) * intensity(y) + RATE) * y,
        terminal=smallest,
    )


problem = default_risk()
case = Case(
    "default_risk",
    problem,
    published={"y0": (57.300, "multilevel Picard in Han, Jentzen, E 2018; finer runs find 57.290 +- 0.001")},
    source="Han, Jentzen, E, PNAS 115, 2018, doi:10.1073/pnas.1718942115",
)
