"""Heat conduction in a plate with two holes: mixed conditions, varying conductivity, no exact solution."""

import ufl

from geometry import plate_with_holes
from mlpde import Case, Dirichlet, Field, Problem


def conductivity(x):
    return 1 + 0.5 * ufl.sin(x[0])


def weak_form(u, v, omega):
    kappa = conductivity(omega.x)
    return (kappa * ufl.inner(ufl.grad(u), ufl.grad(v)) - v) * omega.dx - 2.0 * v * omega.ds("right")


problem = Problem(
    domain=plate_with_holes(width=2.0, height=1.0, holes=[(0.5, 0.5, 0.15), (1.4, 0.4, 0.2)]),
    fields=Field("u"),
    weak_form=weak_form,
    dirichlet=[Dirichlet("left", 0.0), Dirichlet("holes", lambda x: x[1])],
)
case = Case(
    "plate_with_holes",
    problem,
    quantities={
        "integral": lambda u, omega: u * omega.dx,
        "mean on the right": lambda u, omega: u * omega.ds("right"),
    },
    outputs={"flux": lambda u, omega: -conductivity(omega.x) * ufl.grad(u)},
    source="defined here; the reference is DOLFINx",
)
