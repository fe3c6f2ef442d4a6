"""Poisson in five dimensions, u = m^2 + sin m with the mean m of the coordinates, on (-1, 1)^5.

Zang, Bao, Ye, Zhou solve it by weak adversarial networks.
"""

import ufl

from geometry import Box
from mlpde import Case, Dirichlet, Field, Problem, total

DIM = 5


def exact(x):
    m = total(x) / DIM
    return m**2 + ufl.sin(m)


def weak_form(u, v, omega):
    m = total(omega.x) / DIM
    f = (ufl.sin(m) - 2) / DIM  # |grad m|^2 = 1 / d
    return (ufl.inner(ufl.grad(u), ufl.grad(v)) - f * v) * omega.dx


case = Case(
    "wan_5d",
    Problem(
        domain=Box(DIM, -1.0, 1.0),
        fields=Field("u"),
        weak_form=weak_form,
        dirichlet=Dirichlet("all", exact),
        exact=exact,
    ),
    source="Zang, Bao, Ye, Zhou, J. Comput. Phys. 411, 2020, doi:10.1016/j.jcp.2020.109409",
)
