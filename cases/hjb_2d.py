"""Linear-quadratic control of a diffusion: u_t + Lap u - |grad u|^2 = 0, u(T) = g.

w = exp(-u) solves the heat equation.  The square only truncates the plane: this solution is periodic, and the flux
through its sides is zero.
"""

import math

import ufl

from geometry import rectangle
from mlpde import Case, SemilinearParabolic

HORIZON = 0.5


def exact(x, t):
    return -ufl.ln(2 + ufl.exp(-2 * (HORIZON - t)) * ufl.cos(x[0]) * ufl.cos(x[1]))


problem = SemilinearParabolic(
    dim=2,
    horizon=HORIZON,
    x0=0.0,
    diffusion=lambda t, x: math.sqrt(2),
    driver=lambda t, x, y, z: -ufl.dot(z, z) / 2,
    terminal=lambda x: exact(x, HORIZON),
    exact=exact,
    domain=rectangle(-math.pi, -math.pi, math.pi, math.pi),
)
case = Case(
    "hjb_2d",
    problem,
    source="Hopf-Cole transformation; E, Han, Jentzen, Commun. Math. Stat. 5, 2017, doi:10.1007/s40304-017-0117-6",
)
