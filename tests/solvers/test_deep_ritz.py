"""Deep Ritz: accuracy, conditions, an interrupted run, eigenvalues, and what is refused."""

import math

import numpy as np
import pytest
import torch
import ufl

from geometry import Box, interval, rectangle
from mlpde import Dirichlet, Eigenproblem, Field, InputError, Problem
from mlpde.case_files import load
from mlpde.exact import exact_solution
from mlpde.monitor import Monitor
from mlpde.representation.networks import ResidualNetwork
from mlpde.solvers.deep_ritz import DeepRitz


def error(case, **settings):
    solution = DeepRitz(**settings).solve(case.problem, seed=0)
    return solution, solution.error(exact_solution(case))["u"]["l2"]


@pytest.mark.parametrize(("conditions", "limit"), [("hard", 1e-3), ("multipliers", 5e-3), ("penalty", 2e-2)])
def test_the_smooth_square_is_solved_with_every_treatment_of_the_conditions(conditions, limit):
    solution, found = error(
        load("square_poisson"), width=8, conditions=conditions, iterations=12, tolerance=0.0
    )
    assert solution.info["conditions"] == conditions
    assert solution.info["optimizer"] == "natural_gradient"
    assert found < limit


class Interrupted(Exception):
    """The end of a run that was killed."""


@pytest.mark.parametrize(
    "settings",
    [
        {"conditions": "multipliers", "iterations": 6},
        {"conditions": "hard", "optimizer": "broyden", "iterations": 100},
        pytest.param(
            {"conditions": "multipliers", "optimizer": "broyden", "iterations": 400}, marks=pytest.mark.slow
        ),
        {"conditions": "multipliers", "optimizer": "lbfgs", "iterations": 150},
        {"conditions": "penalty", "sampling": "random", "iterations": 40},
        # too few points: the independent ones end the run, which its checkpoints have to remember
        {"width": 16, "depth": 2, "points": 20, "iterations": 20},
    ],
)
def test_a_killed_run_continues_to_the_same_result(settings, tmp_path):
    case = load("square_poisson")
    solver = DeepRitz(**{"width": 5, "depth": 1, "points": 200, "tolerance": 0.0} | settings)
    x = case.problem.domain.interior(10)

    def monitor(resume, last=None):
        def display(step, total, seconds, figures):
            if last is not None and step > last:
                raise Interrupted

        made = Monitor(tmp_path / "checkpoint", {}, resume, display)
        made.save_every = 0.0
        return made

    whole = solver.solve(case.problem, seed=0)(x)
    with pytest.raises(Interrupted):
        solver.solve(case.problem, seed=0, monitor=monitor(False, last=settings["iterations"] // 4))
    assert np.array_equal(solver.solve(case.problem, seed=0, monitor=monitor(True))(x), whole)
    again = solver.solve(case.problem, seed=0, monitor=monitor(True))  # killed after the last step
    assert np.array_equal(again(x), whole) and again.info["residual"] < np.inf


def test_a_killed_run_without_a_strong_form_continues(tmp_path, monkeypatch):
    jump = Problem(
        rectangle(0.0, 0.0, 1.0, 1.0),
        Field("u"),
        lambda u, v, omega: (jumping(omega) * ufl.inner(ufl.grad(u), ufl.grad(v)) - v) * omega.dx,
        dirichlet=Dirichlet("all", 0.0),
    )
    monkeypatch.setattr(Monitor, "save_every", 0.0)
    solver = DeepRitz(width=5, depth=1, points=200, iterations=6)

    def display(step, total, seconds, figures):
        if step == 4:
            raise Interrupted

    whole = solver.solve(jump, monitor=Monitor())
    with pytest.raises(Interrupted):
        solver.solve(jump, monitor=Monitor(tmp_path / "checkpoint", display=display))
    again = solver.solve(jump, monitor=Monitor(tmp_path / "checkpoint", resume=True))
    assert np.array_equal(again.model.parameters, whole.model.parameters)
    assert "was not judged by the strong residual" in again.info["warnings"][0]


def jumping(omega):
    """A coefficient without a strong form: its jump is not named."""
    return ufl.conditional(ufl.lt(omega.x[0], 0.5), 1.0, 3.0)


def test_few_points_begin_and_the_energy_at_all_of_them_never_rises():
    problem = load("square_poisson").problem
    found = DeepRitz(width=8, iterations=18).solve(problem, seed=0)
    alone = DeepRitz(width=8, iterations=18, points=12 * found.info["unknowns"]).solve(problem, seed=0)
    losses, others = (np.array([entry["loss"] for entry in s.info["history"]]) for s in (found, alone))
    assert (np.diff(losses) < 1e-12 * abs(losses[-1])).all()
    assert losses[0] != others[0]  # the first step is that of fewer points
    assert losses[-1] == pytest.approx(others[-1], rel=1e-5)


@pytest.mark.parametrize("optimizer", ["broyden", "lbfgs", "adam"])
def test_every_optimiser_lowers_the_error(optimizer):
    steps = {"broyden": 100, "lbfgs": 100, "adam": 300}[optimizer]
    settings = {"width": 8, "depth": 1, "points": 500, "optimizer": optimizer, "learning_rate": 0.02}
    _, found = error(load("square_poisson"), **settings, iterations=steps)
    assert found < 0.2


def test_an_energy_that_is_not_quadratic_is_minimised():
    line = interval(0.0, 1.0)  # -u'' + u^3 = f with u = sin(pi x)

    def energy(u, omega):
        exact = ufl.sin(ufl.pi * omega.x[0])
        f = ufl.pi**2 * exact + exact**3
        return (ufl.inner(ufl.grad(u), ufl.grad(u)) / 2 + u**4 / 4 - f * u) * omega.dx

    problem = Problem(line, Field("u"), energy=energy, dirichlet=Dirichlet("all", 0.0))
    solution = DeepRitz(width=8, depth=1, points=200, iterations=40).solve(problem, seed=0)
    x = np.linspace(0.05, 0.95, 30)[:, None]
    assert np.abs(solution(x) - np.sin(np.pi * x[:, 0])).max() < 1e-3


def membrane(domain, count, tension=lambda omega: 1.0):
    return Eigenproblem(
        domain,
        Field("u"),
        stiffness=lambda u, v, omega: tension(omega) * ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx,
        mass=lambda u, v, omega: u * v * omega.dx,
        dirichlet=Dirichlet("all", 0.0),
        count=count,
    )


@pytest.mark.parametrize("conditions", [None, "penalty"])
def test_the_published_training_finds_the_lowest_mode_of_a_string(conditions):
    solver = DeepRitz(
        width=6,
        depth=1,
        sampling="random",
        conditions=conditions,
        points=200,
        learning_rate=0.03,
        iterations=400,
    )
    solution = solver.solve(membrane(interval(0.0, 1.0), 1), seed=0)
    assert solution.eigenvalues == pytest.approx([math.pi**2], rel=0.05)
    assert solution.info["optimizer"] == "adam" and solution.info["residual"] < 0.5


def test_modes_take_the_iterations_asked_for_and_say_what_they_are_worth():
    for domain in (interval(0.0, 1.0), Box(2, 0.0, 1.0)):
        poor, good = (
            DeepRitz(width=width, depth=1, points=100, iterations=steps).solve(membrane(domain, 1), seed=0)
            for width, steps in ((1, 1), (6, 24))
        )
        assert [len(found.info["history"]) for found in (poor, good)] == [1, 24]
        exact = domain.dim * math.pi**2
        assert poor.eigenvalues[0] / exact - 1 > 1e-2 and "residual of the modes" in poor.info["warnings"][0]
        assert good.eigenvalues == pytest.approx([exact], rel=1e-3) and not good.info["warnings"]
    unjudged = DeepRitz(width=2, depth=1, points=100, iterations=2).solve(
        membrane(interval(0.0, 1.0), 1, jumping)
    )
    assert math.isnan(unjudged.info["residual"]) and "not judged" in unjudged.info["warnings"][0]


@pytest.mark.parametrize(
    ("domain", "count", "last", "settings"),
    [
        (interval(0.0, 1.0), 2, 30, {"points": 100}),
        (Box(4, 0.0, 1.0), 1, 6, {}),
        (interval(0.0, 1.0), 2, 60, {"sampling": "random", "points": 50, "iterations": 40}),
    ],
)
def test_killed_modes_continue_to_the_same_result(domain, count, last, settings, tmp_path, monkeypatch):
    monkeypatch.setattr("mlpde.eigen_training.SAMPLE", 200)
    problem, solver = membrane(domain, count), DeepRitz(width=4, depth=1, **settings)

    def monitor(resume, last=math.inf):
        def display(step, total, seconds, figures):
            if step > last:
                raise Interrupted

        made = Monitor(tmp_path / "checkpoint", {}, resume, display)
        made.save_every = 0.0
        return made

    whole = solver.solve(problem, seed=0).eigenvalues
    with pytest.raises(Interrupted):
        solver.solve(problem, seed=0, monitor=monitor(False, last))
    assert np.array_equal(solver.solve(problem, seed=0, monitor=monitor(True)).eigenvalues, whole)


@pytest.mark.parametrize("iterations", [51, 52])
def test_a_rate_that_is_far_too_large_is_named(iterations):
    """The last step leads nowhere, or was taken back like most."""
    blocks = {"network": "residual", "activation": "cubic", "width": 8, "sampling": "random", "points": 50}
    solver = DeepRitz(**blocks, iterations=iterations, learning_rate=1e10)
    try:
        (_, sentence) = solver.solve(load("slit_square_constant").problem).info["warnings"]
    except FloatingPointError as error:
        sentence = str(error)
    assert "a smaller learning" in sentence


def test_modes_refuse_the_settings_that_they_do_not_have():
    with pytest.raises(InputError, match="trains modes by natural gradients"):
        DeepRitz(optimizer="lbfgs").solve(membrane(interval(0.0, 1.0), 1))


def test_the_defaults_take_a_domain_without_a_mesh():
    cube = Problem(
        Box(4, 0.0, 1.0),
        Field("u"),
        lambda u, v, omega: (ufl.inner(ufl.grad(u), ufl.grad(v)) - v) * omega.dx,
        dirichlet=Dirichlet("all", 0.0),
    )
    solution = DeepRitz(width=4, depth=1, points=50, iterations=20).solve(cube)
    assert (solution.info["sampling"], solution.info["optimizer"]) == ("random", "adam")
    with pytest.raises(InputError, match="needs the same points in every step"):
        DeepRitz(optimizer="broyden").solve(cube)


def test_the_published_blocks_begin_with_an_energy_of_moderate_size():
    generator = torch.Generator().manual_seed(0)
    for dim in (2, 10):
        network = ResidualNetwork(dim, 1, (-1.0,) * dim, (1.0,) * dim, width=10, depth=6)
        points = 2 * torch.rand(500, dim, dtype=torch.float64, generator=generator) - 1
        for seed in range(8):
            jets = network.jets(network.initial(seed), points, [(), (0,), (1,)])
            assert all(float(jet.abs().max()) < 10.0 for jet in jets.values())


def test_the_lowest_modes_of_a_string_are_found_in_their_order():
    problem = membrane(interval(0.0, 1.0), 2)
    solution = DeepRitz(width=6, depth=1, points=200).solve(problem, seed=0)
    assert solution.eigenvalues == pytest.approx([math.pi**2, 4 * math.pi**2], rel=1e-3)
    x = np.linspace(0.0, 1.0, 50)[:, None]
    second = solution[1](x)
    assert abs(abs(second @ np.sin(2 * np.pi * x[:, 0])) / np.linalg.norm(second) - 7 / math.sqrt(2)) < 0.1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"sampling": "random", "optimizer": "broyden"}, "needs the same points in every step"),
        ({"sampling": "random", "conditions": "multipliers"}, "multipliers belong to fixed points"),
        ({"optimizer": "adam", "conditions": "multipliers"}, "Adam updates no multipliers"),
        ({"width": 0}, "deep_ritz.width must be an integer from 1 on"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        DeepRitz(**settings)


def test_a_saddle_point_is_refused():
    with pytest.raises(InputError, match="the energy has no minimum"):
        DeepRitz(width=4, depth=1, points=300).solve(load("stokes_driven").problem, seed=0)


def test_a_form_without_energy_is_refused():
    problem = Problem(
        rectangle(0.0, 0.0, 1.0, 1.0),
        Field("u"),
        lambda u, v, omega: (ufl.inner(ufl.grad(u), ufl.grad(v)) + u.dx(0) * v - v) * omega.dx,
        dirichlet=Dirichlet("all", 0.0),
    )
    with pytest.raises(InputError, match="the weak form has no energy"):
        DeepRitz().solve(problem, seed=0, monitor=Monitor())
