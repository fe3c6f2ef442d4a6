"""Poisson on the unit square, u = -g(x) g(y): the first plane example of the RFM paper."""

import ufl

from geometry import rectangle
from mlpde import Case, Dirichlet, Field, Problem


def g(s):
    return 1.5 * ufl.cos(ufl.pi * s + 2 * ufl.pi / 5) + 2 * ufl.cos(2 * ufl.pi * s - ufl.pi / 5)


def exact(x):
    return -g(x[0]) * g(x[1])


def weak_form(u, v, omega):
    f = -ufl.div(ufl.grad(exact(omega.x)))
    return (ufl.inner(ufl.grad(u), ufl.grad(v)) - f * v) * omega.dx


problem = Problem(
    domain=rectangle(),
    fields=Field("u"),
    weak_form=weak_form,
    dirichlet=Dirichlet("all", exact),
    exact=exact,
)
case = Case(
    "poisson_2d",
    problem,
    source="J. Chen, X. Chi, W. E, Z. Yang, J. Machine Learning 1(3), 2022, example 3.2",
)
