"""Refinement to a tolerance: true errors, rates in the unknowns, every kind of problem, and what is said on failure."""

import json

import numpy as np
import pytest
import ufl

from geometry import cuboid, disk, l_shape, rectangle
from mlpde import Case, Dirichlet, Eigenproblem, Field, Problem, case_files, compare
from mlpde.comparison import reference_solver
from mlpde.errors import InputError
from mlpde.exact import exact_solution
from reference_fem import FEM


@pytest.fixture(scope="module")
def corner():
    """The L-shape's singular solution for two tolerances."""
    problem = case_files.load("l_shape").problem
    return problem, [FEM(tolerance=tolerance).solve(problem) for tolerance in (1e-4, 1e-5)]


def true_error(solution, problem):
    return solution.error(exact_solution(Case("exact", problem)))["u"]


def test_a_corner_singularity_meets_the_tolerance_and_the_estimate_tells_the_true_error(corner):
    problem, solutions = corner
    for solution, tolerance in zip(solutions, (1e-4, 1e-5), strict=True):
        true, estimated = true_error(solution, problem), solution.info["estimated_error"]["u"]
        assert true["l2"] < tolerance
        assert 0.5 < estimated["l2"] / true["l2"] < 2
        assert 0.3 < estimated["h1"] / true["h1"] < 3
    assert solutions[-1].info["mesh"]["size_min"] < 2e-4  # from 1e-1 in five meshes
    assert len(solutions[-1].info["levels"]) <= 7
    assert solutions[-1].info["warnings"] == []


def test_the_gradients_error_falls_at_the_rate_of_a_smooth_solution(corner):
    """N^(-p / 2) in the unknowns; uniform meshes would give N^(-1 / 3)."""
    problem, (_, rough) = corner
    pair = [rough, FEM(tolerance=1e-6).solve(problem)]
    errors = [true_error(solution, problem)["h1"] for solution in pair]
    unknowns = [solution.info["unknowns"] for solution in pair]
    rate = np.log(errors[0] / errors[1]) / np.log(unknowns[1] / unknowns[0])
    assert rate > 0.9


def test_nothing_is_refined_where_the_first_mesh_will_do():
    problem = case_files.load("square_poisson").problem
    plain, asked = FEM().solve(problem), FEM(tolerance=1e-3).solve(problem)
    assert asked.info["unknowns"] == plain.info["unknowns"]
    assert len(asked.info["levels"]) == 1


def test_a_curved_boundary_is_followed_to_the_tolerance():
    def exact(x):
        return ufl.exp(-100 * ((x[0] - 0.8) ** 2 + x[1] ** 2))

    def weak_form(u, v, omega):
        g = exact(omega.x)
        return (ufl.dot(ufl.grad(u), ufl.grad(v)) + ufl.div(ufl.grad(g)) * v) * omega.dx

    problem = Problem(
        disk(1.0), Field("u"), weak_form=weak_form, dirichlet=Dirichlet("circle", exact), exact=exact
    )
    solution = FEM(tolerance=1e-4).solve(problem)
    assert true_error(solution, problem)["l2"] < 1e-4
    assert solution.info["mesh"]["size_max"] > 5 * solution.info["mesh"]["size_min"]
    assert solution.info["mesh"]["worst_quality"] > 0.3


def peak(x):
    return ufl.exp(-30 * ufl.dot(x, x))


def test_a_peak_in_three_dimensions_is_found():
    def weak_form(u, v, omega):
        return (ufl.dot(ufl.grad(u), ufl.grad(v)) + ufl.div(ufl.grad(peak(omega.x))) * v) * omega.dx

    problem = Problem(
        cuboid(-1, -1, -1, 1, 1, 1),
        Field("u"),
        weak_form=weak_form,
        dirichlet=Dirichlet("all", peak),
        exact=peak,
    )
    solution = FEM(size=0.5, tolerance=0.1).solve(problem)
    assert true_error(solution, problem)["l2"] < 0.1
    assert solution.info["warnings"] == []
    centre = np.linalg.norm(solution.mesh.points[solution.mesh.cells[:, :4]].mean(1), axis=1)
    inner, outer = (np.median(solution.mesh.sizes[part]) for part in (centre < 0.2, centre > 0.8))
    assert inner < outer / 1.5  # after one refinement


def test_several_fields_of_different_units_are_refined_together():
    """Stokes flow whose pressure is a thousand times its velocity: each field counts relative to its own size."""

    def velocity(x):
        return ufl.as_vector([ufl.sin(3 * x[1]), ufl.exp(-20 * (x[0] - 0.5) ** 2)])

    def pressure(x):
        return 1000 * (x[0] - 0.5)

    def weak_form(unknowns, tests, omega):
        (u, p), (v, q) = unknowns, tests
        f = ufl.grad(pressure(omega.x)) - ufl.div(ufl.grad(velocity(omega.x)))
        return (
            ufl.inner(ufl.grad(u), ufl.grad(v)) - p * ufl.div(v) - q * ufl.div(u) - ufl.dot(f, v)
        ) * omega.dx

    fields = [Field("u", shape=(2,)), Field("p", mean_zero=True)]
    problem = Problem(
        rectangle(),
        fields,
        weak_form=weak_form,
        dirichlet=Dirichlet("all", velocity, field="u"),
        exact={"u": velocity, "p": pressure},
    )
    solution = FEM(tolerance=3e-5).solve(problem)
    errors = solution.error(exact_solution(Case("stokes", problem)))
    assert len(solution.info["levels"]) > 1
    assert max(error["l2"] for error in errors.values()) < 3e-5


def test_a_nonlinear_problem_with_a_steep_front_is_refined():
    def exact(x):
        return ufl.tanh(20 * (x[0] - 0.5))

    def weak_form(u, v, omega):
        g = exact(omega.x)
        f = -ufl.div((1 + g**2) * ufl.grad(g))
        return (ufl.dot((1 + u**2) * ufl.grad(u), ufl.grad(v)) - f * v) * omega.dx

    problem = Problem(
        rectangle(0, 0, 1, 0.2),
        Field("u"),
        weak_form=weak_form,
        dirichlet=Dirichlet("all", exact),
        exact=exact,
    )
    solution = FEM(tolerance=1e-4).solve(problem)
    assert true_error(solution, problem)["l2"] < 1e-4
    middle = np.abs(solution.mesh.points[solution.mesh.cells[:, :3]].mean(1)[:, 0] - 0.5)
    assert solution.mesh.sizes[middle < 0.05].mean() < 0.5 * solution.mesh.sizes[middle > 0.3].mean()


def test_eigenmodes_are_refined_in_the_corner():
    problem = Eigenproblem(
        l_shape(1.0),
        Field("u"),
        stiffness=lambda u, v, omega: ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx,
        mass=lambda u, v, omega: u * v * omega.dx,
        dirichlet=Dirichlet("all", 0.0),
        count=1,
    )
    solution = FEM(tolerance=1e-4).solve(problem)
    assert solution.info["estimated_error"]["u"]["l2"] < 1e-4
    assert solution.eigenvalues[0] == pytest.approx(9.63972384402194, rel=2e-5)


def test_a_budget_that_is_spent_is_said_and_the_error_reported_all_the_same():
    problem = case_files.load("l_shape").problem
    solution = FEM(tolerance=1e-6, budget=20_000).solve(problem)
    estimated = solution.info["estimated_error"]["u"]["l2"]
    assert estimated > 1e-6
    sentence = solution.info["warnings"][-1]
    assert f"the tolerance 1e-06 is not met: the estimated L2 error is {estimated:.1e}" in sentence
    assert "the budget of 20000 unknowns is spent" in sentence
    assert max(level["estimate"]["unknowns"] for level in solution.info["levels"]) < 40_000


@pytest.mark.parametrize("settings", [{"size": 0.3}, {"size": 0.15}])
def test_the_size_asked_for_is_that_of_the_first_mesh(settings):
    problem = case_files.load("l_shape").problem
    plain, refined = FEM(**settings).solve(problem), FEM(**settings, tolerance=1e-4).solve(problem)
    assert refined.info["levels"][0]["cells"] == len(plain.mesh.cells)
    assert true_error(refined, problem)["l2"] < 1e-4


def test_singular_solutions_are_warned_of_and_smooth_ones_are_not():
    """Of x^0.6 the estimate cannot be trusted: between the levels the error hardly falls."""
    for name in ("l_shape", "nist_line_singularity"):
        (warning,) = FEM().solve(case_files.load(name).problem).info["warnings"]
        assert "the error of field 'u' falls like h^0." in warning
    for name in (
        "square_poisson",
        "variable_coefficient",
        "helmholtz_1d",
        "stokes_three_holes",
        "kirsch_plate",
    ):
        assert FEM().solve(case_files.load(name).problem).info["warnings"] == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"tolerance": 0.0}, "fem.tolerance must be a positive number"),
        ({"tolerance": 1e-3, "budget": 0}, "fem.budget must be an integer from 1 on"),
    ],
)
def test_what_is_no_tolerance_or_budget_is_refused(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        FEM(**settings)


def test_a_tolerance_of_a_steady_problem_needs_the_estimate():
    with pytest.raises(InputError, match="it needs estimate=True"):
        FEM(tolerance=1e-3, estimate=False).solve(case_files.load("square_poisson").problem)


def test_the_reference_of_a_comparison_is_refined_and_its_mesh_and_warnings_are_in_the_report(tmp_path):
    def weak_form(u, v, omega):
        return (ufl.dot(ufl.grad(u), ufl.grad(v)) - v) * omega.dx

    problem = Problem(l_shape(1.0), Field("u"), weak_form=weak_form, dirichlet=Dirichlet("all", 0.0))
    case = Case("corner", problem, solvers={"fem": {"degree": 2, "size": 0.2, "budget": 20_000}})
    assert reference_solver(case).tolerance == 1e-5
    compare(case, [FEM(size=0.3, estimate=False)], out=tmp_path / "out")
    reference = json.loads((tmp_path / "out" / "metrics.json").read_text())["reference"]
    assert len(reference["info"]["levels"]) > 1
    for name in ("report.html", "report.md"):
        text = (tmp_path / "out" / name).read_text()
        assert "Mesh" in text and "worst quality" in text
        assert "budget of 20000 unknowns is spent" in text


@pytest.mark.mpi
def test_two_ranks_refine_to_the_same_numbers(mpi):
    code = """
import json
from mpi4py import MPI
from mlpde import case_files
from reference_fem import FEM
solution = FEM(tolerance=3e-4).solve(case_files.load("l_shape").problem)
assert len(solution.info["levels"]) > 1
levels = [(level["cells"], level["unknowns"], level["estimate"]["unknowns"]) for level in solution.info["levels"]]
numbers = [solution.info["estimated_error"]["u"]["l2"], solution([[0.3, 0.2]])[0]]
ranks = MPI.COMM_WORLD.gather([levels, numbers])
if ranks:
    print(json.dumps(ranks))
"""
    ((levels, numbers),), two = (json.loads(mpi("-c", code, ranks=n).stdout) for n in (1, 2))
    assert len(two) == 2
    for rank in two:  # each sums in another order
        assert rank[0] == levels and rank[1] == pytest.approx(numbers, rel=1e-8)


def test_a_constant_solution_is_not_called_singular():
    def weak_form(u, v, omega):
        return ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx

    solution = FEM().solve(Problem(rectangle(), Field("u"), weak_form, dirichlet=Dirichlet("all", 3.0)))
    assert solution.info["warnings"] == []


def test_a_wave_that_the_mesh_cannot_hold_is_warned_of():
    def weak_form(u, v, omega):
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - 2500 * u * v - v) * omega.dx

    problem = Problem(rectangle(), Field("u"), weak_form, dirichlet=Dirichlet("all", 0.0))
    warnings = FEM(size=0.2).solve(problem).info["warnings"]
    assert any("the solution is not resolved, or does not exist" in w for w in warnings)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"steps": 10}, "steps is for problems in time"),
        ({"scheme": "theta"}, "scheme is for problems in time"),
        ({"budget": 100}, "give tolerance=... too"),
    ],
)
def test_settings_without_effect_are_refused(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        FEM(**settings).solve(case_files.load("square_poisson").problem)
