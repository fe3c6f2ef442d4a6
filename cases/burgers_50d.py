"""An equation of Burgers' type in fifty dimensions: u_t + d^2/2 Lap u + (u - (2 + d) / (2 d)) d sum_i u_i = 0.

u = 1 / (1 + exp(-t - sum x / d)).
"""

import ufl

from mlpde import Case, SemilinearParabolic, total

HORIZON = 0.2


def burgers(dim=50):
    def exact(x, t):
        return 1 / (1 + ufl.exp(-t - total(x) / dim))

    return SemilinearParabolic(
        dim=dim,
        horizon=HORIZON,
        x0=0.0,
        diffusion=lambda t, x: float(dim),
        driver=lambda t, x, y, z: (y - (2 + dim) / (2 * dim)) * total(z),
        terminal=lambda x: exact(x, HORIZON),
        exact=exact,
    )


problem = burgers()
case = Case(
    "burgers_50d",
    problem,
    published={"y0": (0.5, "exact solution")},
    source="E, Han, Jentzen, Commun. Math. Stat. 5, 2017, doi:10.1007/s40304-017-0117-6",
)
