"""Poisson on the unit square, u = sin(pi x) sin(pi y): the smooth case on which every solver should be at its best."""

import ufl

from geometry import rectangle
from mlpde import Case, Dirichlet, Field, Problem


def exact(x):
    return ufl.sin(ufl.pi * x[0]) * ufl.sin(ufl.pi * x[1])


def weak_form(u, v, omega):
    f = 2 * ufl.pi**2 * exact(omega.x)
    return (ufl.inner(ufl.grad(u), ufl.grad(v)) - f * v) * omega.dx


problem = Problem(
    domain=rectangle(0.0, 0.0, 1.0, 1.0),
    fields=Field("u"),
    weak_form=weak_form,
    dirichlet=Dirichlet("all", 0.0),
    exact=exact,
)
case = Case(
    "square_poisson",
    problem,
    quantities={"integral": lambda u, omega: u * omega.dx},
    published={"integral": (0.405284734569351, "4 / pi^2")},
    source="manufactured solution",
)
