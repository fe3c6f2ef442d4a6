"""Fisher's equation u_t = Lap u + u (1 - u) in ten dimensions: a front that travels along the diagonal of the unit box.

u = (1 + exp((s - 5 t / sqrt 6) / sqrt 6))^-2 with s = sum x_k / sqrt d, the distance along the diagonal.
"""

import math

import ufl

from geometry import Box
from mlpde import Case, Dirichlet, Field, Problem, dt, total

DIM = 10


def exact(x, t):
    s = total(x) / math.sqrt(DIM)
    return (1 + ufl.exp((s - 5 * t / math.sqrt(6)) / math.sqrt(6))) ** -2


def weak_form(u, v, omega):
    return (dt(u) * v + ufl.inner(ufl.grad(u), ufl.grad(v)) - u * (1 - u) * v) * omega.dx


case = Case(
    "parabolic_10d",
    Problem(
        domain=Box(DIM),
        fields=Field("u"),
        weak_form=weak_form,
        dirichlet=Dirichlet("all", exact),
        time=(0.0, 1.0),
        initial=lambda x: exact(x, 0.0),
        exact=exact,
    ),
    source="Ablowitz and Zeppetella, Bull. Math. Biol. 41, 1979, doi:10.1007/BF02462380",
)
