"""Poisson with a circular wave front, u = atan(20 (r - 0.7)): a steep layer inside the unit square."""

import ufl

from geometry import rectangle
from mlpde import Case, Dirichlet, Field, Problem

STEEPNESS, CENTER, RADIUS = 20.0, (-0.05, -0.05), 0.7


def exact(x):
    r = ufl.sqrt((x[0] - CENTER[0]) ** 2 + (x[1] - CENTER[1]) ** 2)
    return ufl.atan(STEEPNESS * (r - RADIUS))


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
    "nist_wave_front",
    problem,
    solvers={"fem": {"tolerance": 1e-5}},
    source="W. F. Mitchell, A collection of 2D elliptic problems, NISTIR 7668, 2010",
)
