"""FiniteElementFunction: values and derivatives against exact functions, nan outside, storage, without DOLFINx."""

import subprocess
import sys
import time

import numpy as np
import pytest
import ufl

from geometry import annulus, ball, disk, interval, rectangle
from mlpde import Dirichlet, Field, InputError, Problem
from mlpde.solution import Solution
from reference_fem import FEM
from reference_fem.function import FiniteElementFunction, lagrange


def interpolant(mesh, degree, function) -> FiniteElementFunction:
    """`function(x)` -> (n, m) at the nodes of every cell."""
    nodes = lagrange(mesh.dim, degree).points
    cells = np.repeat(np.arange(len(mesh.cells)), len(nodes))
    values = function(mesh.map(cells, np.tile(nodes, (len(mesh.cells), 1))))
    return FiniteElementFunction(mesh, (degree,), (values.reshape(len(mesh.cells), len(nodes), -1),))


def inside(mesh, n):
    rng = np.random.default_rng(0)
    xi = rng.dirichlet(np.ones(mesh.dim + 1), n)[:, 1:]
    return mesh.map(rng.integers(len(mesh.cells), size=n), xi)


@pytest.mark.parametrize("domain", [interval(), rectangle(), ball()], ids=["1-D", "2-D", "3-D"])
def test_polynomials_are_exact_on_straight_cells(domain):
    """x^3 sums: values, all first and all second derivatives, degree 3."""
    mesh = domain.mesh(0.5, order=1)
    a = np.arange(1, domain.dim + 1)
    u = interpolant(mesh, 3, lambda x: np.stack([(x @ a) ** 3, x[:, 0] ** 2], axis=1))
    x = inside(mesh, 200)
    second = [(i, j) for i in range(domain.dim) for j in range(i, domain.dim)]
    jets = u.jets(x, [(), *((i,) for i in range(domain.dim)), *second])
    np.testing.assert_allclose(jets[()], np.stack([(x @ a) ** 3, x[:, 0] ** 2], 1), atol=1e-12)
    for i in range(domain.dim):
        np.testing.assert_allclose(jets[(i,)][:, 0], 3 * a[i] * (x @ a) ** 2, atol=1e-10)
    for i, j in second:
        np.testing.assert_allclose(jets[(i, j)][:, 0], 6 * a[i] * a[j] * (x @ a), atol=1e-8)
        np.testing.assert_allclose(jets[(i, j)][:, 1], 2.0 * (i == j == 0), atol=1e-8)


@pytest.mark.parametrize("order", [2, 3])
def test_linear_functions_are_exact_on_curved_cells(order):
    """x itself is in the isoparametric space: gradient 1 and second derivatives 0 test the curvature's correction."""
    mesh = annulus().mesh(0.2, order=order)
    u = interpolant(mesh, order, lambda x: x)
    jets = u.jets(inside(mesh, 500), [(0,), (1,), (0, 0), (0, 1), (1, 1)])
    np.testing.assert_allclose(jets[(0,)], np.broadcast_to([1.0, 0.0], (500, 2)), atol=1e-12)
    np.testing.assert_allclose(jets[(1,)], np.broadcast_to([0.0, 1.0], (500, 2)), atol=1e-12)
    for alpha in [(0, 0), (0, 1), (1, 1)]:
        np.testing.assert_allclose(jets[alpha], 0.0, atol=1e-9)


def test_derivatives_converge_on_curved_cells(known):
    """Interpolation of degree 3: orders 4, 3, 2 for values, first and second derivatives (less where cells bend)."""
    errors = []
    for size in (0.1, 0.05):
        mesh = annulus().mesh(size, order=2)
        u = interpolant(mesh, 3, lambda x: known.wave_values(x)[0][:, None])
        x, w = mesh.quadrature(8)
        value, gradient = known.wave_values(x)
        jets = u.jets(x, [(), (0,), (0, 0)])
        exact = {(): value, (0,): gradient[:, 0], (0, 0): -4 * value}
        errors.append([np.sqrt(w @ (jets[alpha][:, 0] - exact[alpha]) ** 2) for alpha in exact])
    value, first, second = known.orders(errors)[0]
    assert value > 3.4 and first > 2.4 and second > 1.4


def test_points_outside_are_nan_and_beside_the_boundary_extrapolated(known):
    problem = known.poisson(disk(), known.wave, Dirichlet("all", known.wave))
    solution = FEM(size=0.2, estimate=False).solve(problem)
    angle = np.linspace(0, 2 * np.pi, 400)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    flags = solution.mesh.locate(circle)[2]
    assert (flags == 1).any() and (flags < 2).all()
    on = solution.model.jets(circle, [(), (0,)])
    np.testing.assert_allclose(on[()][:, 0], known.wave_values(circle)[0], atol=5e-3)
    np.testing.assert_allclose(on[(0,)][:, 0], known.wave_values(circle)[1][:, 0], atol=2e-1)
    points = np.concatenate([0.5 * circle, 1.1 * circle])
    assert (
        np.isnan(solution.model.jets(points, [(), (0,)])[(0,)][:, 0]).tolist() == [False] * 400 + [True] * 400
    )
    with pytest.warns(UserWarning, match="400 of 800 points"):
        assert np.isnan(solution(points)).sum() == 400


def test_third_derivatives_are_refused():
    u = interpolant(rectangle().mesh(0.5), 2, lambda x: x)
    with pytest.raises(InputError, match="order 0, 1, 2"):
        u.jets(np.zeros((1, 2)), [(0, 0, 0)])
    with pytest.raises(InputError, match=r"\(2,\) was asked for"):
        u.jets(np.zeros((1, 2)), [(2,)])
    assert u.jets(np.zeros((0, 2)), [()])[()].shape == (0, 2)


def test_a_saved_solution_is_the_same_and_needs_no_dolfinx(tmp_path, known):
    def weak_form(unknowns, tests, omega):
        (u, w), (v, z) = unknowns, tests
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) + w * z - omega.x[0] * z - v[0]) * omega.dx

    problem = Problem(
        annulus(),
        [Field("u", shape=(2,)), Field("w")],
        weak_form=weak_form,
        dirichlet=Dirichlet("all", field="u"),
    )
    solution = FEM(size=0.3).solve(problem)
    assert set(solution.info["estimated_error"]) == {"u", "w"}
    solution.save(tmp_path / "saved")
    loaded = Solution.load(tmp_path / "saved")
    x = inside(solution.mesh, 50)
    for name in ("u", "w"):
        np.testing.assert_array_equal(loaded.evaluate(x)[name], solution.evaluate(x)[name])
    np.testing.assert_allclose(loaded.evaluate(x)["w"], x[:, 0], atol=1e-12)
    code = (
        "import sys; from mlpde.solution import Solution; "
        f"s = Solution.load({str(tmp_path / 'saved')!r}); s.evaluate([[0.7, 0.1]]); "
        "print([m for m in ('dolfinx', 'petsc4py', 'gmsh') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.slow
def test_ten_thousand_evaluations_take_a_fifth_of_a_second():
    mesh = annulus().mesh(0.03)
    u = interpolant(mesh, 2, lambda x: x)
    x = inside(mesh, 10_000)
    u.jets(x[:1], [()])  # builds the search structure
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        u.jets(x, [()])
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.2
