"""Training that begins at a saved solution."""

import pytest
import ufl

from cases.square_poisson import case
from geometry import disk
from mlpde import DGM, PINN, WAN, DeepRitz, Eigenproblem, Field, InputError, Problem, dt
from mlpde.representation.heat_layers import HeatLayer
from mlpde.solution import Solution
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


@pytest.mark.parametrize("name", ["solution.json", "solution.safetensors"])
@pytest.mark.parametrize("content", [b"", b"[]", b'{"format": 1}', b"\xff\xfe"])
def test_a_damaged_solution_is_refused(name, content, tmp_path):
    folder = solve(case, PINN(width=4, depth=1, points=50, iterations=1)).save(tmp_path / "saved")
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=r"is damaged, or was saved by another version|has the format"):
        Solution.load(folder)


def test_a_folder_of_a_run_names_its_solutions(saved, tmp_path):
    first, more, solution, _ = saved
    inside = solution.save(tmp_path / "solutions" / "first")
    with pytest.raises(InputError, match=rf"has no solution.json; did you mean {inside}\?"):
        solve(case, changed(first, start=str(tmp_path), **more))
    with pytest.raises(InputError, match="start must be the folder of a saved solution, not 5"):
        solve(case, changed(first, start=5, **more))


def test_another_coefficient_goes_on_and_other_conditions_do_not(tmp_path):
    """Heat that leaves a disk by radiation: its layer has the coefficient and the time among its numbers."""

    def cooling(transfer, end):
        return Problem(
            disk(1.0, (0.0, 0.0)),
            Field("u"),
            lambda u, v, omega: (
                (dt(u) * v + ufl.inner(ufl.grad(u), ufl.grad(v))) * omega.dx
                + transfer * (u - 1.0) * v * omega.ds
            ),
            time=(0.0, end),
            initial=0.0,
        )

    small = {"width": 4, "depth": 1, "points": 60, "iterations": 2}
    folder = str(PINN(**small).solve(cooling(2.0, 0.1)).save(tmp_path / "first"))
    going_on = PINN(**small, start=folder).solve(cooling(3.0, 0.2))
    assert any(isinstance(feature, HeatLayer) for feature in going_on.model.network.features)
    hard = str(solve(case, PINN(**small)).save(tmp_path / "hard"))
    with pytest.raises(InputError, match="inputs and conditions"):
        solve(case, PINN(**small, conditions="soft", start=hard))


def test_modes_do_not_begin_at_a_solution():
    from cases.oscillator_eigenvalue import case as oscillator

    assert isinstance(oscillator.problem, Eigenproblem)
    with pytest.raises(InputError, match="modes begin at random parameters"):
        solve(oscillator, DeepRitz(start="anywhere"))
