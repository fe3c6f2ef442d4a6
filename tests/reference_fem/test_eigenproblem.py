"""Eigenvalues against exact ones, their orders, modes as subspaces, and what wrong eigenproblems are told."""

import math

import numpy as np
import pytest
import ufl

from geometry import disk, interval, rectangle
from mlpde import Case, Dirichlet, Eigenproblem, Field, Solution, case_files, compare, solve
from mlpde.errors import InputError
from mlpde.modes import clusters
from reference_fem import FEM

SQUARE = rectangle(0, 0, math.pi, math.pi)


def laplace(u, v, omega):
    return ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx


def mass(u, v, omega):
    return ufl.inner(u, v) * omega.dx


def eigenproblem(domain=SQUARE, fields=None, stiffness=laplace, **options):
    options = {"mass": mass, "dirichlet": Dirichlet("all", 0.0)} | options
    return Eigenproblem(domain, fields or Field("u"), stiffness, **options)


def plain(degree=2, size=0.4):
    return FEM(degree=degree, size=size, estimate=False)


def test_order_of_the_eigenvalues_is_twice_the_degree():
    errors = [solve(eigenproblem(count=1), plain(2, h)).eigenvalues[0] - 2 for h in (0.8, 0.4, 0.2)]
    assert min(errors) > 0  # Rayleigh quotients lie above
    assert math.log2(errors[1] / errors[2]) == pytest.approx(4, abs=0.3)


def test_estimated_error_of_eigenvalues_and_modes():
    solution = solve(eigenproblem(count=4), FEM(size=0.5))
    exact = [2, 5, 5, 8]
    estimated = list(solution.info["estimated_quantity_error"].values())
    assert np.abs(solution.eigenvalues - exact) / estimated == pytest.approx(np.ones(4), rel=0.1)
    reference = solve(eigenproblem(count=4), plain(4, 0.3))
    error = solution.error(reference)["u"]
    assert solution.info["estimated_error"]["u"]["l2"] == pytest.approx(error["l2"], rel=0.1)
    assert solution.info["estimated_error"]["u"]["h1"] == pytest.approx(error["h1"], rel=0.1)


def test_a_multiple_last_eigenvalue_comes_whole():
    solution = solve(eigenproblem(count=2), plain())
    assert solution.eigenvalues == pytest.approx([2, 5, 5], rel=1e-3)
    assert clusters(solution.eigenvalues) == [slice(0, 1), slice(1, 3)]


def test_modes_are_normalised_and_orthogonal():
    solution = solve(eigenproblem(count=4, mass=lambda u, v, omega: 3 * u * v * omega.dx), plain())
    points, weights = solution.mesh.quadrature(8)
    modes = np.stack([mode(points) for mode in solution])
    assert 3 * np.einsum("q,kq,lq->kl", weights, modes, modes) == pytest.approx(np.eye(4), abs=1e-9)


def test_circle():
    """Bessel zeros j01, j11 (twice), j21 (twice): curved cells, and modes that differ by a rotation."""
    problem = eigenproblem(disk(), count=5)
    solution = solve(problem, plain(3, 0.2))
    exact = np.array(
        [2.404825557695773, 3.831705970207512, 3.831705970207512, 5.135622301840683, 5.135622301840683]
    )
    assert solution.eigenvalues == pytest.approx(exact**2, rel=5e-6)
    other = solve(problem, plain(3, 0.17))
    assert solution.error(other)["u"]["l2"] < 3e-4


def test_smallest_means_smallest_in_value():
    well = eigenproblem(
        interval(0, math.pi),
        stiffness=lambda u, v, omega: laplace(u, v, omega) - 50 * u * v * omega.dx,
        count=3,
    )
    assert solve(well, plain(4, 0.2)).eigenvalues == pytest.approx([-49, -46, -41], rel=1e-7)
    free = eigenproblem(interval(0, math.pi), dirichlet=(), count=3)
    assert solve(free, plain(4, 0.2)).eigenvalues == pytest.approx([0, 1, 4], abs=1e-7)


def test_target():
    assert solve(eigenproblem(count=1, target=9.5), plain(3)).eigenvalues == pytest.approx([10, 10], rel=1e-4)


def test_elastic_and_several_fields():
    vector = eigenproblem(fields=Field("u", shape=(2,)), count=2)
    assert solve(vector, plain()).eigenvalues == pytest.approx([2, 2], rel=1e-3)

    def pair(function):
        return lambda u, v, omega: function(u[0], v[0], omega) + 2 * function(u[1], v[1], omega)

    both = [Dirichlet("all", 0.0, field="a"), Dirichlet("all", 0.0, field="b")]
    coupled = eigenproblem(
        fields=[Field("a"), Field("b")],
        stiffness=pair(laplace),
        mass=lambda u, v, omega: mass(u[0], v[0], omega) + mass(u[1], v[1], omega),
        dirichlet=both,
        count=2,
    )
    assert solve(coupled, plain()).eigenvalues == pytest.approx([2, 4], rel=1e-3)


def test_maxwell_has_no_spurious_eigenvalues():
    """Perfect conductor on (0, pi)^2: m^2 + n^2 with m + n > 0."""
    field = Field("E", family="Nedelec")
    problem = eigenproblem(
        fields=field, stiffness=lambda u, v, omega: ufl.curl(u) * ufl.curl(v) * omega.dx, count=7, target=3.2
    )
    assert problem.fields[0].shape == (2,)
    solution = solve(problem, plain(2, 0.5))
    assert solution.eigenvalues[:7] == pytest.approx([1, 1, 2, 4, 4, 5, 5], rel=2e-3)
    points = np.array([[0.0, 1.0], [0.0, 2.0]])
    assert np.abs(solution[2](points)[:, 1]).max() < 1e-12  # the tangential trace on x = 0


def test_saved_modes_are_restored(tmp_path):
    solution = solve(Case("square", eigenproblem(count=2)), plain())
    solution.save(tmp_path / "saved")
    loaded = Solution.load(tmp_path / "saved")
    points = SQUARE.interior(20, seed=0)
    assert np.array_equal(loaded.eigenvalues, solution.eigenvalues)
    assert np.array_equal(loaded[2](points), solution[2](points))
    assert loaded.quantities["eigenvalue 1"] == solution.eigenvalues[0]


def test_comparison_and_its_report(tmp_path):
    case = Case("square", eigenproblem(count=2), published={"eigenvalue 1": (2.0, "exact")})
    comparison = compare(case, [plain(1)], reference=FEM(degree=3, size=0.4), out=tmp_path / "out")
    (row,) = comparison.metrics["solutions"]
    assert row["quantities"]["eigenvalue 2"] == pytest.approx(5, rel=0.1)
    assert 1e-3 < row["errors"]["u"]["l2"] < 0.1
    text = (tmp_path / "out" / "report.md").read_text()
    assert "| eigenvalue 1 | 2.00000 (exact) | 2.00000 ±" in text


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"mass": lambda u, v, omega: 0 * u * v * omega.dx}, "mass is zero"),
        (
            {"mass": lambda u, v, omega: ufl.conditional(omega.x[0] < 1, 0, 1) * u * v * omega.dx(degree=2)},
            "the mass matrix is singular",
        ),
        ({"mass": lambda u, v, omega: -u * v * omega.dx}, "must be positive definite"),
        ({"stiffness": lambda u, v, omega: u.dx(0) * v * omega.dx}, "not symmetric"),
        ({"stiffness": lambda u, v, omega: u**2 * v * omega.dx}, "linear in u and in v"),
        ({"stiffness": lambda u, v, omega: u * v}, "must return an integral"),
        ({"stiffness": lambda u, v, omega: (u * v + v) * omega.dx}, "linear in u and in v"),
        ({"count": 10000}, "count = 10000"),
    ],
)
def test_refusals(options, sentence):
    with pytest.raises(InputError, match=sentence):
        solve(eigenproblem(**options), plain())


def test_what_has_no_modes():
    solution = solve(eigenproblem(count=1), plain())
    with pytest.raises(InputError, match="modes 0 to 0"):
        solution[1]
    with pytest.raises(InputError, match="no eigenproblem"):
        _ = solution[0].eigenvalues


def test_published_values_of_the_cases():
    """Relative 1e-7 on the L-shape, absolute 1e-5 for Maxwell's."""
    for name, degree, tolerance in (
        ("lshape_eigenvalues", 4, {"rel": 1e-7}),
        ("maxwell_lshape", 3, {"abs": 1e-5}),
    ):
        case = case_files.load(name)
        quantities = solve(case, FEM(degree=degree, estimate=False)).quantities
        for quantity, (value, _) in case.published.items():
            assert quantities[quantity] == pytest.approx(value, **tolerance)


def test_a_mass_on_the_boundary_alone_is_singular():
    """Steklov's problem: most rows of the mass are empty."""
    problem = Eigenproblem(
        rectangle(),
        Field("u"),
        lambda u, v, omega: ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx,
        lambda u, v, omega: u * v * omega.ds("top"),
        dirichlet=Dirichlet("bottom", 0.0),
    )
    with pytest.raises(InputError, match=r"the mass matrix is singular: mass.* leaves .* unknowns out"):
        FEM(size=0.2).solve(problem)
