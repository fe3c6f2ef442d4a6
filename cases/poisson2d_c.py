"""Laplace's equation on a square with four holes: "Poisson2d-C" of a benchmark of physics-informed networks."""

import ufl

from geometry import Domain
from mlpde import Case, Dirichlet, Field, Problem


def build(model):
    square = model.occ.addRectangle(-0.5, -0.5, 0.0, 1.0, 1.0)
    disks = [(2, model.occ.addDisk(x, y, 0.0, 0.1, 0.1)) for x in (-0.3, 0.3) for y in (-0.3, 0.3)]
    model.occ.cut([(2, square)], disks)
    model.occ.synchronize()
    curves = [tag for _, tag in model.getEntities(1)]
    outer = [tag for tag in curves if model.getType(1, tag) == "Line"]
    model.addPhysicalGroup(1, outer, name="outer")
    model.addPhysicalGroup(1, [tag for tag in curves if tag not in outer], name="holes")


problem = Problem(
    domain=Domain(2, build),
    fields=Field("u"),
    weak_form=lambda u, v, omega: ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx,
    dirichlet=[Dirichlet("outer", 1.0), Dirichlet("holes", 0.0)],
)
case = Case(
    "poisson2d_c",
    problem,
    quantities={"integral": lambda u, omega: u * omega.dx},
    source="PINNacle, arXiv 2306.08827: Poisson2d-C, best error there 1.2e-2; the reference is DOLFINx",
)
