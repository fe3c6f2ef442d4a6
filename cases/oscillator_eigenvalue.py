"""Harmonic oscillator -Lap u + |x|^2 u = lambda u, u = 0 on the boundary of [-3, 3]^d: d = 1, 5, 10 (Deep Ritz paper).

The published errors are against lambda = d, the least eigenvalue on the whole space; that of the box is 0.08 % higher.
"""

import ufl

from geometry import Box, interval
from mlpde import Case, Dirichlet, Eigenproblem, Field


def oscillator(dim):
    """The case in dimension `dim`."""
    problem = Eigenproblem(
        domain=interval(-3.0, 3.0) if dim == 1 else Box(dim, -3.0, 3.0),
        fields=Field("u"),
        stiffness=lambda u, v, omega: (
            (ufl.inner(ufl.grad(u), ufl.grad(v)) + ufl.dot(omega.x, omega.x) * u * v) * omega.dx
        ),
        mass=lambda u, v, omega: u * v * omega.dx,
        dirichlet=Dirichlet("all", 0.0),
        count=1,
    )
    whole_space = "the whole space: d"
    source = "E and Yu, Commun. Math. Stat. 6, 2018, arXiv 1710.00211, section 4"
    return Case(
        "oscillator_eigenvalue", problem, published={"eigenvalue 1": (float(dim), whole_space)}, source=source
    )


case = oscillator(1)
