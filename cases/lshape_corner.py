"""Poisson on the L-shape, u = r^(2/3) sin(2 theta / 3) (1 + x y): a singularity times a smooth function."""

import ufl

from cases.l_shape import exact as singular
from geometry import l_shape
from mlpde import Case, Dirichlet, Field, Problem


def exact(x):
    return singular(x) * (1 + x[0] * x[1])


def weak_form(u, v, omega):
    slope, x = ufl.grad(singular(omega.x)), omega.x
    laplacian = 2 * (slope[0] * x[1] + slope[1] * x[0])  # both factors are harmonic
    return (ufl.inner(ufl.grad(u), ufl.grad(v)) + laplacian * v) * omega.dx


problem = Problem(
    domain=l_shape(1.0),
    fields=Field("u"),
    weak_form=weak_form,
    dirichlet=[Dirichlet("reentrant", 0.0), Dirichlet("outer", exact)],
    exact=exact,
)
case = Case("lshape_corner", problem, source="P. Grisvard, Elliptic Problems in Nonsmooth Domains, 1985")
