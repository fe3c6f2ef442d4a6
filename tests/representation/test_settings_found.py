"""What RFM() chooses by itself: activation and scale by probing, the size by the tolerance."""

import math

import pytest
import ufl

from geometry import interval, rectangle
from mlpde import Dirichlet, Field, Problem
from mlpde.exact import exact_solution
from mlpde.solvers.rfm import RFM
from mlpde.solving import as_case


def oscillating(x):
    return ufl.sin(9 * x[0] + 3 * x[1]) * ufl.exp(-x[1])


def poisson(exact, domain):
    def weak_form(u, v, omega):
        f = -ufl.div(ufl.grad(exact(omega.x)))
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - f * v) * omega.dx

    return Problem(domain, Field("u"), weak_form, dirichlet=Dirichlet("all", exact), exact=exact)


def run(problem, solver, seed=0):
    solution = solver.solve(problem, seed=seed)
    return solution.error(exact_solution(as_case(problem)))["u"]["l2"], solution.info


@pytest.mark.slow
def test_the_chosen_settings_are_within_ten_times_of_the_best_of_a_grid():
    problem = poisson(oscillating, rectangle())
    error, info = run(problem, RFM(features=150, partition=(1, 1)))
    best = min(
        run(problem, RFM(features=150, partition=(1, 1), activation=activation, scale=scale))[0]
        for activation, scale in [("sin", s) for s in (1.0, 2.0, 4.0, 6.0, 9.0)]
        + [("tanh", s) for s in (0.5, 1.0, 2.0)]
    )
    assert error < 10 * best
    assert len(info["probes"]) > 1


@pytest.mark.parametrize("seed", range(2))
def test_the_tolerance_is_met_and_bounds_the_error(seed):
    error, info = run(poisson(oscillating, rectangle()), RFM(tolerance=1e-8), seed)
    assert error < 1e-8
    assert info["residual"] <= 1e-8
    assert info["warnings"] == []


def test_settings_that_are_given_are_kept():
    problem = poisson(lambda x: ufl.exp(x[0]), interval())
    info = run(problem, RFM(features=20, partition=(2,), activation="tanh", scale=0.7))[1]
    assert (info["activation"], info["scale"], info["probes"]) == ("tanh", 0.7, [])
    info = run(problem, RFM(features=20, partition=(2,), activation="tanh", tolerance=0.0))[1]
    assert {probe["activation"] for probe in info["probes"]} == {"tanh"}
    info = run(problem, RFM(features=20, partition=(2,), scale=2.5, tolerance=0.0))[1]
    assert {probe["scale"] for probe in info["probes"]} == {2.5}
    assert {probe["activation"] for probe in info["probes"]} == {"sin", "tanh"}


def test_a_tolerance_that_is_missed_is_said():
    error, info = run(
        poisson(lambda x: ufl.tanh(40 * (x[0] - 0.4)), interval()), RFM(features=20, partition=(2,))
    )
    assert error > 1e-8
    assert "above the tolerance" in info["warnings"][0]
    assert math.isfinite(info["residual"])
