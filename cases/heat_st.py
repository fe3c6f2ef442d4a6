"""Heat equation on [0, 12] x [0, 10], u = 2 sin(pi x / 2) exp(-t)."""

import math

import ufl

from geometry import interval
from mlpde import Case, Dirichlet, Field, Problem, dt

A = math.pi / 2


def exact(x, t):
    return 2 * ufl.sin(A * x[0]) * ufl.exp(-t)


problem = Problem(
    domain=interval(0.0, 12.0),
    fields=Field("u"),
    weak_form=lambda u, v, omega: (dt(u) * v + ufl.inner(ufl.grad(u), ufl.grad(v)) / A**2) * omega.dx,
    dirichlet=Dirichlet("all", 0.0),
    time=(0.0, 10.0),
    initial=lambda x: exact(x, 0),
    exact=exact,
)
case = Case(
    "heat_st",
    problem,
    source="J. Chen, W. E, Y. Luo, The random feature method for time-dependent problems, arXiv:2304.06913",
)
