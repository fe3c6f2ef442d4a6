"""A vibrating membrane: u_tt = Lap u on the unit square, held at its edge, in two of its modes."""

import ufl

from geometry import rectangle
from mlpde import At, Case, Dirichlet, Field, Problem, dt

MODES = [(1, 1, 1.0), (2, 1, 0.5)]  # waves in x and y, amplitude


def exact(x, t):
    return sum(
        a
        * ufl.cos((m**2 + n**2) ** 0.5 * ufl.pi * t)
        * ufl.sin(m * ufl.pi * x[0])
        * ufl.sin(n * ufl.pi * x[1])
        for m, n, a in MODES
    )


problem = Problem(
    domain=rectangle(0.0, 0.0, 1.0, 1.0),
    fields=Field("u"),
    weak_form=lambda u, v, omega: (dt(dt(u)) * v + ufl.inner(ufl.grad(u), ufl.grad(v))) * omega.dx,
    dirichlet=Dirichlet("all", 0.0),
    time=(0.0, 1.0),
    initial=(lambda x: exact(x, 0.0), 0.0),
    exact=exact,
)
case = Case(
    "membrane",
    problem,
    quantities={
        "energy": lambda u, omega: (dt(u) ** 2 + ufl.inner(ufl.grad(u), ufl.grad(u))) / 2 * omega.dx,
        "middle": At((0.5, 0.5), lambda u, omega: u),
    },
    published={
        "energy": (4.009527, "13 pi^2 / 32, constant in time"),
        "middle": (-0.266255, "cos(sqrt(2) pi)"),
    },
    source="separation of variables",
)
