"""-Lap u = 1 on the square without a slit, u = 0 on all of its boundary: singular at the tip (Deep Ritz paper)."""

import ufl

from geometry import slit_square
from mlpde import Case, Dirichlet, Field, Problem

problem = Problem(
    domain=slit_square(1.0),
    fields=Field("u"),
    weak_form=lambda u, v, omega: (ufl.inner(ufl.grad(u), ufl.grad(v)) - v) * omega.dx,
    energy=lambda u, omega: (ufl.inner(ufl.grad(u), ufl.grad(u)) / 2 - u) * omega.dx,
    dirichlet=Dirichlet("all", 0.0),
)
case = Case(
    "slit_square_constant",
    problem,
    quantities={"energy": problem.energy},
    source="E and Yu, Commun. Math. Stat. 6, 2018, arXiv 1710.00211, section 3.1",
)
