"""A steel bracket, bolted down, that carries a load in its bore: linear elasticity on a STEP file, in N and mm."""

import math
from pathlib import Path

import ufl

from cases.forms import strain
from geometry import Domain
from mlpde import At, Case, Dirichlet, Field, Problem

YOUNGS_MODULUS, POISSON_RATIO = 210e3, 0.3  # steel, N/mm^2
FORCE = (0.0, -1000.0, -2000.0)  # on the wall of the bore, N
BORE_AREA = 2 * math.pi * 10 * 10  # radius 10, length 10
SIZE = 8.0
TIP = (0.0, 60.0, 80.0)  # the corner at the top


def stress(u, omega=None):
    """Hooke's law."""
    eps = strain(u)
    mu = YOUNGS_MODULUS / (2 * (1 + POISSON_RATIO))
    lame = 2 * mu * POISSON_RATIO / (1 - 2 * POISSON_RATIO)
    return 2 * mu * eps + lame * ufl.tr(eps) * ufl.Identity(3)


def von_mises(u, omega):
    deviator = ufl.dev(stress(u))
    return ufl.sqrt(1.5 * ufl.inner(deviator, deviator))


def energy(u, omega):
    traction = ufl.as_vector([f / BORE_AREA for f in FORCE])
    return ufl.inner(stress(u), strain(u)) / 2 * omega.dx - ufl.dot(traction, u) * omega.ds("load")


problem = Problem(
    domain=Domain.from_file(Path(__file__).parent / "data" / "bracket.step", size=SIZE),
    fields=Field("u", shape=(3,)),
    energy=energy,
    dirichlet=Dirichlet(("base", "bolts"), 0.0),
)
case = Case(
    "bracket_3d",
    problem,
    quantities={
        "strain energy": lambda u, omega: ufl.inner(stress(u), strain(u)) / 2 * omega.dx,
        "deflection of the tip": At(TIP, lambda u, omega: ufl.sqrt(ufl.dot(u, u))),
    },
    outputs={"von Mises stress": von_mises},
    source="no published numbers: see the estimated error",
)
