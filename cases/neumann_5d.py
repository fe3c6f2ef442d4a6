"""-Lap u + pi^2 u = 2 pi^2 sum cos(pi x_k) on the unit box in five dimensions, no flux through it: u = sum cos(pi x_k).

E and Yu (arXiv 1710.00211, section 3.4) report a relative error of 1.3 % (d = 5) and 1.9 % (d = 10) by Deep Ritz.
"""

import ufl

from geometry import Box
from mlpde import Case, Field, Problem


def neumann(dim):
    def exact(x):
        return sum(ufl.cos(ufl.pi * x[k]) for k in range(dim))

    def weak_form(u, v, omega):
        f = 2 * ufl.pi**2 * exact(omega.x)
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) + ufl.pi**2 * u * v - f * v) * omega.dx

    return Case(
        f"neumann_{dim}d",
        Problem(domain=Box(dim), fields=Field("u"), weak_form=weak_form, exact=exact),
        source="E and Yu, Commun. Math. Stat. 6, 2018, doi:10.1007/s40304-018-0127-z, section 3.4",
    )


case = neumann(5)
