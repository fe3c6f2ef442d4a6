"""DGM: it solves in many dimensions and in time, goes on after an interruption, and says what it does not take."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import ufl

from geometry import Ball, Box
from mlpde import Case, Dirichlet, Field, InputError, Problem, Solution, compare, dt, solve, total
from mlpde.formulation.residual import strong_form
from mlpde.formulation.sampling import collocate
from mlpde.monitor import Monitor
from mlpde.representation.networks import MLP
from mlpde.representation.squared_residual import SquaredResidual
from mlpde.solvers.dgm import DGM

SMALL = DGM(width=8, points=100, steps=60, refine=60, resample=30)


def diffusion(domain, source=0.0, **conditions):
    """-Lap u = source."""

    def weak_form(u, v, omega):
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - source * v) * omega.dx

    return Problem(domain, Field("u"), weak_form=weak_form, **conditions)


def saddle(x):
    return x[0] * x[1] - x[2]


@pytest.fixture(scope="module")
def solved():
    problem = diffusion(Box(4), dirichlet=Dirichlet("all", saddle), exact=saddle)
    return solve(Case("saddle", problem), SMALL)


def test_it_solves_in_a_ball_of_six_dimensions():
    def exact(x):
        return ufl.sin(total(x) / 3)

    domain = Ball(6)
    problem = Problem(
        domain,
        Field("u"),
        weak_form=lambda u, v, o: (ufl.inner(ufl.grad(u), ufl.grad(v)) - 2 / 3 * exact(o.x) * v) * o.dx,
        dirichlet=Dirichlet("all", exact),
    )
    solution = solve(problem, SMALL)
    x = domain.interior(500, seed=77)
    known = np.sin(x.sum(1) / 3)
    assert np.linalg.norm(solution(x) - known) < 0.02 * np.linalg.norm(known)
    assert solution.gradient(x).shape == (500, 6)
    assert solution.info["residual"] == min(row.get("residual", math.inf) for row in solution.info["history"])


def test_it_solves_in_space_and_time():
    def exact(x, t):
        return ufl.exp(-t) * (1 + x[0] * x[3])

    problem = Problem(
        Box(4),
        Field("u"),
        weak_form=lambda u, v, o: (dt(u) * v + ufl.inner(ufl.grad(u), ufl.grad(v)) + u * v) * o.dx,
        dirichlet=Dirichlet("all", exact),
        time=(0.0, 1.0),
        initial=lambda x: exact(x, 0.0),
        exact=exact,
    )
    solution = solve(problem, SMALL)
    x = problem.domain.interior(500, seed=77)
    for t in (0.0, 0.5, 1.0):
        known = np.exp(-t) * (1 + x[:, 0] * x[:, 3])
        assert np.linalg.norm(solution(x, t) - known) < 0.02 * np.linalg.norm(known)


@pytest.mark.parametrize("method", ["random_directions", "monte_carlo"])
def test_an_estimated_laplacian_leaves_the_mean_of_loss_and_gradient(method):
    problem = diffusion(Box(4), dirichlet=Dirichlet("all", saddle))
    located = collocate(strong_form(problem), problem.domain, problem.domain.interior(20), seed=5)
    network = MLP(4, 1, (0.0,) * 4, (1.0,) * 4, width=6)
    theta = network.initial(0)
    weights = [(part.rows, torch.ones(1, dtype=torch.float64)) for part in located]
    loss = SquaredResidual(network, weights, 4)
    known = torch.cat([torch.as_tensor(part).reshape(-1) for part in loss(theta, located)])
    generator = torch.Generator().manual_seed(0)
    samples = torch.stack(
        [
            torch.cat([torch.as_tensor(part).reshape(-1) for part in loss(theta, located, method, generator)])
            for _ in range(200)
        ]
    )
    deviation = (samples.mean(0) - known) / (samples.std(0) / len(samples) ** 0.5).clamp(min=1e-12)
    assert deviation.abs().max() < 4.5
    assert samples[:, 0].std() > 1e-3 * samples[:, 0].mean()  # it is an estimate indeed


def test_a_seed_fixes_the_result():
    problem = diffusion(Box(4), dirichlet=Dirichlet("all", saddle))
    brief = replace(SMALL, steps=5, refine=3)
    x = problem.domain.interior(20)
    first, again, other = (solve(problem, brief, seed=seed)(x) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("killed_at", [40, 100])  # in Adam's steps, and in the quasi-Newton steps
def test_an_interrupted_run_goes_on_to_the_same_result(killed_at, solved, tmp_path, monkeypatch):
    monkeypatch.setattr(Monitor, "save_every", 0.0)
    updates = Monitor.checkpoint

    def interrupted(monitor, arrays, settings):
        updates(monitor, arrays, settings)
        if settings["iteration"] + SMALL.steps * (settings["stage"] == "quasi_newton") == killed_at:
            raise KeyboardInterrupt

    monkeypatch.setattr(Monitor, "checkpoint", interrupted)
    with pytest.raises(KeyboardInterrupt):
        solve(solved.case, SMALL, out=tmp_path / "out")
    monkeypatch.setattr(Monitor, "checkpoint", updates)
    resumed = solve(solved.case, SMALL, out=tmp_path / "out", resume=True)
    x = solved.problem.domain.interior(50)
    assert np.array_equal(resumed(x), solved(x))
    assert [row["step"] for row in resumed.info["history"]] == [row["step"] for row in solved.info["history"]]


def test_a_saved_solution_is_the_same_function(solved, tmp_path):
    restored = Solution.load(solved.save(tmp_path / "saved"))
    x = solved.problem.domain.interior(50)
    assert np.array_equal(restored(x), solved(x))
    with pytest.raises(InputError, match="no mesh and its problem is not known"):
        restored.plot()


def test_outside_the_box_is_nan(solved):
    with pytest.warns(UserWarning, match="1 of 2 points lie outside"):
        values = solved([[0.5] * 4, [1.5, 0.5, 0.5, 0.5]])
    assert np.isnan(values).tolist() == [False, True]


def test_nan_stops_at_once_with_the_step_named():
    problem = diffusion(Box(4), dirichlet=Dirichlet("all", saddle))
    problem = Problem(
        Box(4),
        Field("u"),
        weak_form=lambda u, v, o: (ufl.inner(ufl.grad(u), ufl.grad(v)) + ufl.exp(u) * v) * o.dx,
        dirichlet=problem.dirichlet,
    )
    with pytest.raises(FloatingPointError, match=r"not finite at step [0-9]+ of adam"):
        solve(problem, replace(SMALL, learning_rate=1e4))


def test_the_report_of_a_comparison_has_lines_and_planes(solved, tmp_path):
    brief = replace(SMALL, steps=20, refine=0)
    case = replace(solved.case, quantities={"mean": lambda u, omega: u * omega.dx})
    comparison = compare(case, [brief], out=tmp_path / "out")
    row = comparison.metrics["solutions"][0]
    x = solved.problem.domain.quadrature(0)[0]
    found, known = comparison.solutions["dgm"][0](x), x[:, 0] * x[:, 1] - x[:, 2]
    assert row["errors"]["u"]["l2"] == pytest.approx(np.linalg.norm(found - known) / np.linalg.norm(known))
    assert comparison.metrics["reference"]["quantities"]["mean"] == pytest.approx(-0.25, abs=1e-3)
    figures = {path.name for path in (tmp_path / "out" / "figures").iterdir()}
    assert figures == {"history.png", "u_along_the_diagonal.png", "u_on_the_plane_of_x0_and_x1.png"}
    assert not list((tmp_path / "out").glob("fields*"))


def test_what_cannot_be_done_without_a_mesh_is_said(solved):
    brief = replace(SMALL, steps=1, refine=0)
    with pytest.raises(InputError, match="no mesh for a finite element reference"):
        compare(diffusion(Box(4), dirichlet=Dirichlet("all", saddle)), [brief])
    with pytest.raises(InputError, match="no mesh: give one"):
        solved.export("fields.vtu")
    with pytest.raises(InputError, match="pure Neumann problem"):
        solve(diffusion(Box(4)), brief)


def test_an_estimate_is_not_for_the_quasi_newton_steps():
    with pytest.raises(InputError, match=r"set dgm\.refine=0"):
        DGM(laplacian="monte_carlo")
