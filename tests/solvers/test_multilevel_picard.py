"""Multilevel Picard against other means: one level by hand, a radial equation, exact solutions, and its refusals."""

import math

import numpy as np
import pytest
import torch
import ufl

from cases.allen_cahn_100d import allen_cahn
from cases.default_risk import default_risk
from cases.hjb_lq import hjb
from mlpde import InputError, SemilinearParabolic, total
from mlpde.formulation.stochastic import ForwardBackwardSDE
from mlpde.monitor import Monitor
from mlpde.referees.radial import radial
from mlpde.solution import Solution
from mlpde.solvers.multilevel_picard import MultilevelPicard
from mlpde.solving import solve


def geometric(dim=3):
    """u = sum x_i exp((m + c s + a) (T - t)) under f = a y + c sum z: z_i = s x_i u_i."""
    return SemilinearParabolic(
        dim,
        0.5,
        1.0,
        drift=lambda t, x: 0.1 * x,
        diffusion=lambda t, x: 0.4 * x,
        driver=lambda t, x, y, z: 0.3 * y + 0.5 * total(z),
        terminal=total,
    )


def test_allen_and_cahn_in_a_hundred_dimensions():
    problem = allen_cahn()
    y0 = MultilevelPicard().solve(problem).info["quantities"]["y0"]
    error = abs(y0["value"] - radial(problem, tolerance=1e-4).value)
    assert error < y0["ci95"] + y0["bias"] < 0.003  # the driver moves the value by 0.014


def test_a_driver_of_the_gradient_and_a_geometric_brownian_motion():
    found = MultilevelPicard(levels=5, samples=4).solve(geometric())
    y0, rate = found.info["quantities"]["y0"], 0.1 + 0.5 * 0.4 + 0.3
    assert abs(y0["value"] - 3 * math.exp(0.5 * rate)) < y0["ci95"] + y0["bias"] < 0.3
    assert found.info["warnings"] == []
    sde, random = ForwardBackwardSDE(geometric()), torch.Generator().manual_seed(0)
    start = torch.zeros(2500, dtype=torch.float64), sde.x0.expand(2500, -1)
    z = MultilevelPicard(levels=4, samples=3)._iterate(sde, 4, *start, random)[:, 1:]
    expected = 0.4 * math.exp(0.5 * rate)
    assert ((z.mean(0) - expected).abs() < 4 * z.std(0) / 50 + 0.01 * expected).all()
    assert (z.std(0) / 50 < 0.1 * expected).all()


def test_the_means_of_the_first_iterates_by_hand():
    """dX = dW, f = 2 y + z, g = x: U_1 = (x, 1), U_2 = (x + (2 x + 1) T, 1 + 2 T) in the mean, at (0, x)."""
    problem = SemilinearParabolic(
        1, 0.5, 0.7, driver=lambda t, x, y, z: 2 * y + z[0], terminal=lambda x: x[0]
    )
    sde, random = ForwardBackwardSDE(problem), torch.Generator().manual_seed(0)
    n = 20000
    t, x = torch.zeros(n, dtype=torch.float64), torch.full((n, 1), 0.7, dtype=torch.float64)
    for level, mean in ((1, (0.7, 1.0)), (2, (0.7 + 2.4 * 0.5, 2.0))):
        sample = MultilevelPicard(levels=2)._iterate(sde, level, t, x, random)
        error = 4 * sample.std(0) / math.sqrt(n)
        assert ((sample.mean(0) - torch.tensor(mean, dtype=torch.float64)).abs() < error).all()


def test_what_explodes_says_so():
    found = MultilevelPicard(levels=3).solve(hjb())
    assert any("the value means nothing" in warning for warning in found.info["warnings"])


class Interrupted(Exception):
    pass


def test_a_resumed_run_ends_where_the_whole_one_does(tmp_path, monkeypatch):
    monkeypatch.setattr(Monitor, "save_every", 0.0)
    chosen, problem = MultilevelPicard(levels=2, repeats=5), default_risk(4)
    whole = chosen.solve(problem, seed=2)

    def stop(step, *_):
        if step == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        chosen.solve(problem, seed=2, monitor=Monitor(tmp_path / "checkpoint", display=stop))
    again = chosen.solve(problem, seed=2, monitor=Monitor(tmp_path / "checkpoint", resume=True))
    assert again.info["quantities"] == whole.info["quantities"]
    assert [row["step"] for row in again.info["history"]] == [1, 2, 3, 4, 5]


def test_the_solution_is_saved(tmp_path):
    found = solve(geometric(), MultilevelPicard(levels=2, repeats=3), seed=1)
    restored = Solution.load(found.save(tmp_path / "saved"))
    assert np.array_equal(restored([[1.0] * 3]), found([[1.0] * 3]))


@pytest.mark.parametrize(
    "coefficients",
    [
        {"diffusion": lambda t, x: 1 + t},
        {"drift": lambda t, x: (t, 0.0)},
        {"diffusion": lambda t, x: ufl.sqrt(1 + ufl.dot(x, x))},
    ],
)
def test_other_coefficients_are_refused(coefficients):
    problem = SemilinearParabolic(
        2, 0.5, 1.0, driver=lambda t, x, y, z: y, terminal=lambda x: x[0], **coefficients
    )
    with pytest.raises(InputError, match="takes constant drift and diffusion, or a geometric"):
        MultilevelPicard().solve(problem)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"levels": 0}, "levels must be"),
        ({"samples": 1}, "samples must be"),
        ({"repeats": 1}, "repeats must be"),
    ],
)
def test_bad_settings_are_named(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        MultilevelPicard(**settings)
