"""A quadratic gradient in a hundred dimensions: u_t + 1/2 Lap u + |grad u|^2 = rest(t, x).

u = w(b), w = sin(b^alpha), b = T - t + |x|^2 / d, so that with s = |x|^2
    u_t = -w',    |grad u|^2 = 4 s w'^2 / d^2,    1/2 Lap u = w' + 2 s w'' / d^2.
"""

import math

import ufl

from mlpde import Case, SemilinearParabolic

ALPHA, HORIZON = 0.4, 1.0


def quadratic_gradient(dim=100):
    def exact(x, t):
        return ufl.sin((HORIZON - t + ufl.dot(x, x) / dim) ** ALPHA)

    def driver(t, x, y, z):
        s = ufl.dot(x, x)
        b = ufl.variable(HORIZON - t + s / dim)
        slope = ufl.diff(ufl.sin(b**ALPHA), b)
        curvature = ufl.diff(slope, b)
        rest = 4 * s * slope**2 / dim**2 + 2 * s * curvature / dim**2
        return ufl.dot(z, z) - rest

    return SemilinearParabolic(
        dim=dim, horizon=HORIZON, x0=0.0, driver=driver, terminal=lambda x: exact(x, HORIZON), exact=exact
    )


problem = quadratic_gradient()
case = Case(
    "quadratic_gradient",
    problem,
    published={"y0": (math.sin(HORIZON**ALPHA), "exact solution")},
    source="E, Han, Jentzen, Commun. Math. Stat. 5, 2017, doi:10.1007/s40304-017-0117-6",
)
