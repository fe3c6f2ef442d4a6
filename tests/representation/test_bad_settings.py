"""What random features cannot do is said in one sentence: refused, or a warning in the record."""

import pytest

from mlpde import InputError
from mlpde.case_files import load
from mlpde.solvers.rfm import RFM

CASE, RING = load("square_poisson"), load("variable_coefficient")


def warnings(problem, **settings):
    return RFM(**settings).solve(problem, seed=0).info["warnings"]


def test_more_features_than_points_are_refused():
    with pytest.raises(
        InputError, match=r"^20 rows cannot determine 100 columns: use more points or fewer feat"
    ):
        RFM(features=200, partition=(1, 1), points=0.05).solve(CASE.problem)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"tolerance": 1e-17},
            "rfm.tolerance 1e-17 is below what double precision can give, about 1e-14: ask for",
        ),
        ({"method": "qr"}, "rfm.method"),
        ({"window": "psi_c"}, "rfm.window"),
        ({"features": 0}, "rfm.features"),
        ({"points": 0.0}, "rfm.points"),
        ({"max_unknowns": 0}, "rfm.max_unknowns"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_settings_that_cannot_be_are_refused_when_they_are_given(settings, sentence):
    with pytest.raises(InputError, match=sentence) as refusal:
        RFM(**settings)
    assert "\n" not in str(refusal.value)


@pytest.mark.slow
def test_cells_without_points_are_named_and_left_to_their_neighbours():
    found = warnings(RING.problem, features=40, partition=(8, 8), activation="sin", scale=1.0)
    assert "subdomain (0, 0) has 0 points, too few: left to its neighbours" in found


def test_features_that_are_all_constant_make_a_singular_system_and_a_warning():
    solver = RFM(features=40, partition=(1, 1), activation="tanh", scale=1e-9, tolerance=1e-6)
    solution = solver.solve(CASE.problem, seed=0)  # all features are constant, up to rounding
    assert any(
        w.startswith("the relative residual on independent points is") for w in solution.info["warnings"]
    )
    assert "do not use this solution unseen" in solution.info["warnings"][-1]


def test_options_of_petsc_that_nothing_used_are_reported(monkeypatch):
    monkeypatch.setenv("PETSC_OPTIONS", "-rfm_pc_typ none")
    found = warnings(CASE.problem, features=30, partition=(1, 1), activation="sin", scale=3.0)
    assert "the PETSc option -rfm_pc_typ was not used by the method block_qr" in found
