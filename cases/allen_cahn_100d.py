"""Allen and Cahn's equation in a hundred dimensions: u_t + Lap u + u - u^3 = 0, u(T) = 1 / (2 + 0.4 |x|^2).

The solution is a function of t and |x|: one dimension in space gives the reference.
"""

import math

import ufl

from mlpde import Case, SemilinearParabolic


def allen_cahn(dim=100):
    return SemilinearParabolic(
        dim=dim,
        horizon=0.3,
        x0=0.0,
        diffusion=lambda t, x: math.sqrt(2),
        driver=lambda t, x, y, z: y - y**3,
        terminal=lambda x: 1 / (2 + 0.4 * ufl.dot(x, x)),
    )


problem = allen_cahn()
case = Case(
    "allen_cahn_100d",
    problem,
    published={
        "y0": (0.0527813574, "radial equation; 0.0528 by branching diffusions in Han, Jentzen, E 2018")
    },
    source="Han, Jentzen, E, PNAS 115, 2018, doi:10.1073/pnas.1718942115",
)
