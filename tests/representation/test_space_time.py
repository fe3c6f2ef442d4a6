"""Random features in space and time: heat, wave, Schroedinger; periodic boundaries; blocks of time."""

import math

import numpy as np
import pytest
import ufl

from geometry import interval, rectangle
from mlpde import Dirichlet, Field, InputError, Periodic, Problem, Solution, dt
from mlpde.formulation.space_time import SpaceTime
from mlpde.solvers.rfm import RFM

WAVE_NUMBER = 2 * math.pi / 5


def heat():
    """u_t = u_xx, u = sin(x) exp(-t)."""
    return Problem(
        interval(0.0, math.pi),
        Field("u"),
        lambda u, v, omega: (dt(u) * v + u.dx(0) * v.dx(0)) * omega.dx,
        dirichlet=Dirichlet("all", 0.0),
        time=(0.0, 2.0),
        initial=lambda x: ufl.sin(x[0]),
    )


def wave():
    """u_tt = u_xx, u = sin(x) cos(t)."""
    return Problem(
        interval(0.0, 2 * math.pi),
        Field("u"),
        lambda u, v, omega: (dt(dt(u)) * v + u.dx(0) * v.dx(0)) * omega.dx,
        dirichlet=Dirichlet("all", 0.0),
        time=(0.0, 4.0),
        initial=(lambda x: ufl.sin(x[0]), 0.0),
    )


def schroedinger():
    """i psi_t = -1/2 psi_xx on a circle, psi = u + i v = exp(i (k x - k^2 t / 2))."""

    def weak_form(psi, test, omega):
        (u, v), (a, b) = psi, test
        slopes = v.dx(0) * a.dx(0) - u.dx(0) * b.dx(0)
        return (dt(u) * a + dt(v) * b - slopes / 2) * omega.dx

    return Problem(
        interval(0.0, 5.0),
        [Field("u"), Field("v")],
        weak_form,
        periodic=Periodic("left", "right"),
        time=(0.0, 2.0),
        initial={"u": lambda x: ufl.cos(WAVE_NUMBER * x[0]), "v": lambda x: ufl.sin(WAVE_NUMBER * x[0])},
    )


EXACT = {
    heat: lambda x, t: np.sin(x) * np.exp(-t),
    wave: lambda x, t: np.sin(x) * np.cos(t),
    schroedinger: lambda x, t: np.cos(WAVE_NUMBER * x - WAVE_NUMBER**2 * t / 2),
}


def largest_error(make, solver):
    problem = make()
    solution = solver.solve(problem, seed=0)
    lower, upper = problem.domain.bounding_box[:, 0]
    x = np.linspace(lower, upper, 102)[1:-1]
    errors = [
        np.abs(solution.evaluate(x[:, None], t)["u"] - EXACT[make](x, t)).max()
        for t in np.linspace(*problem.time, 7)
    ]
    return max(errors), solution


@pytest.mark.parametrize(("make", "limit"), [(heat, 1e-8), (wave, 1e-8), (schroedinger, 1e-8)])
@pytest.mark.parametrize("blocks", [1, 2])
def test_all_times_are_solved_at_once_and_in_blocks(make, limit, blocks, tmp_path):
    solver = RFM(features=150, partition=(2, 1), activation="sin", scale=3.0, time_blocks=blocks)
    error, solution = largest_error(make, solver)
    assert error < limit
    restored = Solution.load(solution.save(tmp_path / "saved"))
    x = np.linspace(0.1, 3.0, 9)[:, None]
    for t in (0.3, 1.7):
        assert np.array_equal(restored.evaluate(x, t)["u"], solution.evaluate(x, t)["u"])


def test_more_features_lower_the_error_at_the_rate_of_smooth_solutions():
    errors = [
        largest_error(wave, RFM(features=n, partition=(1, 1), activation="sin", scale=4.0))[0]
        for n in (40, 80, 160)
    ]
    assert errors[1] < errors[0] / 10
    assert errors[2] < errors[1] / 10


def test_settings_are_found_for_a_problem_in_time():
    error, solution = largest_error(heat, RFM(tolerance=1e-8))
    assert error < 1e-7
    assert solution.info["residual"] <= 1e-8


def test_a_periodic_square_matches_values_and_fluxes():
    """-Lap u + u = f with f periodic, u = sin(2 pi x + 1) cos 2 pi y, whose flux through the sides is not zero."""

    def exact(x):
        return ufl.sin(2 * ufl.pi * x[0] + 1) * ufl.cos(2 * ufl.pi * x[1])

    def weak_form(u, v, omega):
        f = exact(omega.x) - ufl.div(ufl.grad(exact(omega.x)))
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) + u * v - f * v) * omega.dx

    periodic = [Periodic("left", "right"), Periodic("bottom", "top")]
    solution = RFM(features=400, partition=(1, 1), activation="sin", scale=6.0).solve(
        Problem(rectangle(), Field("u"), weak_form, periodic=periodic), seed=0
    )
    x = np.random.default_rng(0).random((500, 2))
    known = np.sin(2 * np.pi * x[:, 0] + 1) * np.cos(2 * np.pi * x[:, 1])
    assert np.abs(solution(x) - known).max() < 1e-6
    y = np.linspace(0.05, 0.95, 7)
    left, right = (solution.gradient(np.column_stack([0 * y + side, y])) for side in (0.0, 1.0))
    assert np.abs(left - right).max() < 1e-4


def test_periodic_boundaries_that_do_not_fit_are_refused():
    problem = Problem(
        rectangle(0.0, 0.0, 2.0, 1.0),
        Field("u"),
        lambda u, v, omega: (ufl.inner(ufl.grad(u), ufl.grad(v)) + u * v - v) * omega.dx,
        periodic=Periodic("left", "top"),
    )
    with pytest.raises(InputError, match="'left' and 'top' are no translation of each other"):
        RFM(features=50, partition=(1, 1)).solve(problem)


def test_space_time_points_fill_the_cylinder_and_its_walls():
    cylinder = SpaceTime(interval(0.0, 2.0), 1.0, 4.0)
    assert cylinder.bounding_box.tolist() == [[0.0, 1.0], [2.0, 4.0]]
    inside = cylinder.interior(1000, rule="sobol", seed=0)
    assert np.allclose(inside.mean(0), [1.0, 2.5], atol=0.02)
    points, weights, normals = cylinder.boundary("left", 50)
    assert np.allclose(points[:, 0], 0)
    assert np.all(normals == -1)
    assert np.histogram(points[:, 1], 5, (1.0, 4.0))[0].tolist() == pytest.approx([10] * 5, abs=1)
    assert weights.sum() == pytest.approx(cylinder.length)
    assert cylinder.contains(np.array([[1.0, 2.0], [1.0, 0.5], [2.5, 2.0]])).tolist() == [True, False, False]


def test_a_tolerance_below_double_precision_is_refused():
    with pytest.raises(InputError, match="below what double precision can give"):
        RFM(tolerance=1e-17)
