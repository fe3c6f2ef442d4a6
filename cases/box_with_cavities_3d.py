"""Poisson in a box with two spherical cavities, a smooth solution with a wave in every direction."""

import ufl

from geometry import box_with_cavities
from mlpde import Case, Dirichlet, Field, Problem


def exact(x):
    return ufl.sin(2 * x[0] + x[1]) * ufl.cos(1.5 * x[2]) + x[0] * x[1] * x[2]


def weak_form(u, v, omega):
    f = -ufl.div(ufl.grad(exact(omega.x)))
    flux = ufl.dot(ufl.grad(exact(omega.x)), omega.n)
    return (ufl.inner(ufl.grad(u), ufl.grad(v)) - f * v) * omega.dx - flux * v * omega.ds("cavities")


problem = Problem(
    domain=box_with_cavities(
        (0.0, 0.0, 0.0), (2.0, 1.0, 1.0), [(0.5, 0.5, 0.5, 0.25), (1.4, 0.45, 0.5, 0.3)]
    ),
    fields=Field("u"),
    weak_form=weak_form,
    dirichlet=Dirichlet(("left", "right", "front", "back", "bottom", "top"), exact),
    exact=exact,
)
case = Case("box_with_cavities_3d", problem, source="manufactured")
