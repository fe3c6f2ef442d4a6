"""Training that begins at a saved solution."""

import pytest

from cases.square_poisson import case
from mlpde import DGM, PINN, WAN, DeepRitz, Eigenproblem, InputError
from mlpde.solving import solve

PAIRS = {
    "pinn": (PINN(width=6, depth=1, iterations=4), {"iterations": 8}),
    "dgm": (DGM(width=6, steps=10, refine=40), {"steps": 1, "learning_rate": 1e-6, "refine": 80}),
    "deep_ritz": (DeepRitz(width=6, depth=1, iterations=3), {"iterations": 6}),
    "wan": (WAN(width=6, depth=1, iterations=4), {"iterations": 8}),
}


@pytest.fixture(scope="module", params=PAIRS)
def saved(request, tmp_path_factory):
    first, more = PAIRS[request.param]
    folder = tmp_path_factory.mktemp(request.param) / "first"
    solution = solve(case, first, seed=0)
    solution.save(folder)
    return first, more, solution, str(folder)


def changed(solver, **settings):
    return type(solver)(**{**vars(solver), **settings})


def test_training_goes_on_from_a_saved_solution(saved):
    first, more, solution, folder = saved
    found = solve(case, changed(first, start=folder, **more), seed=1)
    assert found.info["history"][0]["residual"] < 2 * solution.info["residual"]
    assert found.info["residual"] < 0.7 * solution.info["residual"]


def test_another_network_is_refused(saved):
    first, more, _, folder = saved
    with pytest.raises(
        InputError, match=r"start=.* other layers or inputs than this one, with \d+: take the same"
    ):
        solve(case, changed(first, start=folder, width=7, **more))


def test_what_is_no_network_is_refused(tmp_path):
    from mlpde import RFM

    solve(case, RFM(features=50)).save(tmp_path / "rfm")
    with pytest.raises(InputError, match="that solution is no network"):
        solve(case, PINN(start=str(tmp_path / "rfm")))
    with pytest.raises(InputError, match="is not a saved solution"):
        solve(case, PINN(start=str(tmp_path / "nothing")))


def test_modes_do_not_begin_at_a_solution():
    from cases.oscillator_eigenvalue import case as oscillator

    assert isinstance(oscillator.problem, Eigenproblem)
    with pytest.raises(InputError, match="modes begin at random parameters"):
        solve(oscillator, DeepRitz(start="anywhere"))
