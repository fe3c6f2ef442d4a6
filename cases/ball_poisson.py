"""-Lap u = 1 in the unit ball: u = (1 - r^2) / 6 is a polynomial, so all of an element's error is the sphere's."""

import math

import ufl

from geometry import ball
from mlpde import At, Case, Dirichlet, Field, Problem


def exact(x):
    return (1 - ufl.dot(x, x)) / 6


problem = Problem(
    domain=ball(1.0),
    fields=Field("u"),
    weak_form=lambda u, v, omega: (ufl.inner(ufl.grad(u), ufl.grad(v)) - v) * omega.dx,
    energy=lambda u, omega: (ufl.inner(ufl.grad(u), ufl.grad(u)) / 2 - u) * omega.dx,
    dirichlet=Dirichlet("sphere", 0.0),
    exact=exact,
)
case = Case(
    "ball_poisson",
    problem,
    quantities={
        "value at the centre": At((0.0, 0.0, 0.0), lambda u, omega: u),
        "integral": lambda u, omega: u * omega.dx,
    },
    published={"value at the centre": (1 / 6, "1 / 6"), "integral": (4 * math.pi / 45, "4 pi / 45")},
    source="separation of variables",
)
