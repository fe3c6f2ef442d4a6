"""Plane stress: a plate with a hole, clamped on the left, pulled on the right; the stress is an output."""

import ufl

from cases.forms import plane_stress, strain
from geometry import plate_with_holes
from mlpde import At, Case, Dirichlet, Field, Problem

E, NU = 1.0, 0.3
TRACTION = (0.01, 0.0)


def sigma(u):
    return plane_stress(u, E, NU)


problem = Problem(
    domain=plate_with_holes(width=2.0, height=1.0, holes=[(1.0, 0.5, 0.2)]),
    fields=Field("u", shape=(2,)),
    weak_form=lambda u, v, omega: (
        ufl.inner(sigma(u), strain(v)) * omega.dx - ufl.inner(ufl.as_vector(TRACTION), v) * omega.ds("right")
    ),
    energy=lambda u, omega: (
        ufl.inner(sigma(u), strain(u)) / 2 * omega.dx
        - ufl.inner(ufl.as_vector(TRACTION), u) * omega.ds("right")
    ),
    dirichlet=Dirichlet("left", (0.0, 0.0)),
)
case = Case(
    "clamped_plate_elasticity",
    problem,
    quantities={
        "elongation": At((2.0, 0.5), lambda u, omega: u[0]),
        "strain energy": lambda u, omega: ufl.inner(sigma(u), strain(u)) / 2 * omega.dx,
    },
    outputs={"stress": lambda u, omega: sigma(u)},
    source="defined here; the reference is DOLFINx",
)
