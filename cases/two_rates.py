"""A call spread on the largest of a hundred assets, where borrowing costs more than lending pays (Bergman 1995).

f = -R_l y - (mu - R_l) sum z / sigma + (R_b - R_l) (sum z / sigma - y)^+: the hedge holds sum z / sigma in assets.
"""

import ufl

from mlpde import Case, SemilinearParabolic, largest, total

DRIFT, VOLATILITY, LENDING, BORROWING = 0.06, 0.2, 0.04, 0.06


def driver(t, x, y, z):
    assets = total(z) / VOLATILITY
    borrowed = ufl.max_value(assets - y, 0)
    return -LENDING * y - (DRIFT - LENDING) * assets + (BORROWING - LENDING) * borrowed


def terminal(x):
    best = largest(x)
    return ufl.max_value(best - 120, 0) - 2 * ufl.max_value(best - 150, 0)


def two_rates(dim=100):
    return SemilinearParabolic(
        dim=dim,
        horizon=0.5,
        x0=100.0,
        drift=lambda t, x: DRIFT * x,
        diffusion=lambda t, x: VOLATILITY * x,
        driver=driver,
        terminal=terminal,
    )


problem = two_rates()
case = Case(
    "two_rates",
    problem,
    published={"y0": (21.299, "multilevel Picard, cited in E, Han, Jentzen 2017")},
    source="E, Han, Jentzen, Commun. Math. Stat. 5, 2017, doi:10.1007/s40304-017-0117-6",
)
