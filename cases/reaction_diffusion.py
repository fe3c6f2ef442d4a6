"""A reaction with an oscillating solution in a hundred dimensions: u_t + 1/2 Lap u + min(1, (u - u*)^2) = 0.

u* = 1 + kappa + sin(lam sum x) exp(lam^2 d (t - T) / 2) is the solution; lam = 1 / sqrt(d).
"""

import math

import ufl

from mlpde import Case, SemilinearParabolic, total

KAPPA, HORIZON = 0.6, 1.0


def reaction_diffusion(dim=100):
    def exact(x, t):
        return 1 + KAPPA + ufl.sin(total(x) / math.sqrt(dim)) * ufl.exp((t - HORIZON) / 2)

    return SemilinearParabolic(
        dim=dim,
        horizon=HORIZON,
        x0=0.0,
        driver=lambda t, x, y, z: ufl.min_value(1, (y - exact(x, t)) ** 2),
        terminal=lambda x: exact(x, HORIZON),
        exact=exact,
    )


problem = reaction_diffusion()
case = Case(
    "reaction_diffusion",
    problem,
    published={"y0": (1 + KAPPA, "exact solution")},
    source="E, Han, Jentzen, Commun. Math. Stat. 5, 2017, doi:10.1007/s40304-017-0117-6",
)
