"""Linear-quadratic control of a diffusion in a hundred dimensions: u_t + Lap u - lam |grad u|^2 = 0.

w = exp(-lam u) solves the heat equation (Hopf and Cole), so that u(0, 0) is one integral over a chi-square density.
The nonlinearity moves u(0, 0) by 0.2 % at lam = 1, by 24 % at lam = 50.
"""

import math

import ufl

from mlpde import Case, SemilinearParabolic

FAMILY = {5: 4.548505, 10: 4.492929, 20: 4.367139, 30: 4.213607, 40: 4.013074, 50: 3.724176}  # u(0, 0) by lam


def hjb(lam=1.0, dim=100):
    """The equation with control cost 1 / lam."""
    return SemilinearParabolic(
        dim=dim,
        horizon=1.0,
        x0=0.0,
        diffusion=lambda t, x: math.sqrt(2),
        driver=lambda t, x, y, z: -lam * ufl.dot(z, z) / 2,
        terminal=lambda x: ufl.ln((1 + ufl.dot(x, x)) / 2),
    )


problem = hjb()
case = Case(
    "hjb_lq",
    problem,
    published={"y0": (4.59016172, "Hopf-Cole transformation by quadrature; 4.5901 in Han, Jentzen, E 2018")},
    source="Han, Jentzen, E, PNAS 115, 2018, doi:10.1073/pnas.1718942115",
)
