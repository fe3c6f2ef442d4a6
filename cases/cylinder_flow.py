"""Navier-Stokes around a cylinder, Re = 20 (benchmark DFG 2D-1): drag and lift by volume functionals.

The force on the cylinder is -(weak form tested with w), w = 1 on the cylinder and 0 on all other boundaries: many times
as accurate as the integral of the stress over the cylinder, which stands beside it.
"""

import ufl

from cases.forms import navier_stokes, on_obstacles
from geometry import channel
from mlpde import At, Case, Dirichlet, Field, Problem

HEIGHT, CENTER, RADIUS, VISCOSITY, SPEED = 0.41, (0.2, 0.2), 0.05, 1e-3, 0.3
FACTOR = 2 / ((2 / 3 * SPEED) ** 2 * 2 * RADIUS)  # of a force, for its coefficient
NABH = "G. Nabh, On high order methods for the stationary incompressible Navier-Stokes equations, 1998"


def volume_force(direction):
    def quantity(up, omega):
        off = omega.x[0] * omega.x[1] * (HEIGHT - omega.x[1]) / (CENTER[0] * CENTER[1] ** 2)
        w = on_obstacles(omega.x, [(*CENTER, RADIUS)], off) * ufl.as_vector(direction)
        return -FACTOR * navier_stokes(up, (w, 0), VISCOSITY) * omega.dx

    return quantity


def boundary_force(direction):
    def quantity(up, omega):
        traction = VISCOSITY * ufl.dot(ufl.grad(up[0]), omega.n) - up[1] * omega.n
        return -FACTOR * ufl.dot(traction, ufl.as_vector(direction)) * omega.ds("obstacles")

    return quantity


problem = Problem(
    domain=channel(2.2, HEIGHT, [(*CENTER, RADIUS)]),
    fields=[Field("u", shape=(2,)), Field("p")],
    weak_form=lambda unknowns, tests, omega: navier_stokes(unknowns, tests, VISCOSITY) * omega.dx,
    dirichlet=[
        Dirichlet("inlet", lambda x: (4 * SPEED * x[1] * (HEIGHT - x[1]) / HEIGHT**2, 0), field="u"),
        Dirichlet(("walls", "obstacles"), (0.0, 0.0), field="u"),
    ],
)
case = Case(
    "cylinder_flow",
    problem,
    quantities={
        "drag": volume_force((1, 0)),
        "lift": volume_force((0, 1)),
        "drag by the boundary": boundary_force((1, 0)),
        "lift by the boundary": boundary_force((0, 1)),
        "pressure in front": At((CENTER[0] - RADIUS, CENTER[1]), lambda up, omega: up[1]),
        "pressure behind": At((CENTER[0] + RADIUS, CENTER[1]), lambda up, omega: up[1]),
    },
    published={"drag": (5.57953523384, NABH), "lift": (0.010618948146, NABH)},
    solvers={"fem": {"degree": 3, "size": 0.06}},
    source="M. Schaefer, S. Turek, Benchmark computations of laminar flow around a cylinder, 1996",
)
