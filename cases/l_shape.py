"""Laplace on the L-shape with the corner singularity r^(2/3) sin(2 theta / 3): what happens when u is not smooth."""

import ufl

from geometry import l_shape
from mlpde import Case, Dirichlet, Field, Problem


def exact(x):
    r = ufl.sqrt(x[0] ** 2 + x[1] ** 2)
    # the angle is taken from the diagonal of the L, so that atan2's branch cut lies outside the domain
    theta = ufl.atan2(-x[0] - x[1], x[1] - x[0]) + 0.75 * ufl.pi
    return r ** (2 / 3) * ufl.sin(2 * theta / 3)


problem = Problem(
    domain=l_shape(1.0),
    fields=Field("u"),
    weak_form=lambda u, v, omega: ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx,
    dirichlet=[Dirichlet("reentrant", 0.0), Dirichlet("outer", exact)],
    exact=exact,
)
case = Case("l_shape", problem, source="P. Grisvard, Elliptic Problems in Nonsmooth Domains, 1985")
