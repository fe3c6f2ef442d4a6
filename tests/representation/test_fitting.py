"""Nonlinear problems by random features: exact solutions, hard ones along the load, and failures that are named."""

import pytest
import torch
import ufl

from cases.forms import navier_stokes
from geometry import interval, rectangle
from mlpde import Dirichlet, Field, InputError, Problem
from mlpde.exact import exact_solution
from mlpde.optimize.newton import Linearised, NewtonFailure, newton
from mlpde.representation import fitting
from mlpde.solvers.rfm import RFM
from mlpde.solving import as_case

VISCOSITY = 0.01


def bump(x):
    return 0.3 * ufl.sin(ufl.pi * x[0]) * ufl.sin(ufl.pi * x[1]) * (1 + x[0])


def bratu(u, v, omega):
    f = -ufl.div(ufl.grad(bump(omega.x))) - 2 * ufl.exp(bump(omega.x))
    return (ufl.inner(ufl.grad(u), ufl.grad(v)) - 2 * ufl.exp(u) * v - f * v) * omega.dx


def swirl(x):
    return ufl.as_vector((ufl.sin(2 * x[0]) * ufl.cos(2 * x[1]), -ufl.cos(2 * x[0]) * ufl.sin(2 * x[1])))


def pressure(x):
    return ufl.sin(x[0]) * x[1]


def flow(unknowns, tests, omega):
    u = swirl(omega.x)
    f = ufl.dot(ufl.grad(u), u) - VISCOSITY * ufl.div(ufl.grad(u)) + ufl.grad(pressure(omega.x))
    return (navier_stokes(unknowns, tests, VISCOSITY) - ufl.dot(f, tests[0])) * omega.dx


def layer(x):
    return -ufl.tanh(x[0] / 0.2)


def burgers(u, v, omega):
    return (0.1 * u.dx(0) * v.dx(0) + u * u.dx(0) * v) * omega.dx


def worst_error(problem, solver, seed=0):
    solution = solver.solve(problem, seed=seed)
    return max(e["l2"] for e in solution.error(exact_solution(as_case(problem))).values()), solution


def test_bratu_is_solved_to_rounding_by_a_few_newton_steps():
    problem = Problem(rectangle(), Field("u"), bratu, dirichlet=Dirichlet("all", 0.0), exact=bump)
    error, solution = worst_error(problem, RFM(features=200, partition=(1, 1), tolerance=1e-8))
    assert error < 1e-8
    assert len(solution.info["newton"]) <= 8


def test_navier_stokes_is_solved_to_rounding():
    problem = Problem(
        rectangle(),
        [Field("u", shape=(2,)), Field("p", mean_zero=True)],
        flow,
        dirichlet=Dirichlet("all", swirl, field="u"),
        exact={"u": swirl, "p": pressure},
    )
    error, _ = worst_error(problem, RFM(features=150, partition=(1, 1)))
    assert error < 1e-9


def burgers_problem():
    return Problem(interval(-1.0, 1.0), Field("u"), burgers, dirichlet=Dirichlet("all", layer), exact=layer)


def test_a_layer_of_burgers_equation_is_found():
    """A shift of the layer changes the data by e^-10 of itself: the error is that much larger than the residual."""
    error, _ = worst_error(burgers_problem(), RFM(features=50, partition=(8,), activation="sin", scale=3.0))
    assert error < 1e-6


def test_where_newton_fails_from_zero_the_data_are_scaled_up_step_by_step(monkeypatch):
    calls = []

    def fails_at_first(linearise, x):
        calls.append(x)
        if len(calls) == 1:
            raise NewtonFailure("stalled")
        return newton(linearise, x)

    monkeypatch.setattr(fitting, "newton", fails_at_first)
    error, solution = worst_error(
        burgers_problem(), RFM(features=50, partition=(8,), activation="sin", scale=3.0)
    )
    assert error < 1e-6
    assert [row["load"] for row in solution.info["newton"] if row["step"] == 1] == [0.25, 0.75, 1.0]


def test_larger_candidates_start_from_the_solution_of_smaller_ones():
    problem = Problem(rectangle(), Field("u"), bratu, dirichlet=Dirichlet("all", 0.0), exact=bump)
    error, solution = worst_error(problem, RFM(max_unknowns=500))
    assert error < 1e-6
    first, second = solution.info["history"][:2]
    assert second["newton_steps"] < first["newton_steps"]


def test_a_problem_without_a_solution_is_a_failure_that_names_step_and_residual():
    """u'' + e^u = 0, u = 0 at the ends, scaled beyond the turning point of Bratu's problem."""
    problem = Problem(
        interval(),
        Field("u"),
        lambda u, v, omega: (u.dx(0) * v.dx(0) - 8 * ufl.exp(u) * v) * omega.dx,
        dirichlet=Dirichlet("all", 0.0),
    )
    try:
        solution = RFM(features=50, partition=(1,)).solve(problem)
    except InputError as error:
        assert "Newton's method" in str(error)
        assert "residual" in str(error)
        assert "came to" in str(error)
    else:
        assert solution.info["residual"] > 1e-3
        assert "above the tolerance" in solution.info["warnings"][0]


def test_newton_damps_a_step_that_leads_uphill():
    """atan(x) = 0 from x = 3: full steps diverge."""

    def about(x):
        slope, value = 1 / (1 + x**2), torch.atan(x)
        return Linearised(
            lambda: (-value / slope, 0.0, {}),
            lambda y: float(torch.atan(y).abs()),
            float((slope * x).abs()),
            float((slope * x).abs()),
        )

    x, _, history = newton(about, torch.tensor(3.0, dtype=torch.float64))
    assert abs(float(x)) < 1e-7
    assert history[0]["length"] < 1


def test_newton_names_the_step_where_nothing_lowers_the_residual():
    """A slope of the wrong sign: no step length helps."""

    def about(x):
        return Linearised(lambda: (torch.ones(()), 0.0, {}), lambda y: float(1 + y**2), 1.0, 1.0)

    with pytest.raises(NewtonFailure, match="stalled in step 1"):
        newton(about, torch.zeros(()))
