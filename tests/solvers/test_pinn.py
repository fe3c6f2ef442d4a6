"""PINN: which conditions, inputs, points and optimisers it takes, and what comes of them."""

import numpy as np
import pytest
import ufl

from geometry import l_shape, plate_with_holes, rectangle, slit_square
from mlpde import Case, Dirichlet, Field, Problem
from mlpde.errors import InputError
from mlpde.exact import exact_solution
from mlpde.formulation.residual import strong_form
from mlpde.monitor import Monitor
from mlpde.solution import Solution
from mlpde.solvers.pinn import PINN


def poisson(domain, source=1.0, **settings):
    return Problem(
        domain,
        Field("u"),
        lambda u, v, omega: (ufl.inner(ufl.grad(u), ufl.grad(v)) - source * v) * omega.dx,
        **({"dirichlet": Dirichlet("all", 0.0)} | settings),
    )


def exact(x):
    return ufl.cos(ufl.pi * x[0]) * ufl.exp(x[1])


def manufactured(natural=()):
    """The Laplacian of cos(pi x) e^y, with its values on the boundary, or its fluxes where that is natural."""

    def weak_form(u, v, omega):
        volume = ufl.inner(ufl.grad(u), ufl.grad(v)) - (ufl.pi**2 - 1) * exact(omega.x) * v
        flux = ufl.inner(ufl.grad(exact(omega.x)), omega.n)
        return volume * omega.dx - sum(flux * v * omega.ds(name) for name in natural)

    rest = tuple(name for name in ("left", "right", "bottom", "top") if name not in natural)
    return Problem(
        rectangle(0.0, 0.0, 1.0, 1.0),
        Field("u"),
        weak_form,
        dirichlet=Dirichlet(rest, exact),
        exact=exact,
    )


def error(solution):
    return solution.error(exact_solution(Case("manufactured", solution.problem)))["u"]["l2"]


def test_conditions_are_hard_where_that_is_smooth_and_else_soft():
    one = PINN(width=4, depth=1, iterations=1)
    plate = plate_with_holes(2.0, 1.0, [(0.5, 0.5, 0.15)])
    smooth = one.solve(poisson(plate, dirichlet=[Dirichlet("left", 0.0), Dirichlet("holes", 1.0)]))
    assert smooth.info["conditions"] == "hard"
    values = smooth(plate.boundary("holes", 50)[0])
    assert np.abs(values - 1.0).max() < 1e-10
    assert one.solve(poisson(l_shape(1.0))).info["conditions"] == "soft"
    assert one.solve(manufactured()).info["conditions"] == "soft"


def test_hard_conditions_are_refused_where_there_are_none():
    with pytest.raises(InputError, match="boundary 'slit' does not consist of"):
        PINN(conditions="hard").solve(poisson(slit_square(1.0)))


@pytest.mark.parametrize("conditions", ["hard", "soft"])
def test_both_kinds_of_conditions_solve_the_problem(conditions):
    problem = manufactured(natural=("bottom", "top"))
    solution = PINN(width=10, depth=2, conditions=conditions, iterations=20).solve(problem)
    assert error(solution) < 2e-3 and solution.info["conditions"] == conditions


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        ({"optimizer": "lbfgs", "iterations": 200}, 0.05),
        ({"optimizer": "broyden", "iterations": 150}, 1e-2),
        ({"optimizer": "adam", "iterations": 200, "learning_rate": 2e-2}, 0.3),
    ],
    ids=lambda value: value.get("optimizer") if isinstance(value, dict) else "",
)
def test_every_optimiser_trains_the_network(settings, limit):
    solution = PINN(width=6, depth=2, points=60, **settings).solve(manufactured())
    assert error(solution) < limit
    assert solution.info["optimizer"] == settings["optimizer"]


def test_more_parameters_than_points_are_trained_by_gauss_newton_too():
    solution = PINN(width=30, depth=2, points=150, iterations=15).solve(manufactured())
    assert solution.info["unknowns"] > 2 * solution.info["points"]
    assert solution.info["optimizer"] == "gauss_newton" and error(solution) < 1e-2


class Killed(Exception):
    pass


class Interrupted(Monitor):
    save_every = 0.0

    def update(self, step, total, **figures):
        super().update(step, total, **figures)
        if step == 5:
            raise Killed


def test_a_run_killed_after_its_last_step_knows_its_residual(tmp_path):
    solver, problem = PINN(width=5, depth=1, iterations=4), manufactured()
    monitor = Monitor(tmp_path / "checkpoint")
    monitor.save_every = 0.0
    whole = solver.solve(problem, monitor=monitor)
    again = solver.solve(problem, monitor=Monitor(tmp_path / "checkpoint", resume=True))
    assert again.info["residual"] == whole.info["residual"]


def test_l_bfgs_goes_on_with_its_memory(tmp_path):
    solver, problem = PINN(width=5, depth=1, iterations=8, optimizer="lbfgs"), manufactured()
    whole = solver.solve(problem)
    with pytest.raises(Killed):
        solver.solve(problem, monitor=Interrupted(tmp_path / "checkpoint"))
    resumed = solver.solve(problem, monitor=Monitor(tmp_path / "checkpoint", resume=True))
    x = problem.domain.interior(50)
    assert np.array_equal(whole(x), resumed(x))


@pytest.mark.parametrize("resample", [3, 4])  # the checkpoint is that of step 4
def test_a_killed_run_that_draws_new_points_continues_to_the_same_result(resample, tmp_path):
    solver, problem = PINN(width=6, depth=2, iterations=8, resample=resample), manufactured()
    whole = solver.solve(problem, seed=2)
    with pytest.raises(Killed):
        solver.solve(problem, seed=2, monitor=Interrupted(tmp_path / "checkpoint"))
    resumed = solver.solve(problem, seed=2, monitor=Monitor(tmp_path / "checkpoint", resume=True))
    x = problem.domain.interior(50)
    assert np.array_equal(whole(x), resumed(x)) and resumed.info["residual"] == whole.info["residual"]
    assert not np.array_equal(whole(x), PINN(width=6, depth=2, iterations=8).solve(problem, seed=2)(x))


def test_new_points_are_drawn_where_the_residual_is_large():
    domain, solver = rectangle(0.0, 0.0, 1.0, 1.0), PINN(width=4, depth=1)

    def peak(x):
        return 1e3 * ufl.exp(-200 * ((x[0] - 0.8) ** 2 + (x[1] - 0.8) ** 2))

    form = strong_form(
        Problem(
            domain,
            Field("u"),
            lambda u, v, omega: (ufl.inner(ufl.grad(u), ufl.grad(v)) - peak(omega.x) * v) * omega.dx,
            dirichlet=Dirichlet("all", 0.0),
        )
    )
    network = solver.network(form, domain)
    drawn = solver._drawn(form, domain, network, network.initial(0), 400, 0)
    near = np.linalg.norm(drawn - 0.8, axis=1) < 0.15
    assert drawn.shape == (400, 2) and near.mean() > 3 * np.pi * 0.15**2


def test_a_hard_solution_with_inputs_is_restored_from_its_file(tmp_path):
    plate = plate_with_holes(2.0, 1.0, [(0.5, 0.5, 0.15)])
    problem = poisson(plate, dirichlet=[Dirichlet("left", 0.0), Dirichlet("holes", lambda x: x[1])])
    solver = PINN(width=4, depth=1, iterations=2, inputs=("corners", "holes", "distances"))
    solution, x = solver.solve(problem), plate.interior(30)
    restored = Solution.load(solution.save(tmp_path / "saved"))
    assert restored.model.network == solution.model.network
    assert np.array_equal(restored(x), solution(x)) and np.array_equal(
        restored.gradient(x), solution.gradient(x)
    )


def test_several_equations_at_a_point_make_for_fewer_points():
    """As many equations for each parameter as of one unknown: the cost of a step is in proportion."""

    def elastic(u, v, omega):
        return (ufl.inner(ufl.sym(ufl.grad(u)), ufl.sym(ufl.grad(v))) - v[0]) * omega.dx

    clamped = Problem(
        rectangle(0.0, 0.0, 1.0, 1.0),
        Field("u", shape=(2,)),
        elastic,
        dirichlet=Dirichlet("all", (0.0, 0.0)),
    )
    one, two = (
        PINN(width=8, depth=2, conditions="soft", iterations=1).solve(problem).info
        for problem in (poisson(rectangle(0.0, 0.0, 1.0, 1.0)), clamped)
    )
    assert two["points"] / one["points"] == pytest.approx(two["unknowns"] / one["unknowns"] / 2, rel=0.15)


def test_rows_that_do_not_fit_into_the_memory_are_refused_before_they_are_built(monkeypatch):
    monkeypatch.setattr(PINN, "_rows", lambda *args: pytest.fail("rows were built"))
    with pytest.raises(InputError, match="GiB for 1000000 rows"):
        PINN(width=2000, points=1_000_000, optimizer="gauss_newton").solve(manufactured())
