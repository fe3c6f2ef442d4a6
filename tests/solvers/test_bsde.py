"""BSDE on problems whose solution is known by other means: Hopf-Cole, linear equations, an exact wave."""

import math

import numpy as np
import pytest
import ufl

from mlpde import BSDE, Case, InputError, SemilinearParabolic, solve, total
from mlpde.monitor import Monitor
from mlpde.solution import Solution
from mlpde.solvers import features, solver

QUICK = {"paths": 1024, "network": False}


def hjb(dim=20, strength=1.0):
    """u_t + Lap u - strength |grad u|^2 = 0."""
    return SemilinearParabolic(
        dim,
        1.0,
        0.0,
        diffusion=lambda t, x: math.sqrt(2),
        driver=lambda t, x, y, z: -strength * ufl.dot(z, z) / 2,
        terminal=lambda x: ufl.ln((1 + ufl.dot(x, x)) / 2),
    )


def hopf_cole(dim, strength):
    """-1/strength log E exp(-strength g(sqrt(2) W)), |W|^2 being chi-square, by quadrature."""
    r = np.linspace(1e-9, dim + 60 * math.sqrt(2 * dim), 400_001)
    density = (dim / 2 - 1) * np.log(r) - r / 2
    weights = np.exp(density - density.max())
    return -math.log(weights @ ((1 + 2 * r) / 2) ** -strength / weights.sum()) / strength


def wave(dim=20):
    """The Burgers-type equation whose solution is a wave front, 1/2 at the origin."""
    return SemilinearParabolic(
        dim,
        0.2,
        0.0,
        diffusion=lambda t, x: float(dim),
        driver=lambda t, x, y, z: (y - (2 + dim) / (2 * dim)) * total(z),
        terminal=lambda x: 1 / (1 + ufl.exp(-0.2 - total(x) / dim)),
    )


def heat(rate=0.5):
    """u_t + 1/2 tr(a grad grad u) + rate u = 0 with a full sigma, u(T) = b.x: u = exp(rate (T - t)) b.x."""
    return SemilinearParabolic(
        3,
        0.5,
        (1.0, 2.0, 3.0),
        diffusion=lambda t, x: ufl.as_matrix([[1.0, 0.5, 0.0], [0.0, 2.0, 0.0], [0.3, 0.0, 1.0]]),
        driver=lambda t, x, y, z: rate * y,
        terminal=lambda x: x[0] + 2 * x[1] - x[2],
    )


def quantity(solution):
    return solution.info["quantities"]["y0"]


@pytest.mark.parametrize(("strength", "width"), [(1.0, 1e-3), (8.0, 5e-3)])
def test_hopf_and_cole_in_twenty_dimensions(strength, width):
    known = hopf_cole(20, strength)
    found = solve(hjb(20, strength), BSDE())
    y0 = quantity(found)
    assert abs(y0["value"] - known) < 1.5 * (y0["ci95"] + y0["bias"])
    assert y0["ci95"] + y0["bias"] < width * known
    assert y0["lower"] is None  # a concave driver: the linearised equation is above
    assert y0["upper"] > known
    assert found.info["nonlinearity_gap"] > 5e-3
    assert found(np.zeros((1, 20)))[0] == pytest.approx(y0["value"], rel=1e-6)


def test_a_driver_that_is_linear_in_y_and_sigma_a_matrix():
    """Exact up to rounding: the features hold the solution, and the error in time is extrapolated."""
    found = solve(heat(), BSDE(**QUICK, precision="double"))
    known = math.exp(0.25) * 2.0
    assert quantity(found)["value"] == pytest.approx(known, rel=1e-3)
    sigma = np.array([[1.0, 0.5, 0.0], [0.0, 2.0, 0.0], [0.3, 0.0, 1.0]])
    assert found.info["z0"]["value"] == pytest.approx(
        sigma.T @ (math.exp(0.25) * np.array([1, 2, -1])), rel=1e-2
    )
    x = np.array([[1.1, 2.0, 2.9], [0.9, 1.8, 3.0]])
    for t in (0.0, 0.1, 0.45, 0.5):
        assert found(x, t) == pytest.approx(math.exp(0.5 * (0.5 - t)) * (x @ [1, 2, -1]), rel=2e-3)
        assert found.gradient(x, t)[0] == pytest.approx(
            math.exp(0.5 * (0.5 - t)) * np.array([1, 2, -1]), rel=1e-2
        )


def test_a_wave_front_and_its_gradient():
    found = solve(wave(), BSDE())
    y0 = quantity(found)
    assert abs(y0["value"] - 0.5) < 1.5 * (y0["ci95"] + y0["bias"])
    assert y0["ci95"] + y0["bias"] < 5e-3
    assert y0["lower"] is None and y0["upper"] is None  # y z is neither convex nor concave
    slope, spread = (np.array(found.info["z0"][k]) for k in ("value", "ci95"))
    assert np.mean(np.abs(slope - 0.25) < spread) > 0.8  # sigma^T grad u = d / (4 d)


def test_the_gradient_at_x0_where_the_noise_hides_it():
    """u_t + Lap u = 0, u(T) = |x|^2 in d = 50: |x0|^2 = 2 is nothing beside the 100 that the noise adds."""
    x0 = np.full(50, 0.2)
    problem = SemilinearParabolic(
        50,
        1.0,
        tuple(x0),
        diffusion=lambda t, x: math.sqrt(2),
        driver=lambda t, x, y, z: 0.0,
        terminal=lambda x: ufl.dot(x, x),
    )
    found = solve(problem, BSDE())
    for t in (0.0, 0.01):
        slope = found.gradient(x0[None], t)[0]
        assert np.linalg.norm(slope - 2 * x0) < 0.15 * np.linalg.norm(2 * x0)
    assert np.isnan(found.evaluate(x0[None], 0.9)["u"]).all()  # where no path is, |x|^2 being near 90 then


def test_a_seed_fixes_the_result_and_another_one_changes_it():
    first, again, other = (quantity(solve(hjb(), BSDE(**QUICK), seed=s))["value"] for s in (1, 1, 2))
    assert first == again != other


def test_more_paths_narrow_the_linear_level_too():
    few, default, many = (
        solve(hjb(), BSDE(paths=paths, network=False)).info["linear"] for paths in (1024, None, 16384)
    )
    assert few == default
    assert many["ci95"] < 0.6 * default["ci95"]


def test_a_feature_that_is_the_solution_leaves_no_error():
    def exact(t, x):
        return 1 / (1 + ufl.exp(-t - total(x) / 20))

    without, with_it = (solve(wave(), BSDE(**QUICK, features=f)) for f in (None, exact))
    assert abs(quantity(with_it)["value"] - 0.5) < 2e-3
    assert with_it.info["unknowns"] / (with_it.info["steps"] - 1) == 25
    assert without.info["unknowns"] / (without.info["steps"] - 1) == 23


def test_what_is_being_done_is_shown_within_the_rounds():
    shown = []
    found = solve(hjb(), BSDE(**QUICK), display=lambda *what: shown.append(what))
    assert all(total is None for _, total, _, _ in shown)  # nobody knows how many rounds there will be
    doing = [(step, figures["doing"]) for step, _, _, figures in shown if "doing" in figures]
    assert doing[:3] == [
        (0, "linear level"),
        (0, "regression on 8 steps"),
        (0, "Newton-Feynman-Kac on 8 steps"),
    ]
    assert len(found.info["history"]) == found.info["rounds"]


class Interrupted(Exception):
    """As if the machine went down."""


def test_a_run_that_goes_on_ends_as_one_that_never_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(Monitor, "save_every", 0.0)
    settings = {**QUICK, "iterations": 3}
    whole = solve(wave(), BSDE(**settings), seed=3)
    assert whole.info["rounds"] > 1

    def stop(step, *_):
        if step == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        solve(wave(), BSDE(**settings), seed=3, out=tmp_path, display=stop)
    resumed = solve(wave(), BSDE(**settings), seed=3, out=tmp_path, resume=True)
    assert quantity(resumed) == quantity(whole)
    assert [row["step"] for row in resumed.info["history"]] == [row["step"] for row in whole.info["history"]]


def test_what_is_saved_keeps_the_numbers_and_says_that_it_cannot_be_evaluated(tmp_path):
    found = solve(Case("hjb", hjb()), BSDE(**QUICK))
    assert found.quantities["y0"] == quantity(found)
    once = Solution.load(found.save(tmp_path / "saved"))
    for loaded in (once, Solution.load(once.save(tmp_path / "again"))):
        assert loaded.quantities["y0"] == quantity(found)
        assert loaded.info["z0"] == found.info["z0"]
        for function in (loaded.evaluate, loaded.gradient):
            with pytest.raises(InputError, match="solve the case again"):
                function(np.zeros((1, 20)), 0.5)
    with pytest.raises(InputError, match="no other derivatives"):
        found.jets(np.zeros((1, 20)), [(0, 0)])


def test_divergence_is_never_silent():
    """exp(y) blows up before t = 0."""
    problem = SemilinearParabolic(
        2, 1.0, 0.0, driver=lambda t, x, y, z: 5 * ufl.exp(y), terminal=lambda x: x[0] + 2
    )
    with pytest.raises(InputError, match="diverges"):
        solve(problem, BSDE(**QUICK))


def test_the_table_and_what_the_settings_may_be():
    assert solver("bsde", steps="16", paths="none") == BSDE(steps=16)
    assert set(features(hjb())) <= BSDE.accepts
    for wrong, sentence in (
        ({"steps": 6}, "steps must be a multiple of 4"),
        ({"paths": 7}, "paths must be even"),
        ({"precision": "half"}, "precision"),
        ({"iterations": 0}, "iterations must be an integer from 1 on"),
    ):
        with pytest.raises(InputError, match=sentence):
            BSDE(**wrong)
    with pytest.raises(InputError, match="a scalar or a vector"):
        solve(hjb(), BSDE(**QUICK, features=lambda t, x: ufl.outer(x, x)))


@pytest.mark.parametrize("strength", [30.0, 50.0])
def test_strong_quadratic_drivers_are_tempered(strength):
    problem = hjb(100, strength)
    solution = BSDE().solve(problem, seed=0)
    y0, true = solution.info["quantities"]["y0"], hopf_cole(100, strength)
    assert solution.info["y0_by"] == "tempering"
    assert not solution.info["warnings"]
    assert solution([problem.x0], 0.0)[0] == y0["value"]
    assert abs(y0["value"] - true) < 1.5 * (y0["ci95"] + y0["bias"])
    assert y0["ci95"] + y0["bias"] < 2e-3 * true
    assert len(solution.info["z0"]["value"]) == 100


def test_where_the_iteration_diverges_u_is_tempered_at_every_point(tmp_path):
    """u(t, x) = (sum of v(t, x_i)) / sqrt(d) by quadrature; no regression is found for terminal values this steep."""
    dim, strength = 5, 50.0
    terminal = lambda x: total(ufl.as_vector([ufl.cos(x[i]) for i in range(dim)])) / math.sqrt(dim)  # noqa: E731
    problem = SemilinearParabolic(
        dim, 1.0, 0.3, driver=lambda t, x, y, z: -strength * ufl.dot(z, z) / 2, terminal=terminal
    )
    nodes = np.linspace(-10, 10, 4001)

    def exact(x, t):
        ends = x[..., None] + math.sqrt(1 - t) * nodes
        exponents = -strength * np.cos(ends) / math.sqrt(dim) - nodes**2 / 2
        most = exponents.max(-1, keepdims=True)
        weights = np.exp(exponents - most)
        mean = weights.sum(-1) * (nodes[1] - nodes[0]) / math.sqrt(2 * math.pi)
        slope = (weights * -np.sin(ends)).sum(-1) / weights.sum(-1) / math.sqrt(dim)
        return -(np.log(mean) + most[..., 0]).sum(-1) / strength, slope

    solution = solve(problem, BSDE(), seed=0)
    assert solution.info["y0_by"] == "tempering" and solution.info["unknowns"] == 0
    y0 = quantity(solution)
    assert abs(y0["value"] - exact(np.full(dim, 0.3), 0.0)[0]) < 1.5 * (y0["ci95"] + y0["bias"])
    points = 0.3 + np.random.default_rng(0).normal(size=(6, dim))
    for t in (0.1, 0.5, 0.9):
        value, slope = exact(points, t)
        np.testing.assert_allclose(solution(points, t), value, atol=0.01)
        off = np.linalg.norm(solution.gradient(points, t) - slope, axis=1) / np.linalg.norm(slope, axis=1)
        assert np.median(off) < 0.2
    loaded = Solution.load(solution.save(tmp_path / "saved"))
    assert loaded.quantities["y0"] == y0
    with pytest.raises(InputError, match="solve the case again"):
        loaded(points, 0.5)
    assert np.array_equal(solution(points, 0.5), solution(points, 0.5))
    np.testing.assert_allclose(solution(points, 1.0), np.cos(points).sum(1) / math.sqrt(dim), rtol=1e-5)
    np.testing.assert_allclose(solution.gradient(points, 1.0), -np.sin(points) / math.sqrt(dim), atol=1e-5)


def test_a_network_finds_what_no_feature_has():
    """u = (1 - t) sin(2 s), s = sum x / sqrt(d), which only the source tells: the terminal value is zero."""
    dim = 10

    def driver(t, x, y, z):
        s = total(x) / math.sqrt(dim)
        rate, slope, second = -ufl.sin(2 * s), 2 * ufl.cos(2 * s) * (1 - t), -4 * ufl.sin(2 * s) * (1 - t)
        return -ufl.dot(z, z) / 2 + slope**2 / 2 - rate - second / 2

    problem = SemilinearParabolic(dim, 1.0, 0.3, driver=driver, terminal=lambda x: 0 * x[0])
    exact = math.sin(0.6 * math.sqrt(dim))
    plain, found = (solve(problem, BSDE(network=network)) for network in (False, True))
    assert found.info["residual_network"] and not plain.info["residual_network"]
    assert abs(quantity(found)["value"] - exact) < abs(quantity(plain)["value"] - exact) / 2
    assert quantity(found)["bias"] < quantity(plain)["bias"] / 1.5
    assert abs(quantity(found)["value"] - exact) < 1.5 * (quantity(found)["ci95"] + quantity(found)["bias"])


def test_where_the_features_suffice_no_network_is_trained():
    assert not solve(hjb(), BSDE()).info["residual_network"]
