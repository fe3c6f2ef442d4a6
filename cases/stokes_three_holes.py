"""Stokes flow in a square with three holes, polynomial solution: the mixed example of the RFM paper."""

import ufl

from cases.forms import stokes
from geometry import plate_with_holes
from mlpde import Case, Dirichlet, Field, Problem


def velocity(x):
    x, y = x[0], x[1]
    u = x + x**2 - 2 * x * y + x**3 - 3 * x * y**2 + x**2 * y
    v = -y - 2 * x * y + y**2 - 3 * x**2 * y + y**3 - x * y**2
    return ufl.as_vector([u, v])


def pressure(x):
    return x[0] * x[1] + x[0] + x[1] + x[0] ** 3 * x[1] ** 2 - 4 / 3


def weak_form(unknowns, tests, omega):
    force = -ufl.div(ufl.grad(velocity(omega.x))) + ufl.grad(pressure(omega.x))
    return (stokes(unknowns, tests) - ufl.dot(force, tests[0])) * omega.dx


problem = Problem(
    domain=plate_with_holes(1.0, 1.0, [(0.5, 0.2, 0.1), (0.2, 0.8, 0.1), (0.8, 0.8, 0.1)]),
    fields=[Field("u", shape=(2,)), Field("p", mean_zero=True)],
    weak_form=weak_form,
    dirichlet=Dirichlet("all", velocity, field="u"),
    exact={"u": velocity, "p": pressure},
)
case = Case(
    "stokes_three_holes",
    problem,
    source="J. Chen, X. Chi, W. E, Z. Yang, J. Machine Learning 1(3), 2022, doi:10.4208/jml.220726",
)
