"""Laplace on the square without a slit, u = r^(1/2) sin(theta / 2): singular at the tip (Deep Ritz paper)."""

import ufl

from geometry import slit_square
from mlpde import Case, Dirichlet, Field, Problem


def exact(x):
    """With r - x = y^2 / (r + x) on the side of the slit, so that nothing cancels there."""
    r = ufl.sqrt(x[0] ** 2 + x[1] ** 2)
    beside = abs(x[1]) / ufl.sqrt(r + abs(x[0]))
    return ufl.conditional(ufl.gt(x[0], 0.0), beside, ufl.sqrt(r + abs(x[0]))) / ufl.sqrt(2.0)


problem = Problem(
    domain=slit_square(1.0),
    fields=Field("u"),
    weak_form=lambda u, v, omega: ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx,
    energy=lambda u, omega: ufl.inner(ufl.grad(u), ufl.grad(u)) / 2 * omega.dx,
    dirichlet=[Dirichlet("slit", 0.0), Dirichlet("outer", exact)],
    exact=exact,
)
case = Case(
    "slit_square_root", problem, source="E and Yu, Commun. Math. Stat. 6, 2018, arXiv 1710.00211, table 1"
)
