"""Plane stress: a plate with seven holes that nearly touch, pulled across the ligaments; gaps are 2 % of the radius."""

import math

import ufl

from cases.forms import plane_stress, strain
from geometry import hole_cluster
from mlpde import At, Case, Dirichlet, Field, Problem

SIDE, RADIUS, GAP, TENSION, E, NU = 8.0, 0.5, 0.01, 1.0, 1.0, 0.3


def sigma(u):
    return plane_stress(u, E, NU)


def weak_form(u, v, omega):
    return ufl.inner(sigma(u), strain(v)) * omega.dx - TENSION * v[1] * omega.ds("top")


def resultant(u, omega):
    """Force on the bottom: the weak form tested with a displacement that is 1 there, and 0 at the top."""
    return -weak_form(u, ufl.as_vector([0, 1 - (omega.x[1] / SIDE) ** 2]), omega)


def peak():
    """Hoop stress on the upper left hole, 303.4 degrees around it: where it is largest."""
    angle, pitch = math.radians(303.4), 2 * RADIUS + GAP
    center = (SIDE / 2 - pitch / 2, SIDE / 2 + pitch * math.sqrt(0.75))
    point = (center[0] + RADIUS * math.cos(angle), center[1] + RADIUS * math.sin(angle))
    return At(point, lambda u, omega: ufl.tr(sigma(u)) / TENSION)


problem = Problem(
    domain=hole_cluster(SIDE, SIDE, RADIUS, GAP),
    fields=Field("u", shape=(2,)),
    weak_form=weak_form,
    energy=lambda u, omega: ufl.inner(sigma(u), strain(u)) / 2 * omega.dx - TENSION * u[1] * omega.ds("top"),
    dirichlet=[Dirichlet("left", 0.0, component=0), Dirichlet("bottom", 0.0, component=1)],
)
case = Case(
    "hole_cluster_elasticity",
    problem,
    quantities={
        "peak stress": peak(),
        "force on the bottom": resultant,
        "force on the bottom by its stress": lambda u, omega: sigma(u)[1, 1] * omega.ds("bottom"),
    },
    outputs={"stress": lambda u, omega: sigma(u)},
    published={"force on the bottom": (TENSION * SIDE, "equilibrium")},
    solvers={"fem": {"degree": 3}},  # the stress is asked for at a point
    source="defined here; the reference is DOLFINx",
)
