"""Laplace's equation in ten dimensions, u = x0 x1 + x2 x3 + ... + x8 x9 on the boundary of the unit box.

E and Yu (arXiv 1710.00211, section 3.3) report a relative error of 0.4 % by the Deep Ritz method.
"""

import ufl

from geometry import Box
from mlpde import Case, Dirichlet, Field, Problem


def exact(x):
    return sum(x[k] * x[k + 1] for k in range(0, 10, 2))


def weak_form(u, v, omega):
    return ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx


problem = Problem(
    domain=Box(10),
    fields=Field("u"),
    weak_form=weak_form,
    dirichlet=Dirichlet("all", exact),
    exact=exact,
)
case = Case(
    "laplace_10d",
    problem,
    source="E and Yu, Commun. Math. Stat. 6, 2018, doi:10.1007/s40304-018-0127-z, section 3.3",
)
