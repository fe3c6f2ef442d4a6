"""A neo-Hookean block pulled to one and a half times its length: large strains, from the energy."""

import math

import ufl

from cases.forms import neo_hookean_energy
from geometry import cuboid
from mlpde import Case, Dirichlet, Field, Problem

MU, LAME = 1.0, 1.0
# the square of the lateral stretch fixes the axial one: no stress across, mu (s - 1) + lambda ln(l s) = 0
LATERAL = 0.8
AXIAL = math.exp(MU / LAME * (1 - LATERAL)) / LATERAL


def exact(x):
    across = math.sqrt(LATERAL) - 1
    return ufl.as_vector([(AXIAL - 1) * x[0], across * x[1], across * x[2]])


def nominal_stress(u, omega):
    f = ufl.variable(ufl.Identity(3) + ufl.grad(u))
    log_j = ufl.ln(ufl.det(f))
    return MU * f + (LAME * log_j - MU) * ufl.inv(f).T


problem = Problem(
    domain=cuboid(),
    fields=Field("u", shape=(3,)),
    energy=lambda u, omega: neo_hookean_energy(u, MU, LAME) * omega.dx,
    dirichlet=[
        Dirichlet("left", 0.0, component=0),
        Dirichlet("front", 0.0, component=1),
        Dirichlet("bottom", 0.0, component=2),
        Dirichlet("right", AXIAL - 1, component=0),
    ],
    exact=exact,
)
case = Case(
    "neo_hookean_block",
    problem,
    quantities={"force": lambda u, omega: nominal_stress(u, omega)[0, 0] * omega.ds("right")},
    published={"force": (MU * (AXIAL - LATERAL / AXIAL), "uniaxial tension in closed form")},
    solvers={"fem": {"size": 0.4}},  # the exact solution is linear: any mesh will do
    source="J. Bonet, R. D. Wood, Nonlinear Continuum Mechanics for Finite Element Analysis, 2008",
)
