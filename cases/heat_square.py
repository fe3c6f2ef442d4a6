"""The heat equation on the unit square with a source and boundary values that change in time."""

import ufl

from geometry import rectangle
from mlpde import Case, Dirichlet, Field, Problem, dt


def exact(x, t):
    return ufl.exp(-t) * ufl.cos(ufl.pi * x[0]) * ufl.sin(2 * x[1] + t)


def weak_form(u, v, omega):
    g = exact(omega.x, omega.t)
    source = dt(g) - ufl.div(ufl.grad(g))
    return (dt(u) * v + ufl.inner(ufl.grad(u), ufl.grad(v)) - source * v) * omega.dx


problem = Problem(
    domain=rectangle(0.0, 0.0, 1.0, 1.0),
    fields=Field("u"),
    weak_form=weak_form,
    dirichlet=Dirichlet(("bottom", "top"), exact),
    time=(0.0, 1.0),
    initial=lambda x: exact(x, 0.0),
    exact=exact,
)
case = Case(
    "heat_square",
    problem,
    quantities={"integral": lambda u, omega: u * omega.dx},
    published={"integral": (0.0, "symmetry")},
    source="manufactured solution",
)
