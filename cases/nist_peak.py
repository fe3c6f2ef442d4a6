"""Poisson with a peak exp(-1000 |x - c|^2) in the middle of the unit square: almost everywhere nothing happens."""

import ufl

from geometry import rectangle
from mlpde import Case, Dirichlet, Field, Problem

CENTER, SHARPNESS = (0.5, 0.5), 1000.0


def exact(x):
    return ufl.exp(-SHARPNESS * ((x[0] - CENTER[0]) ** 2 + (x[1] - CENTER[1]) ** 2))


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
    "nist_peak",
    problem,
    quantities={"integral": lambda u, omega: u * omega.dx},
    published={"integral": (0.0031415926535897933, "pi / 1000")},
    solvers={"fem": {"tolerance": 1e-5}},
    source="W. F. Mitchell, A collection of 2D elliptic problems, NISTIR 7668, 2010",
)
