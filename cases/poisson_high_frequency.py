"""Poisson on the unit square whose solution has a low and a high frequency: 2 pi and 16 pi."""

import ufl

from geometry import rectangle
from mlpde import Case, Dirichlet, Field, Problem


def exact(x):
    low = ufl.sin(2 * ufl.pi * x[0]) * ufl.sin(2 * ufl.pi * x[1])
    return low + 0.1 * ufl.sin(16 * ufl.pi * x[0] + 0.3) * ufl.cos(10 * ufl.pi * x[1])


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
case = Case("poisson_high_frequency", problem, source="manufactured")
