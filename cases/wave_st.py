"""Wave equation on [0, 6 pi] x [0, 10], two standing waves."""

import math

import ufl

from geometry import interval
from mlpde import Case, Dirichlet, Field, Problem, dt


def exact(x, t):
    slow = ufl.cos(t) * ufl.sin(x[0])
    return slow + (ufl.cos(2 * t) + ufl.sin(2 * t) / 2) * ufl.sin(2 * x[0]) / 2


problem = Problem(
    domain=interval(0.0, 6 * math.pi),
    fields=Field("u"),
    weak_form=lambda u, v, omega: (dt(dt(u)) * v + ufl.inner(ufl.grad(u), ufl.grad(v))) * omega.dx,
    dirichlet=Dirichlet("all", 0.0),
    time=(0.0, 10.0),
    initial=(lambda x: exact(x, 0), lambda x: ufl.sin(2 * x[0]) / 2),
    exact=exact,
)
case = Case(
    "wave_st",
    problem,
    source="domain and time of J. Chen, W. E, Y. Luo, arXiv:2304.06913; the waves are ours",
)
