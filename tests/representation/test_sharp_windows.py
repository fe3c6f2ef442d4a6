"""The windows psi_a: subdomains joined by rows on their faces reach the published errors."""

import numpy as np
import pytest

from mlpde import InputError, Solution, case_files
from mlpde.exact import exact_solution
from mlpde.solvers.rfm import RFM

PAPER = {"activation": "tanh", "scale": 1.0, "polynomials": False, "window": "psi_a"}
HELMHOLTZ_SIZE = 3.0  # max |u| to 1 %: the published errors are absolute


@pytest.mark.parametrize(("unknowns", "published"), [(400, 5.9e-7), (800, 4.4e-10)])
def test_helmholtz_passes_the_published_errors(unknowns, published):
    case = case_files.load("helmholtz_1d")
    solver = RFM(features=50, partition=(unknowns // 50,), points=1.0, **PAPER)
    reference = exact_solution(case)
    errors = [
        HELMHOLTZ_SIZE * solver.solve(case.problem, seed=s).error(reference)["u"]["max"] for s in range(5)
    ]
    assert np.median(errors) < published


def test_poisson_on_four_subdomains_passes_the_published_error(tmp_path):
    case = case_files.load("poisson_2d")
    solution = RFM(features=200, partition=(2, 2), window="psi_a", activation="sin", scale=3.0).solve(
        case.problem
    )
    assert solution.error(exact_solution(case))["u"]["l2"] < 5.0e-11
    points = case.problem.domain.interior(50, seed=1)
    restored = Solution.load(solution.save(tmp_path / "saved"))
    assert np.array_equal(restored(points), solution(points))
    y = np.linspace(0.05, 0.45, 6)
    sides = [np.column_stack([0.5 + 0 * y + e, y]) for e in (-1e-10, 1e-10)]
    assert np.allclose(*(solution(side) for side in sides), atol=1e-8)
    assert np.allclose(*(solution.gradient(side) for side in sides), atol=1e-6)


def test_nonlinear_problems_are_refused():
    with pytest.raises(InputError, match="psi_a"):
        RFM(features=50, partition=(2, 2), window="psi_a").solve(case_files.load("lid_driven_cavity").problem)
