"""Poisson on the unit square with u = x^0.6, singular along a whole side: the source is not square integrable."""

import ufl

from geometry import rectangle
from mlpde import Case, Dirichlet, Field, Problem

EXPONENT = 0.6


def exact(x):
    return x[0] ** EXPONENT


def weak_form(u, v, omega):
    f = EXPONENT * (1 - EXPONENT) * omega.x[0] ** (EXPONENT - 2)
    return (ufl.inner(ufl.grad(u), ufl.grad(v)) - f * v) * omega.dx


problem = Problem(
    domain=rectangle(),
    fields=Field("u"),
    weak_form=weak_form,
    dirichlet=[Dirichlet(("right", "bottom", "top"), exact), Dirichlet("left", 0.0)],
    exact=exact,
)
case = Case(
    "nist_line_singularity",
    problem,
    quantities={"integral": lambda u, omega: u * omega.dx},
    published={"integral": (0.625, "1 / 1.6")},
    solvers={"fem": {"tolerance": 1e-3}},
    source="W. F. Mitchell, A collection of 2D elliptic problems, NISTIR 7668, 2010",
)
