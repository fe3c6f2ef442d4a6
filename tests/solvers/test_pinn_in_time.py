"""PINN on problems in time: one network in space and time, initial and periodic conditions as rows."""

import numpy as np
import pytest
import ufl
from scipy.special import erfc

from geometry import interval, rectangle
from mlpde import Case, Field, Periodic, Problem, case_files, dt
from mlpde.exact import exact_solution
from mlpde.solution import Solution
from mlpde.solvers import solver
from mlpde.solving import solve


def test_the_heat_equation_is_solved_in_space_and_time():
    case = case_files.load("heat_square")
    solution = solve(case, solver("pinn", width=10, depth=2, iterations=30))
    error = solution.error(exact_solution(case))["u"]
    assert max(error["l2"], error["l2_time"]) < 2e-3
    assert np.isfinite(solution([(0.5, 0.5)], t=0.01)).all()


def test_a_nonlinear_wave_runs_through_periodic_boundaries():
    """u_t + c u_x + u^3 = f with u = sin(x - c t): transported out at the right and in at the left."""
    c = 2.0

    def exact(x, t):
        return ufl.sin(x[0] - c * t)

    def weak_form(u, v, omega):
        f = exact(omega.x, omega.t) ** 3
        return (dt(u) + c * u.dx(0) + u**3 - f) * v * omega.dx

    problem = Problem(
        interval(0.0, 2 * np.pi),
        Field("u"),
        weak_form=weak_form,
        periodic=[Periodic("left", "right")],
        time=(0.0, 2.0),
        initial=lambda x: ufl.sin(x[0]),
        exact=exact,
    )
    solution = solve(problem, solver("pinn", width=10, depth=2, iterations=40))
    error = solution.error(exact_solution(Case("wave", problem)))["u"]
    assert error["l2"] < 1e-3
    ends = solution([(0.0,), (2 * np.pi,)], t=1.3)
    assert ends[0] == pytest.approx(ends[1], abs=2e-3)


def test_burgers_exact_solution_satisfies_the_equation():
    """The sum over the nodes of Gauss and Hermite, by finite differences in space and time."""
    case = case_files.load("burgers_1d")
    exact = exact_solution(case)
    x, h, k = np.linspace(-0.9, 0.9, 7)[:, None], 1e-4, 1e-5
    for t in (0.1, 0.2):
        u = exact(x, t=t)
        slope = (exact(x + h, t=t) - exact(x - h, t=t)) / (2 * h)
        bend = (exact(x + h, t=t) - 2 * u + exact(x - h, t=t)) / h**2
        rate = (exact(x, t=t + k) - exact(x, t=t - k)) / (2 * k)
        assert np.abs(rate + u * slope - 0.01 / np.pi * bend).max() < 1e-5


def test_heat_that_sets_in_at_the_start_is_followed_from_the_first_moment():
    """A half space, almost: u = q 2 sqrt(t) ierfc(y / (2 sqrt(t))) until the heat reaches the far side."""
    problem = Problem(
        rectangle(0.0, 0.0, 1.0, 4.0),
        Field("u"),
        lambda u, v, omega: (
            (dt(u) * v + ufl.inner(ufl.grad(u), ufl.grad(v))) * omega.dx - v * omega.ds("bottom")
        ),
        time=(0.0, 0.1),
        initial=0.0,
    )
    solution = solve(problem, solver("pinn", width=6, depth=1, iterations=15))
    x = np.column_stack([np.full(9, 0.5), np.linspace(0.0, 1.0, 9)])
    for t in (1e-4, 0.1):
        z = x[:, 1] / (2 * t**0.5)
        exact = 2 * t**0.5 * (np.exp(-(z**2)) / np.pi**0.5 - z * erfc(z))
        assert np.abs(solution(x, t=t) - exact).max() < 1e-3 * t**0.5


def test_hard_conditions_in_time_hold_exactly_and_are_restored_from_a_file(tmp_path):
    case = case_files.load("burgers_1d")
    solution = solve(case, solver("pinn", width=6, depth=1, iterations=2, conditions="hard"))
    assert solution.info["conditions"] == "hard"
    x = np.linspace(-1.0, 1.0, 21)[:, None]
    assert np.abs(solution(x, t=0.0) + np.sin(np.pi * x[:, 0])).max() < 1e-12
    assert np.abs(solution([(-1.0,), (1.0,)], t=0.7)).max() < 1e-12
    restored = Solution.load(solution.save(tmp_path / "saved"))
    assert np.array_equal(restored(x, t=0.5), solution(x, t=0.5))
