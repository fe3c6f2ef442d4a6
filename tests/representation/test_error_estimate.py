"""The error that RFM states of itself, and stops at: by field, at the final time, from other fits."""

import math

import pytest
import torch
import ufl

from geometry import interval, rectangle
from mlpde import Dirichlet, Field, Problem, dt
from mlpde.exact import exact_solution
from mlpde.representation.error_estimate import CAUTION, Sample, estimated_errors
from mlpde.solvers.rfm import RFM
from mlpde.solving import as_case


def poisson(exact):
    def weak_form(u, v, omega):
        f = -ufl.div(ufl.grad(exact(omega.x)))
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - f * v) * omega.dx

    return Problem(rectangle(), Field("u"), weak_form, dirichlet=Dirichlet("all", exact), exact=exact)


def cooling(rate=8.0):
    """u = exp(-rate t) sin(pi x): at the end little is left of it, and errors are relative to that."""

    def exact(x, t):
        return ufl.exp(-rate * t) * ufl.sin(ufl.pi * x[0])

    return Problem(
        interval(),
        Field("u"),
        lambda u, v, omega: (dt(u) * v + rate / math.pi**2 * ufl.inner(ufl.grad(u), ufl.grad(v))) * omega.dx,
        dirichlet=Dirichlet("all", 0.0),
        time=(0.0, 1.0),
        initial=lambda x: exact(x, 0),
        exact=exact,
    )


def run(problem, **settings):
    solution = RFM(**settings).solve(problem)
    return solution.error(exact_solution(as_case(problem)))["u"]["l2"], solution.info


def test_a_worse_fit_shows_the_error_per_residual():
    truth = torch.linspace(1, 2, 50, dtype=torch.float64)[:, None]
    wave = torch.sin(7 * truth)
    size = float(wave.norm() / truth.norm())
    best, worse = Sample(1e-6, truth + 1e-7 * wave), Sample(1e-3, truth + 1e-4 * wave)
    assert estimated_errors(best, [worse], [Field("u")])["u"] == pytest.approx(
        CAUTION * 1e-7 * size, rel=1e-2
    )


def test_every_field_and_the_final_time_have_their_own_error():
    values = torch.ones(10, 2, dtype=torch.float64)
    final = torch.arange(10) >= 8
    values[final, 1] = 1e-3  # has decayed
    other = values + 1e-4 * torch.tensor([1.0, 1.0], dtype=torch.float64)
    fields = [Field("u"), Field("v")]
    errors = estimated_errors(Sample(1.0, values), [Sample(1.0, other)], fields, final)
    assert errors["u"] == pytest.approx(CAUTION * 1e-4)
    assert errors["v"] == pytest.approx(CAUTION * 0.1)


@pytest.mark.parametrize("frequency", [3.0, 9.0])
def test_the_estimate_bounds_the_error_and_is_not_far_above_it(frequency):
    problem = poisson(lambda x: ufl.sin(frequency * x[0] + 3 * x[1]) * ufl.exp(-x[1]))
    error, info = run(problem, tolerance=1e-7)
    assert error <= info["estimated_error"]["u"]["l2"] <= 1e-7
    assert info["estimated_error"]["u"]["l2"] < 1000 * error


@pytest.mark.slow
def test_the_tolerance_holds_at_the_final_time_of_what_decays():
    error, info = run(cooling(), tolerance=1e-7)
    assert error <= info["estimated_error"]["u"]["l2"] <= 1e-7
    assert info["residual"] < 1e-8  # a residual of 1e-7 is not enough here


def test_a_search_that_misses_the_tolerance_names_the_field():
    info = run(poisson(lambda x: ufl.tanh(40 * (x[0] - 0.4))), tolerance=1e-9, max_unknowns=900)[1]
    assert any("error of field 'u'" in w and "above the tolerance 1e-09" in w for w in info["warnings"])
