"""A pressure is fixed up to a constant: solvers give the one of mean zero."""

import numpy as np
import pytest
import torch
import ufl

from geometry import rectangle
from mlpde import Dirichlet, Field, Problem, Solution, dt
from mlpde.formulation.residual import strong_form
from mlpde.formulation.sampling import collocate, relative_residual
from mlpde.representation.models import NetworkModel
from mlpde.representation.networks import NETWORKS
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


def test_a_mean_zero_field_has_mean_zero_at_every_time(tmp_path):
    """u_t - Lap u + grad p = f, div u = 0, p = xy (1 + t): the equations leave any function of time free in p."""

    def flow(x, t):
        return velocity(x) * ufl.exp(-t)

    def weak_form(unknowns, tests, omega):
        (u, p), (v, q), x, t = unknowns, tests, omega.x, omega.t
        f = (1 + t) * ufl.grad(x[0] * x[1]) - flow(x, t) - ufl.div(ufl.grad(flow(x, t)))
        inside = ufl.inner(dt(u) - f, v) + ufl.inner(ufl.grad(u), ufl.grad(v))
        return (inside - p * ufl.div(v) + q * ufl.div(u)) * omega.dx

    domain = rectangle(0.0, 0.0, 1.0, 1.0)
    problem = Problem(
        domain,
        [Field("u", shape=(2,)), Field("p", mean_zero=True)],
        weak_form,
        dirichlet=Dirichlet("all", flow, field="u"),
        time=(0.0, 1.0),
        initial={"u": lambda x: flow(x, 0.0)},
    )
    solver = RFM(features=200, partition=(1, 1, 1), activation="sin", scale=1.5, time_blocks=2)
    solution = solver.solve(problem)
    points, weights = domain.quadrature(4)
    for t in (0.0, 0.3, 1.0):
        pressure = solution.evaluate(points, t)["p"]
        assert abs(weights @ pressure) < 1e-8
        assert np.abs(pressure - (points[:, 0] * points[:, 1] - 0.25) * (1 + t)).max() < 1e-3
    x, rate = np.array([[0.5, 0.1, 0.4], [0.5, 0.1, 0.8]]), (2,)
    assert np.allclose(solution.model.jets(x, [rate])[rate][:, 2], 0.5 * 0.1 - 0.25, atol=1e-3)
    restored = Solution.load(solution.save(tmp_path / "saved"))
    assert np.array_equal(restored.evaluate(points, 0.3)["p"], solution.evaluate(points, 0.3)["p"])


def test_a_large_constant_in_a_mean_zero_field_hides_no_residual():
    """u = x + constant has the same residual of -Lap u = cos(pi x), du/dn = 0 whatever the constant is."""
    domain = rectangle(0.0, 0.0, 1.0, 1.0)
    problem = Problem(
        domain,
        Field("u", mean_zero=True),
        lambda u, v, omega: (
            (ufl.inner(ufl.grad(u), ufl.grad(v)) - ufl.cos(ufl.pi * omega.x[0]) * v) * omega.dx
        ),
    )
    form = strong_form(problem)
    located = collocate(form, domain, domain.interior(100, seed=0))

    def residual(constant):
        jets = {(): lambda x: x[:, :1] + constant, (0,): lambda x: torch.ones_like(x[:, :1])}
        return relative_residual(
            located,
            lambda part, alphas: {
                a: jets.get(a, lambda x: torch.zeros_like(x[:, :1]))(part.points) for a in alphas
            },
            form.free,
        )

    assert residual(0.0) > 0.1
    assert residual(1e8) == pytest.approx(residual(0.0), rel=1e-6)


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_saved_network_is_the_same_network(kind, tmp_path):
    domain = rectangle(0.0, 0.0, 2.0, 1.0)
    network = kind(2, 1, (0.0, 0.0), (2.0, 1.0), width=5, depth=2)
    model = NetworkModel(network, network.initial(3), torch.ones(1, dtype=torch.float64))
    fields = (Field("u"),)
    restored = Solution.load(
        Solution("pinn", "", fields, model, domain.mesh(), {}, None).save(tmp_path / "one")
    )
    points = domain.interior(20)
    assert restored.model.network == network
    for alpha, values in model.jets(points, [(), (1,), (0, 1)]).items():
        assert np.array_equal(restored.model.jets(points, [alpha])[alpha], values)
