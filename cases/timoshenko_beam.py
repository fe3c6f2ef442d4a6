"""A cantilever under a shear load at its end, plane stress: the solution is a cubic polynomial."""

import ufl

from cases.forms import plane_stress
from geometry import rectangle
from mlpde import Case, Dirichlet, Field, Problem

E, NU = 3e7, 0.3
LENGTH, DEPTH, LOAD = 10.0, 10.0, 1000.0
INERTIA = DEPTH**3 / 12


def exact(x):
    x, y = x[0], x[1]
    u = -y * ((6 * LENGTH - 3 * x) * x + (2 + NU) * (y**2 - DEPTH**2 / 4))
    v = 3 * NU * y**2 * (LENGTH - x) + (4 + 5 * NU) * DEPTH**2 * x / 4 + (3 * LENGTH - x) * x**2
    return LOAD / (6 * E * INERTIA) * ufl.as_vector([u, v])


def weak_form(u, v, omega):
    traction = ufl.dot(plane_stress(exact(omega.x), E, NU), omega.n)
    inside = ufl.inner(plane_stress(u, E, NU), ufl.grad(v)) * omega.dx
    return inside - sum(ufl.dot(traction, v) * omega.ds(name) for name in ("right", "top", "bottom"))


problem = Problem(
    domain=rectangle(0.0, -DEPTH / 2, LENGTH, DEPTH / 2),
    fields=Field("u", shape=(2,)),
    weak_form=weak_form,
    dirichlet=Dirichlet("left", exact),
    exact=exact,
)
case = Case(
    "timoshenko_beam",
    problem,
    outputs={"stress": lambda u, omega: plane_stress(u, E, NU)},
    source="S. Timoshenko, J. N. Goodier, Theory of Elasticity, 1970, section 21",
)
