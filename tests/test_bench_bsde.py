"""The benchmark of high dimension: its rulers are the cases, its figures those of the runs."""

import math

import pytest
import torch

from cases.allen_cahn_100d import allen_cahn
from cases.default_risk import default_risk
from cases.hjb_lq import hjb
from mlpde import SemilinearParabolic
from mlpde.bench import _bsde_by_hand, _bsde_problems, bsde_deep
from mlpde.formulation.stochastic import ForwardBackwardSDE
from mlpde.solvers import solver
from mlpde.solvers.deep_bsde import DeepBSDE


@pytest.mark.parametrize(
    ("case", "by_hand"), [(hjb, _bsde_by_hand.hjb), (default_risk, _bsde_by_hand.default_risk)]
)
def test_the_transcription_solves_the_case(case, by_hand):
    """Steps, driver and terminal value, of the case at the increments of the transcription."""
    plain, sde = by_hand(5, 8), ForwardBackwardSDE(case(dim=5), torch.float32)
    torch.manual_seed(0)
    x, dw = plain.paths(50)
    at, dt = sde.x0.expand(50, -1), plain.horizon / plain.steps
    assert (plain.dim, plain.horizon) == (sde.dim, sde.horizon)
    for k in range(plain.steps):
        torch.testing.assert_close(x[k], at)
        at = sde.step(k * dt, dt, at, dw[k])
    torch.testing.assert_close(x[-1], at)
    y, z = 100 * torch.rand(50), torch.randn(50, 5)
    torch.testing.assert_close(plain.driver(y, z), sde.driver(0.0, x[-1], y, z))
    torch.testing.assert_close(plain.terminal(x[-1]), sde.terminal(x[-1]))


def test_the_transcription_learns():
    torch.manual_seed(0)
    plain = _bsde_by_hand.Plain(_bsde_by_hand.hjb(4, 3), 5.0, 1e-2)
    losses = [plain.advance(32) for _ in range(60)]
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])


def test_figures_are_those_of_the_runs():
    found = _bsde_problems.runs(solver("multilevel_picard", levels=2, repeats=3), allen_cahn(3), [4, 5])
    again = _bsde_problems.run(solver("multilevel_picard", levels=2, repeats=3), allen_cahn(3), 5)
    assert found[1].y0 == again.y0 != found[0].y0
    assert all(one.seconds > 0 and one.setup > 0 for one in found)
    errors = _bsde_problems.relative_errors(found, 0.4)
    assert errors == [pytest.approx(250 * abs(one.y0["value"] - 0.4)) for one in found]
    assert _bsde_problems.rms([3.0, 4.0]) == pytest.approx(math.sqrt(12.5))


def test_the_gap_is_what_the_driver_moves():
    """E x^2 over a unit normal is 1, times exp(-2 T) for the driver -2 y."""
    problem = SemilinearParabolic(1, 1.0, 0.0, driver=lambda t, x, y, z: -2 * y, terminal=lambda x: x[0] ** 2)
    true = math.exp(-2.0)
    assert _bsde_problems.nonlinearity_gap(problem, true) == pytest.approx(100 * (1 - true) / true, rel=1e-3)


def test_times_are_taken_in_turn():
    called = []
    found = bsde_deep.times([lambda: called.append("a"), lambda: called.append("b")], rounds=2, steps=1)
    assert called == ["a", "b"] * 3 and len(found) == 2


def test_the_settings_asked_are_the_published_ones():
    for name, settings, by_hand, *_ in bsde_deep.ASKED:
        assert isinstance(settings, DeepBSDE) and settings.time_steps == by_hand.steps
        assert bsde_deep.BY_NAME[name].problem().dim == by_hand.dim == 100
