"""u'' - 4 u = f on [0, 8], u = sin(3 pi x + 3 pi / 20) cos(2 pi x + pi / 10) + 2: first table of the RFM paper."""

import ufl

from geometry import interval
from mlpde import Case, Dirichlet, Field, Problem


def exact(x):
    return ufl.sin(3 * ufl.pi * (x[0] + 0.05)) * ufl.cos(2 * ufl.pi * (x[0] + 0.05)) + 2


def weak_form(u, v, omega):
    u_exact = exact(omega.x)
    f = ufl.div(ufl.grad(u_exact)) - 4 * u_exact
    return (ufl.inner(ufl.grad(u), ufl.grad(v)) + 4 * u * v + f * v) * omega.dx


problem = Problem(
    domain=interval(0.0, 8.0),
    fields=Field("u"),
    weak_form=weak_form,
    dirichlet=Dirichlet("all", exact),
    exact=exact,
)
case = Case(
    "helmholtz_1d",
    problem,
    source="J. Chen, X. Chi, W. E, Z. Yang, J. Machine Learning 1(3), 2022, example 3.1",
)
