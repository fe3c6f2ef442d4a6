"""What the benchmarks measure is what a solver returns."""

import pytest

from mlpde.bench._neural_tracks import error_at, first_below, timed_errors
from mlpde.case_files import load
from mlpde.exact import exact_solution
from mlpde.solvers import solver


@pytest.mark.parametrize(
    "name, settings",
    [
        ("pinn", {"iterations": 4, "width": 6}),
        ("deep_ritz", {"iterations": 4, "width": 6}),
        ("wan", {"iterations": 4, "width": 6}),
        ("dgm", {"steps": 4, "refine": 0, "width": 6}),
    ],
)
def test_a_track_ends_where_the_solution_of_the_same_seed_is(name, settings):
    case = load("square_poisson")
    reference = exact_solution(case)
    track = timed_errors(case, reference, solver(name, **settings), seed=1)
    solution = solver(name, **settings).solve(case.problem, seed=1)
    assert len(track) >= 2
    assert [seconds for seconds, _ in track] == sorted(seconds for seconds, _ in track)
    for _, error in track[-2:]:
        assert error == pytest.approx(solution.error(reference)["u"]["l2"], rel=1e-9)


def test_a_track_tells_when_an_error_is_reached_and_what_error_a_time_allows():
    track = [(1.0, 1e-1), (2.0, 1e-3), (3.0, 1e-2)]
    assert first_below(track, 1e-2) == 2.0 and first_below(track, 1e-4) == float("inf")
    assert error_at(track, 3.0) == 1e-3 and error_at(track, 0.5) == float("inf")
