"""Stokes flow past three holes, driven by parabolic profiles at inlet and outlet: no exact solution."""

import ufl

from cases.forms import stokes
from geometry import plate_with_holes
from mlpde import At, Case, Dirichlet, Field, Problem

problem = Problem(
    domain=plate_with_holes(1.0, 1.0, [(0.5, 0.2, 0.1), (0.2, 0.8, 0.1), (0.8, 0.8, 0.1)]),
    fields=[Field("u", shape=(2,)), Field("p", mean_zero=True)],
    weak_form=lambda unknowns, tests, omega: stokes(unknowns, tests) * omega.dx,
    dirichlet=[
        Dirichlet(("bottom", "top", "holes"), (0.0, 0.0), field="u"),
        Dirichlet(("left", "right"), lambda x: ufl.as_vector([x[1] * (1 - x[1]), 0]), field="u"),
    ],
)
case = Case(
    "stokes_driven",
    problem,
    quantities={
        "flow rate out": lambda up, omega: ufl.dot(up[0], omega.n) * omega.ds("right"),
        "dissipation": lambda up, omega: ufl.inner(ufl.grad(up[0]), ufl.grad(up[0])) * omega.dx,
        "speed in the middle": At((0.5, 0.5), lambda up, omega: up[0][0]),
    },
    published={"flow rate out": (1 / 6, "1 / 6")},
    source="J. Chen, X. Chi, W. E, Z. Yang, J. Machine Learning 1(3), 2022; the reference is DOLFINx",
)
