"""Every solver meets every case that it accepts, at small size: one table of cases x solvers."""

from dataclasses import replace

import numpy as np
import pytest

from mlpde import case_files
from mlpde.comparison import reference_solver
from mlpde.errors import InputError
from mlpde.exact import exact_solution
from mlpde.monitor import Monitor
from mlpde.solution import Solution
from mlpde.solvers import SOLVERS, check_accepts, solver
from mlpde.solving import solve

CASES = sorted(case_files.case_files())
QUICK = {"fem": {"estimate": False}, "rfm": {"max_unknowns": 2500}, "pinn": {"depth": 2, "iterations": 30}}
# Relative L2 errors that the small runs stay below.  Where the solution is singular (l_shape, the clamped corners) its
# strong residual is not square integrable, and solvers that minimise it stay far from the solution.
LIMITS = {
    "clamped_plate_elasticity": {"fem": 1e-2, "rfm": 0.6, "pinn": 1.0},
    "helmholtz_1d": {"fem": 0.2, "rfm": 1e-9, "pinn": 1.5},
    "l_shape": {"fem": 1e-2, "rfm": 0.2, "pinn": 0.2},
    "lshape_eigenvalues": {"fem": 5e-3},
    "maxwell_lshape": {"fem": 1e-2},
    "plate_with_holes": {"fem": 1e-3, "rfm": 2e-3, "pinn": 0.2},
    "square_poisson": {"fem": 1e-3, "rfm": 1e-12, "pinn": 1e-6},
    "variable_coefficient": {"fem": 1e-3, "rfm": 1e-10, "pinn": 1e-2},
}


@pytest.fixture(scope="module")
def references():
    known: dict[str, Solution] = {}

    def reference(name: str) -> Solution:
        if name not in known:
            case = case_files.load(name)
            exact = bool(getattr(case.problem, "exact", None))
            fem = replace(reference_solver(case), estimate=False)
            known[name] = exact_solution(case) if exact else solve(case, fem)
        return known[name]

    return reference


def test_the_table_names_every_case():
    assert sorted(LIMITS) == CASES


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("case", CASES)
def test_solver_on_case(case, name, references, tmp_path):
    loaded = case_files.load(case)
    candidate = solver(name, **QUICK[name])
    if name not in LIMITS[case]:
        with pytest.raises(InputError, match=f"solver '{name}' does not take {case}"):
            check_accepts(candidate, loaded.problem, case)
        return
    solution = solve(loaded, candidate, seed=0, out=tmp_path / "out")
    reference = references(case)
    (error,) = solution.error(reference).values()
    assert error["l2"] < LIMITS[case][name]

    points = loaded.problem.domain.interior(50, seed=3)
    field = loaded.problem.fields[0]
    assert solution(points).shape == (50, *field.shape)
    assert solution.gradient(points).shape == (50, *field.shape, loaded.problem.domain.dim)
    restored = Solution.load(next((tmp_path / "out" / "solutions").iterdir()))
    assert np.array_equal(restored(points), solution(points))

    if error["l2"] > 0.02:
        return  # huge coefficients cancel where a singular solution is approximated: differences are all rounding
    step = 1e-5 * np.eye(loaded.problem.domain.dim)[0]
    difference = (solution.jets(points + step, [()])[()] - solution.jets(points - step, [()])[()]) / 2e-5
    slope = solution.jets(points, [(0,)])[(0,)]
    assert np.median(np.abs(difference - slope)) < 1e-4 * np.abs(slope).max()


@pytest.mark.parametrize("name", ["rfm", "pinn"])
def test_a_seed_fixes_the_result(name):
    loaded = case_files.load("variable_coefficient")
    settings = {
        "rfm": {"features": 50, "partition": (2, 2)},
        "pinn": {"width": 8, "depth": 2, "iterations": 5},
    }[name]
    points = loaded.problem.domain.interior(20, seed=0)
    first, again, other = (
        solver(name, **settings).solve(loaded.problem, seed=seed, monitor=Monitor())(points)
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
