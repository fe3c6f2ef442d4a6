"""Diffusion and reaction with varying coefficients on an annulus: Dirichlet inside, Robin outside, exact solution."""

import ufl

from geometry import annulus
from mlpde import Case, Dirichlet, Field, Problem


def exact(x):
    return ufl.sin(2 * x[0]) * ufl.exp(x[1])


def kappa(x):
    return 1 + x[0] ** 2 / 2 + ufl.cos(x[1]) / 4


def weak_form(u, v, omega):
    x, n = omega.x, omega.n
    u_exact, reaction = exact(x), 1 + x[1] ** 2
    f = -ufl.div(kappa(x) * ufl.grad(u_exact)) + reaction * u_exact
    g = kappa(x) * ufl.dot(ufl.grad(u_exact), n) + u_exact
    interior = kappa(x) * ufl.inner(ufl.grad(u), ufl.grad(v)) + reaction * u * v - f * v
    return interior * omega.dx + (u - g) * v * omega.ds("outer")


problem = Problem(
    domain=annulus(inner=0.5, outer=1.5, center=(0.0, 0.0)),
    fields=Field("u"),
    weak_form=weak_form,
    dirichlet=Dirichlet("inner", exact),
    exact=exact,
)
case = Case(
    "variable_coefficient",
    problem,
    quantities={
        "flux through the inner circle": lambda u, omega: (
            kappa(omega.x) * ufl.dot(ufl.grad(u), omega.n) * omega.ds("inner")
        )
    },
    source="manufactured solution",
)
