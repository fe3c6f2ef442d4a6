"""What RFM says of problems, data and settings that cannot give what was asked."""

import numpy as np
import pytest
import ufl

from geometry import interval, rectangle
from mlpde import Dirichlet, Field, InputError, Problem, dt
from mlpde.exact import exact_solution
from mlpde.formulation.residual import strong_form
from mlpde.representation.fits import Fits
from mlpde.representation.search import Search
from mlpde.solvers.rfm import RFM
from mlpde.solving import as_case

SMALL = {"features": 60, "partition": (2, 2), "activation": "sin", "scale": 1.5}


def poisson(source, value=0.0):
    def weak_form(u, v, omega):
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - source(omega.x) * v) * omega.dx

    return Problem(rectangle(), Field("u"), weak_form, dirichlet=Dirichlet("all", value))


def test_time_blocks_of_a_steady_problem_are_refused():
    with pytest.raises(InputError, match=r"rfm.time_blocks=3 splits time, and the problem has none"):
        RFM(time_blocks=3, **SMALL).solve(poisson(lambda x: 1.0))


def test_a_residual_just_above_the_tolerance_is_told_with_more_digits():
    problem = poisson(lambda x: ufl.sin(3 * x[0]))
    residual = RFM(**SMALL).solve(problem).info["residual"]
    tolerance = residual * (1 - 1e-3)
    told = next(w for w in RFM(tolerance=tolerance, **SMALL).solve(problem).info["warnings"] if "above" in w)
    assert f"is {residual:.6e}, above the tolerance {tolerance:g}: " in told
    assert told.endswith("unless the solution is singular or the data contradict each other")


def test_a_source_between_the_points_is_named_and_no_data_are_not():
    def spike(x):
        return ufl.exp(-((x[0] - 0.512) ** 2 + (x[1] - 0.487) ** 2) / 1e-7)

    assert any("the data vanish at every" in w for w in RFM(**SMALL).solve(poisson(spike)).info["warnings"])
    assert RFM(**SMALL).solve(poisson(lambda x: 0.0)).info["warnings"] == []


def test_newton_starts_from_the_boundary_values_where_the_equation_vanishes_at_zero():
    def exact(x):
        return ufl.sin(2 * x[0]) * ufl.cos(x[1]) + 2

    def weak_form(u, v, omega):
        f = -ufl.div(exact(omega.x) ** 3 * ufl.grad(exact(omega.x)))
        return (u**3 * ufl.inner(ufl.grad(u), ufl.grad(v)) - f * v) * omega.dx

    problem = Problem(rectangle(), Field("u"), weak_form, dirichlet=Dirichlet("all", exact), exact=exact)
    solution = RFM(**SMALL).solve(problem)
    assert solution.error(exact_solution(as_case(problem)))["u"]["l2"] < 1e-3


def test_a_nonlinear_problem_without_a_solution_is_given_up_soon():
    def bratu(u, v, omega):
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - 30 * ufl.exp(u) * v) * omega.dx

    problem = Problem(rectangle(), Field("u"), bratu, dirichlet=Dirichlet("all", 0.0))
    fits = Fits(RFM(features=30), strong_form(problem), problem.domain, problem.fields, 0)
    with pytest.raises(InputError, match="Newton's method"):
        Search(fits, lambda *a, **k: None).best()
    assert fits.failures == 3


def test_warnings_and_facts_of_time_blocks_are_those_of_each():
    def heat(u, v, omega):
        return (dt(u) * v + ufl.inner(ufl.grad(u), ufl.grad(v))) * omega.dx

    problem = Problem(
        interval(),
        Field("u"),
        heat,
        dirichlet=Dirichlet("all", 0.0),
        time=(0.0, 1.0),
        initial=lambda x: ufl.sin(np.pi * x[0]),
    )
    solver = RFM(features=20, partition=(1, 1), activation="sin", scale=1.5, time_blocks=2)
    info = solver.solve(problem).info
    assert {w.split(":")[0] for w in info["warnings"]} == {"from t = 0 to 0.5", "from t = 0.5 to 1"}
    first, last = info["time_blocks"]
    assert first["least_squares"]["rows"] == last["least_squares"]["rows"] > 0
    assert info["least_squares"] == last["least_squares"] != first["least_squares"]
    assert info["residual"] == max(first["residual"], last["residual"])


@pytest.mark.parametrize("partition", [None, (3, 2)])
def test_few_unknowns_are_not_exceeded(partition):
    info = RFM(max_unknowns=50, partition=partition).solve(poisson(lambda x: 1.0)).info
    assert 0 < info["unknowns"] <= 50


def test_fewer_unknowns_than_subdomains_are_refused():
    with pytest.raises(InputError, match=r"max_unknowns=5 is too few: .* are 6 unknowns"):
        RFM(max_unknowns=5, partition=(3, 2), corners=False).solve(poisson(lambda x: 1.0))


@pytest.mark.parametrize("most", [500, 3000])
def test_max_unknowns_holds_on_a_long_domain(most):
    problem = poisson(lambda x: 1.0)
    strip = rectangle(0.0, 0.0, 10.0, 0.1)
    fits = Fits(RFM(max_unknowns=most), strong_form(problem), strip, problem.fields, 0)
    sizes = [np.prod(cells) * count for cells, count in fits.candidates()]
    assert sizes
    assert max(sizes) <= most
