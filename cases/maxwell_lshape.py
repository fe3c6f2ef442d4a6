"""Maxwell eigenvalues of the L-shape with perfectly conducting walls, by edge elements; the first field is unbounded.

The target lies above zero, where every gradient of a potential is an eigenfunction.
"""

import ufl

from cases.lshape_eigenvalues import graded_l_shape
from mlpde import Case, Dirichlet, Eigenproblem, Field

problem = Eigenproblem(
    domain=graded_l_shape(1e-4),  # smaller ones drown the zero eigenvalues in rounding
    fields=Field("E", family="Nedelec"),
    stiffness=lambda e, v, omega: ufl.curl(e) * ufl.curl(v) * omega.dx,
    mass=lambda e, v, omega: ufl.inner(e, v) * omega.dx,
    dirichlet=Dirichlet("all", 0.0),
    count=5,
    target=6.5,
)
DAUGE = "M. Dauge, Benchmark computations for Maxwell equations, 2004"
PUBLISHED = (1.47562182397, 3.53403136678, 9.86960440109, 9.86960440109, 11.3894793979)
case = Case(
    "maxwell_lshape",
    problem,
    published={f"eigenvalue {k + 1}": (value, DAUGE) for k, value in enumerate(PUBLISHED)},
    solvers={"fem": {"degree": 3, "size": 0.2, "tolerance": 1e-3}},
    source=DAUGE,
)
