"""Poisson on the unit square with u = x^0.6, singular along a whole side: the source is not square integrable."""

import ufl

from geometry import Domain
from mlpde import Case, Dirichlet, Field, Problem

EXPONENT = 0.6


def build(model):
    square = model.occ.addRectangle(0, 0, 0, 1, 1)
    model.occ.synchronize()
    sides = [tag for _, tag in model.getBoundary([(2, square)], oriented=False)]
    left = next(tag for tag in sides if model.getBoundingBox(1, tag)[3] < 0.5)
    model.addPhysicalGroup(1, [left], name="singular")
    model.addPhysicalGroup(1, [tag for tag in sides if tag != left], name="others")


def exact(x):
    return x[0] ** EXPONENT


def weak_form(u, v, omega):
    f = EXPONENT * (1 - EXPONENT) * omega.x[0] ** (EXPONENT - 2)
    return (ufl.inner(ufl.grad(u), ufl.grad(v)) - f * v) * omega.dx


problem = Problem(
    domain=Domain(2, build),
    fields=Field("u"),
    weak_form=weak_form,
    dirichlet=[Dirichlet("others", exact), Dirichlet("singular", 0.0)],
    exact=exact,
)
case = Case(
    "nist_line_singularity",
    problem,
    quantities={"integral": lambda u, omega: u * omega.dx},
    published={"integral": (0.625, "1 / 1.6")},
    source="W. F. Mitchell, A collection of 2D elliptic problems, NISTIR 7668, 2010",
)
