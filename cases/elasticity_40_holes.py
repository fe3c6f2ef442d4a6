"""Plane stress in a plate with 40 holes, some nearly touching, displacement given: the RFM paper's complex geometry."""

from pathlib import Path

import numpy as np
import ufl

from cases.forms import plane_stress
from geometry import plate_with_holes
from mlpde import Case, Dirichlet, Field, Problem

E, NU = 3e7, 0.3
HOLES = np.loadtxt(Path(__file__).parent / "data" / "holes40.csv", delimiter=",", skiprows=1)


def exact(x):
    x, y = x[0], x[1]
    u = y * ((x + 10) * ufl.sin(y) + (y + 5) * ufl.cos(x)) / 10
    v = y * ((30 + 5 * x * ufl.sin(5 * x)) * (4 + ufl.exp(-5 * y)) - 100) / 60
    return ufl.as_vector([u, v])


def weak_form(u, v, omega):
    stress = plane_stress(exact(omega.x), E, NU)
    inside = (ufl.inner(plane_stress(u, E, NU), ufl.grad(v)) + ufl.dot(ufl.div(stress), v)) * omega.dx
    traction = ufl.dot(ufl.dot(stress, omega.n), v)
    return inside - sum(traction * omega.ds(name) for name in ("left", "right", "top", "holes"))


problem = Problem(
    domain=plate_with_holes(8.0, 8.0, [tuple(hole) for hole in HOLES.tolist()]),
    fields=Field("u", shape=(2,)),
    weak_form=weak_form,
    dirichlet=Dirichlet("bottom", exact),
    exact=exact,
)
case = Case(
    "elasticity_40_holes",
    problem,
    outputs={
        "stress x": lambda u, omega: plane_stress(u, E, NU)[0, 0],
        "stress y": lambda u, omega: plane_stress(u, E, NU)[1, 1],
        "shear stress": lambda u, omega: plane_stress(u, E, NU)[0, 1],
    },
    solvers={"rfm": {"features": 200, "partition": (4, 4), "activation": "sin", "scale": 5.0}},
    source="J. Chen, X. Chi, W. E, Z. Yang, J. Machine Learning 1(3), 2022, section 3.2",
)
