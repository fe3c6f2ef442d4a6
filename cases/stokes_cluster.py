"""Stokes flow past a cluster of seven disks in a channel: the drag by a volume functional and by the boundary."""

import math

import ufl

from cases.forms import on_obstacles, stokes
from geometry import channel
from mlpde import Case, Dirichlet, Field, Problem

LENGTH, RADIUS, GAP = 3.0, 0.09, 0.01
RING = [(math.cos(k * math.pi / 3), math.sin(k * math.pi / 3)) for k in range(6)]
DISKS = [(1.0 + (2 * RADIUS + GAP) * a, 0.5 + (2 * RADIUS + GAP) * b, RADIUS) for a, b in [(0, 0), *RING]]


def drag(up, omega):
    off = 16 * omega.x[0] * omega.x[1] * (1 - omega.x[1])
    w = on_obstacles(omega.x, DISKS, off) * ufl.as_vector((1, 0))
    return -stokes(up, (w, 0)) * omega.dx


def boundary_drag(up, omega):
    return (up[1] * omega.n - ufl.dot(ufl.grad(up[0]), omega.n))[0] * omega.ds("obstacles")


problem = Problem(
    domain=channel(LENGTH, 1.0, DISKS),
    fields=[Field("u", shape=(2,)), Field("p")],
    weak_form=lambda unknowns, tests, omega: stokes(unknowns, tests) * omega.dx,
    dirichlet=[
        Dirichlet("inlet", lambda x: (4 * x[1] * (1 - x[1]), 0), field="u"),
        Dirichlet(("walls", "obstacles"), (0.0, 0.0), field="u"),
    ],
)
case = Case(
    "stokes_cluster",
    problem,
    quantities={
        "drag": drag,
        "drag by the boundary": boundary_drag,
        "flow rate out": lambda up, omega: up[0][0] * omega.ds("outlet"),
    },
    published={"flow rate out": (2 / 3, "2 / 3")},
    source="defined here; the reference is DOLFINx",
)
