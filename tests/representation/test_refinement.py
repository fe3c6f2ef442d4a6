"""Single subdomains are divided where the equations hold worst."""

import numpy as np
import pytest
import ufl

from geometry import Domain
from mlpde import RFM, Dirichlet, Field, Problem, Solution, case_files
from mlpde.exact import exact_solution


@pytest.fixture(scope="module")
def peak():
    """A peak exp(-1000 r^2) in the middle of the unit square, and its solution with 6000 unknowns."""
    case = case_files.load("nist_peak")
    solver = RFM(features=100, activation="sin", scale=3.0, max_unknowns=6000, tolerance=1e-6)
    return case, solver.solve(case.problem)


def test_a_peak_is_resolved_by_small_subdomains_around_it(peak):
    case, solution = peak
    info = solution.info
    assert info["divided"] >= 1 and info["unknowns"] <= 6000
    sides = [np.subtract(box["upper"], box["lower"]) for box in info["division"]]
    assert sum(np.prod(side) for side in sides) == pytest.approx(1.0)  # the boxes fill the square
    smallest = 1 / (info["partition"][0] * 2 ** info["divided"])
    assert min(side[0] for side in sides) == pytest.approx(smallest)
    uniform = min(row["residual"] for row in info["history"] if "subdomains" not in row)
    assert info["residual"] < uniform / 10
    reference = exact_solution(case)
    l2 = solution.error(reference)["u"]["l2"]
    grid = RFM(features=100, activation="sin", scale=3.0, partition=(7, 7)).solve(case.problem)
    assert l2 < grid.error(reference)["u"]["l2"] / 10
    assert l2 < info["estimated_error"]["u"]["l2"]


def test_a_divided_solution_loads_again(peak, tmp_path):
    _, solution = peak
    points = np.random.default_rng(0).random((50, 2))
    assert np.array_equal(Solution.load(solution.save(tmp_path / "saved"))(points), solution(points))


def test_what_is_rough_everywhere_is_not_divided():
    case = case_files.load("poisson_high_frequency")
    solution = RFM(features=50, max_unknowns=1000, tolerance=1e-12).solve(case.problem)
    assert solution.info["divided"] == 0


def test_a_peak_in_space_is_found_from_one_subdomain():
    """The start has a single one, which holds all of the residual whatever the solution is."""

    def cube(model):
        model.occ.addBox(0, 0, 0, 1, 1, 1)
        model.occ.synchronize()
        model.addPhysicalGroup(2, [tag for _, tag in model.getEntities(2)], name="sides")

    def exact(x):
        return ufl.exp(-60 * sum((x[i] - c) ** 2 for i, c in enumerate((0.3, 0.35, 0.25))))

    def weak_form(u, v, omega):
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) + ufl.div(ufl.grad(exact(omega.x))) * v) * omega.dx

    problem = Problem(
        Domain(3, cube, size=0.3), Field("u"), weak_form, dirichlet=Dirichlet("all", exact), exact=exact
    )
    info = RFM(features=100, activation="sin", scale=3.0, max_unknowns=2500).solve(problem).info
    assert info["divided"] >= 1
