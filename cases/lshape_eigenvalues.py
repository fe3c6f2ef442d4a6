"""Dirichlet eigenvalues of the Laplacian on the L-shape: the first mode is singular in the corner, the third smooth.

The mesh is graded towards the corner, where elements shrink in proportion to the distance from it.
"""

import math

import ufl

from geometry import Domain, l_shape
from mlpde import Case, Dirichlet, Eigenproblem, Field


def graded_l_shape(smallest, size=0.2):
    """The L-shape with elements of `smallest` size in the re-entrant corner and a quarter of the distance around it."""

    def build(model):
        l_shape(1.0).build(model)
        field = model.mesh.field.add("MathEval")
        model.mesh.field.setString(field, "F", f"{smallest} + 0.25 * Sqrt(x * x + y * y)")
        model.mesh.field.setAsBackgroundMesh(field)

    return Domain(2, build, size)


problem = Eigenproblem(
    domain=graded_l_shape(1e-6),  # the error of the first eigenvalue falls with its power 4/3
    fields=Field("u"),
    stiffness=lambda u, v, omega: ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx,
    mass=lambda u, v, omega: u * v * omega.dx,
    dirichlet=Dirichlet("all", 0.0),
    count=3,
)
TREFETHEN = "Betcke, Trefethen, SIAM Review 47(3), 2005, doi:10.1137/S0036144503437336"
case = Case(
    "lshape_eigenvalues",
    problem,
    published={
        "eigenvalue 1": (9.63972384402194, TREFETHEN),
        "eigenvalue 3": (2 * math.pi**2, "sin(pi x) sin(pi y)"),
    },
    solvers={"fem": {"degree": 4, "size": 0.2}},
    source=TREFETHEN,
)
