"""Allen and Cahn's equation, periodic in space: plateaus of -1 and 1 form, with layers of width 0.01 between them."""

import ufl

from geometry import interval
from mlpde import Case, Field, Periodic, Problem, dt


def weak_form(u, v, omega):
    return (dt(u) * v + 1e-4 * ufl.inner(ufl.grad(u), ufl.grad(v)) - 5 * (u - u**3) * v) * omega.dx


problem = Problem(
    domain=interval(-1.0, 1.0),
    fields=Field("u"),
    weak_form=weak_form,
    periodic=[Periodic("left", "right")],
    time=(0.0, 1.0),
    initial=lambda x: x[0] ** 2 * ufl.cos(ufl.pi * x[0]),
)
case = Case(
    "allen_cahn_1d",
    problem,
    source="M. Raissi, P. Perdikaris, G. E. Karniadakis, J. Comput. Phys. 378, 2019, doi:10.1016/j.jcp.2018.10.045",
)
