"""Weak adversarial networks: what the weak residual allows that the strong one does not, and the published training."""

import pytest
import ufl

from geometry import Box, interval, rectangle
from mlpde import Case, Dirichlet, Field, InputError, Problem, case_files
from mlpde.exact import exact_solution
from mlpde.monitor import Monitor
from mlpde.solvers.pinn import PINN
from mlpde.solvers.wan import WAN


def box_problem():
    return Problem(
        Box(2, 0.0, 1.0),
        Field("u"),
        weak_form=lambda u, v, omega: (ufl.inner(ufl.grad(u), ufl.grad(v)) - 2 * v) * omega.dx,
        dirichlet=Dirichlet("all", lambda x: x[0] * (1 - x[0])),
        exact=lambda x: x[0] * (1 - x[0]),
    )


def test_the_smooth_square_is_solved_and_the_residual_tells_the_error_in_h1():
    case = case_files.load("square_poisson")
    solution = WAN(iterations=20).solve(case.problem)
    error = solution.error(exact_solution(case))["u"]
    assert error["l2"] < 3e-6
    assert 0.3 < solution.info["residual"] / error["h1"] < 3
    assert solution.info["tests"] > 1.5 * solution.info["unknowns"]


def test_a_flux_that_jumps_between_regions_is_solved_where_the_strong_form_refuses():
    case = case_files.load("annulus_interface")
    with pytest.raises(InputError, match="flux differs between the regions"):
        PINN().solve(case.problem)
    solution = WAN(width=10, iterations=30).solve(case.problem)
    assert solution.error(exact_solution(case))["u"]["l2"] < 0.05


def test_two_fields_are_tested_each_in_its_own_norm():
    """A first-order system: no equation contains the gradient of a test function, so both hold in L2."""

    def weak_form(fields, tests, omega):
        (u, p), (v, q) = fields, tests
        return ((u.dx(0) - p) * v + (p.dx(0) + p.dx(1) + ufl.sin(omega.x[0])) * q) * omega.dx

    problem = Problem(
        rectangle(0.0, 0.0, 1.0, 1.0),
        [Field("u"), Field("p")],
        weak_form=weak_form,
        dirichlet=[
            Dirichlet("left", 0.0, field="u"),
            Dirichlet("all", lambda x: ufl.cos(x[0]), field="p"),
        ],
        exact={"u": lambda x: ufl.sin(x[0]), "p": lambda x: ufl.cos(x[0])},
    )
    solution = WAN(width=8, iterations=25).solve(problem)
    errors = solution.error(exact_solution(Case("system", problem)))
    assert max(error["l2"] for error in errors.values()) < 1e-5


def test_a_box_has_no_mesh_for_the_exact_adversary():
    with pytest.raises(
        InputError, match="takes its test functions from a mesh, and a Box has none: use adversary='network'"
    ):
        WAN(adversary="riesz").solve(box_problem())


def test_a_network_larger_than_the_memory_is_refused():
    with pytest.raises(InputError, match="GiB for 100 rows"):
        WAN(width=2000, depth=3, tests=100).solve(case_files.load("square_poisson").problem)


def test_the_published_training_learns_and_is_the_default_without_a_mesh():
    problem = box_problem()
    solver = WAN(width=10, depth=2, points=200, iterations=200, learning_rate=1e-2)
    solution = solver.solve(problem)
    points = problem.domain.interior(500, seed=5)
    exact = points[:, 0] * (1 - points[:, 0])
    error = ((solution(points) - exact) ** 2).mean() ** 0.5 / (exact**2).mean() ** 0.5
    assert error < 0.2 and solution.info["adversary"] == "network"
    assert [row["step"] for row in solution.info["history"]] == [100, 200]


def test_the_published_training_takes_plane_domains_with_straight_and_circular_boundaries():
    problem = case_files.load("variable_coefficient").problem
    solution = WAN(adversary="network", width=6, depth=2, points=100, iterations=100).solve(problem)
    assert solution.info["residual"] < 2
    body = Problem(
        interval(),
        Field("u"),
        weak_form=lambda u, v, omega: (u.dx(0) * v.dx(0) - v) * omega.dx,
        dirichlet=Dirichlet("left", 0.0),
    )
    with pytest.raises(InputError, match="needs a function that vanishes on boundary 'left', which has none"):
        WAN(adversary="network", iterations=1).solve(body)


@pytest.mark.parametrize(
    "solver",
    [
        WAN(width=6, iterations=6),
        WAN(adversary="network", width=6, depth=1, points=50, iterations=6),
    ],
)
def test_a_killed_run_goes_on_to_the_same_numbers(solver, tmp_path, monkeypatch):
    monkeypatch.setattr(Monitor, "save_every", 0.0)
    problem = case_files.load("square_poisson").problem if solver.adversary is None else box_problem()
    whole = solver.solve(problem, monitor=Monitor())

    class Killed(Exception):
        pass

    class Kill(Monitor):
        def checkpoint(self, arrays, settings):
            super().checkpoint(arrays, settings)
            if settings["iteration"] == 3:
                raise Killed

    file = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Killed):
        solver.solve(problem, monitor=Kill(file, {}))
    resumed = solver.solve(problem, monitor=Monitor(file, {}, resume=True))
    points = problem.domain.interior(20, seed=1)
    assert (resumed(points) == whole(points)).all()


@pytest.mark.mpi
def test_under_mpi_rank_0_meets_the_exact_adversary_while_the_others_wait(mpi, tmp_path):
    settings = ["--set", "width=4", "--set", "iterations=3"]
    mpi(
        "-m",
        "mlpde.cli",
        "solve",
        "square_poisson",
        "--solver",
        "wan",
        *settings,
        "--out",
        str(tmp_path / "run"),
    )
    assert (tmp_path / "run" / "metrics.json").exists()
