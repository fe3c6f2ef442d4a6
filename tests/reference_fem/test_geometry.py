"""FEM on slits and on meshes from files, where geometry alone is not the whole answer."""

import meshio
import numpy as np
import pytest
import ufl

from geometry import Domain, rectangle, slit_square
from mlpde import Dirichlet, Field, Problem, case_files, solve
from reference_fem import FEM


def _laplace(domain, exact, dirichlet):
    return Problem(
        domain=domain,
        fields=Field("u"),
        weak_form=lambda u, v, omega: ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx,
        dirichlet=dirichlet,
        exact=exact,
    )


def _crack(x):
    """sqrt(r) cos(theta / 2), theta from 0 above the slit to 2 pi below: harmonic, no flux through the slit."""
    r = ufl.sqrt(x[0] ** 2 + x[1] ** 2)
    return ufl.sqrt((r + x[0]) / 2) * ufl.conditional(x[1] < 0, -1.0, 1.0)


def test_a_solution_jumps_across_a_slit_that_ends_on_the_boundary():
    """-Lap u + u = f with u = sqrt(r) cos(theta / 2): 1 above and -1 below the slit's open end."""

    def weak_form(u, v, omega):
        exact = _crack(omega.x)
        inside = ufl.inner(ufl.grad(u), ufl.grad(v)) + (u - exact) * v
        return inside * omega.dx - ufl.dot(ufl.grad(exact), omega.n) * v * omega.ds("outer")

    problem = Problem(domain=slit_square(), fields=Field("u"), weak_form=weak_form)
    solution = solve(problem, FEM(size=0.1, estimate=False))
    for x in (0.3, 0.9, 1.0):
        above, below = solution(np.array([[x, 1e-8], [x, -1e-8]])).ravel()
        assert above == pytest.approx(np.sqrt(x), abs=0.01) and below == pytest.approx(-np.sqrt(x), abs=0.01)
    assert abs(solution(np.array([[-0.5, 0.0]])).item()) < 0.01


def _inner_slit(model):
    """(-2, 2)^2 with the slit (-1, 1) x {0}."""
    square = model.occ.addRectangle(-2, -2, 0, 4, 4)
    slit = model.occ.addLine(model.occ.addPoint(-1, 0, 0), model.occ.addPoint(1, 0, 0))
    _, ([(_, surface)], [(_, line)]) = model.occ.fragment([(2, square)], [(1, slit)])
    model.occ.synchronize()
    sides = [tag for _, tag in model.getBoundary([(2, surface)], oriented=False)]
    model.addPhysicalGroup(1, sides, name="outer")
    model.addPhysicalGroup(1, [line], name="slit")


def _griffith(x):
    """Im sqrt(z^2 - 1) with its cut on the slit: flow around it, sqrt(1 - x^2) above and minus that below."""
    a, b = x[0] ** 2 - x[1] ** 2 - 1, 2 * x[0] * x[1]
    size = ufl.sqrt((ufl.sqrt(a**2 + b**2) - a) / 2)
    return ufl.conditional(x[1] < 0, -size, size)


def test_a_solution_jumps_across_a_slit_inside():
    domain = Domain(2, _inner_slit)
    solution = solve(_laplace(domain, None, Dirichlet("outer", _griffith)), FEM(size=0.1, estimate=False))
    x = np.array([0.0, 0.5])
    for side in (1, -1):
        values = solution(np.stack([x, np.full(2, side * 1e-8)], axis=1)).ravel()
        np.testing.assert_allclose(values, side * np.sqrt(1 - x**2), atol=0.02)


@pytest.mark.parametrize("order", [1, 2])
def test_fem_converges_on_a_mesh_from_a_file(tmp_path, order):
    """P2 on halved meshes: third order, and an estimate that is near the true error."""
    mesh = rectangle().mesh(0.35, order=order)
    kind = {1: "triangle", 2: "triangle6"}[order]
    meshio.write(tmp_path / "a.vtu", meshio.Mesh(np.pad(mesh.points, ((0, 0), (0, 1))), [(kind, mesh.cells)]))
    domain = Domain.from_file(tmp_path / "a.vtu", boundaries=lambda x: "rim")
    problem = _laplace(
        domain,
        lambda x: ufl.exp(x[0]) * ufl.sin(x[1]),
        Dirichlet("rim", lambda x: ufl.exp(x[0]) * ufl.sin(x[1])),
    )
    errors = []
    for size in (domain.default_size, domain.default_size / 2):
        solution = solve(problem, FEM(degree=2, size=size))
        points, weights = rectangle().quadrature(6)
        difference = solution(points).ravel() - np.exp(points[:, 0]) * np.sin(points[:, 1])
        errors.append(np.sqrt(weights @ difference**2))
    assert np.log2(errors[0] / errors[1]) > 2.7
    scale = np.sqrt(weights @ (np.exp(points[:, 0]) * np.sin(points[:, 1])) ** 2)
    assert 0.5 < solution.info["estimated_error"]["u"]["l2"] / (errors[-1] / scale) < 2


def test_volume_functionals_beat_boundary_integrals():
    """Drag and lift of the cylinder of Schaefer and Turek, beside Nabh's numbers, on one coarse mesh."""
    case = case_files.load("cylinder_flow")
    found = solve(case, FEM(degree=3, size=0.06, estimate=False)).quantities
    for name, asked in (("drag", 5e-5), ("lift", 1e-3)):
        by_volume, by_boundary = (
            abs(found[q] / case.published[name][0] - 1) for q in (name, f"{name} by the boundary")
        )
        assert by_volume < asked and by_volume < by_boundary / 5


def test_a_cluster_of_holes_with_gaps_of_2_percent():
    """The peak stress is converged to 1 %; the resultant by a volume functional is in equilibrium with the load."""
    case = case_files.load("hole_cluster_elasticity")
    size = case.problem.domain.default_size
    coarse, fine = (solve(case, FEM(degree=3, size=h, estimate=False)).quantities for h in (size, size / 2))
    assert abs(coarse["peak stress"] / fine["peak stress"] - 1) < 0.01
    assert abs(fine["force on the bottom"] / 8 - 1) < 1e-9
    assert abs(fine["force on the bottom by its stress"] / 8 - 1) > 1e-8
    assert case.problem.domain.mesh(order=3).scaled_jacobians().min() > 0.2
