"""A pressure is fixed up to a constant: solvers give the one of mean zero."""

import numpy as np
import pytest
import torch
import ufl

from geometry import rectangle
from mlpde import Dirichlet, Field, Problem
from mlpde.solvers.pinn import PINN
from mlpde.solvers.rfm import RFM


def velocity(x):
    return ufl.as_vector((ufl.sin(x[0]) * ufl.cos(x[1]), -ufl.cos(x[0]) * ufl.sin(x[1])))


def stokes(unknowns, tests, omega):
    (u, p), (v, q) = unknowns, tests
    exact, pressure = velocity(omega.x), omega.x[0] * omega.x[1]
    f = ufl.grad(pressure) - ufl.div(ufl.grad(exact))
    return (
        ufl.inner(ufl.grad(u), ufl.grad(v)) - p * ufl.div(v) + q * ufl.div(u) - ufl.inner(f, v)
    ) * omega.dx


@pytest.mark.parametrize(
    ("solver", "limit"),
    [(RFM(features=200, partition=(1, 1)), 1e-7), (PINN(width=10, depth=2, iterations=25), 0.1)],
    ids=["rfm", "pinn"],
)
def test_a_mean_zero_field_has_mean_zero(solver, limit):
    fields = [Field("u", shape=(2,)), Field("p", mean_zero=True)]
    domain = rectangle(0.0, 0.0, 1.0, 1.0)
    problem = Problem(domain, fields, stokes, dirichlet=Dirichlet("all", velocity, field="u"))
    solution = solver.solve(problem, seed=0)
    points, weights = domain.quadrature(8)
    pressure = solution.evaluate(points)["p"]
    assert abs(weights @ pressure) < 1e-12
    exact = points[:, 0] * points[:, 1] - 0.25
    assert np.sqrt(weights @ (pressure - exact) ** 2 / (weights @ exact**2)) < limit
    assert torch.isfinite(solution.model.shift).all()
