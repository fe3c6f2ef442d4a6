"""Two materials on a line, in time, and in a ball: values and fluxes joined at points and on faces."""

import numpy as np
import pytest
import ufl

from geometry import Domain
from mlpde import Dirichlet, Field, Problem, Solution, dt
from mlpde.exact import exact_solution
from mlpde.solvers.rfm import RFM
from mlpde.solving import as_case

SLAB = {"copper": 4.0, "glass": 1.0}  # conductivities
BALLS = {"core": 5.0, "shell": 1.0}
RADIUS = 0.5


def slab(model):
    points = [model.occ.addPoint(x, 0, 0) for x in (-1, 0, 2)]
    lines = [model.occ.addLine(*points[k : k + 2]) for k in range(2)]
    model.occ.synchronize()
    for name, line in zip(SLAB, lines, strict=True):
        model.addPhysicalGroup(1, [line], name=name)
    for name, point in zip(("left", "right"), points[::2], strict=True):
        model.addPhysicalGroup(0, [point], name=name)


def balls(model):
    parts = [model.occ.addSphere(0, 0, 0, radius) for radius in (RADIUS, 1.0)]
    _, (_, core) = model.occ.fragment([(3, parts[1])], [(3, parts[0])])
    model.occ.synchronize()
    shell = set(model.getEntities(3)) - set(core)
    for name, volumes in zip(BALLS, (core, shell), strict=True):
        model.addPhysicalGroup(3, [tag for _, tag in volumes], name=name)
    outer = model.getBoundary(model.getEntities(3), combined=True, oriented=False)
    model.addPhysicalGroup(2, [tag for _, tag in outer], name="sphere")


ONE, THREE = Domain(1, slab), Domain(3, balls)


def in_slab(x):
    """sin(x) / k + cos(x): value 1 and flux 1 on both sides of x = 0."""
    k = ufl.conditional(x[0] < 0, *SLAB.values())
    return ufl.sin(x[0]) / k + ufl.cos(x[0])


def in_balls(x):
    """(exp(r^2) - exp(R^2)) cos(x) / k: value 0 and flux 2 R exp(R^2) cos(x) on both sides of r = R."""
    k = ufl.conditional(ufl.dot(x, x) < RADIUS**2, *BALLS.values())
    return (ufl.exp(ufl.dot(x, x)) - ufl.exp(RADIUS**2)) * ufl.cos(x[0]) / k


def weak_form(conductivity, exact, rate=None):
    """rate(u) - div(k grad u) is what it is of the exact solution."""

    def form(u, v, omega):
        x, total = omega.x, 0
        for name, k in conductivity.items():
            known = exact(x, omega.t) if rate else exact(x)
            source = -ufl.div(k * ufl.grad(known))
            total += (k * ufl.inner(ufl.grad(u), ufl.grad(v)) - source * v) * omega.dx(name)
            if rate:
                total += (dt(u) - rate(x, omega.t)) * v * omega.dx(name)
        return total

    return form


def test_on_a_line_the_interface_is_a_point():
    points, normals = ONE.between("copper", "glass", 10)
    assert np.array_equal(points, [[0.0]])
    assert np.array_equal(normals, [[1.0]])
    assert np.array_equal(ONE.between("glass", "copper", 10)[1], [[-1.0]])


def test_in_space_the_points_lie_on_the_exact_surface_with_normals_outward_from_the_first_region():
    for seed in (None, 3):
        points, normals = THREE.between("core", "shell", 60, seed)
        assert len(points) == 60
        assert np.allclose(np.linalg.norm(points, axis=1), RADIUS, rtol=1e-12)
        assert np.allclose(normals, points / RADIUS, atol=1e-9)
        assert np.abs(points.mean(0)).max() < 0.15
    points, normals = THREE.between("shell", "core", 5)
    assert np.allclose(normals, -points / RADIUS, atol=1e-9)


def test_a_slab_of_two_layers_is_solved_to_rounding():
    form = weak_form(SLAB, in_slab)
    problem = Problem(ONE, Field("u"), form, dirichlet=Dirichlet("all", in_slab), exact=in_slab)
    solution = RFM(features=40, partition=(1,), activation="sin", scale=3.0).solve(problem)
    assert solution.error(exact_solution(as_case(problem)))["u"]["h1"] < 1e-10
    slopes = [float(solution.gradient(np.array([[x]]))[0, 0]) for x in (-1e-9, 1e-9)]
    assert slopes == pytest.approx([1 / 4, 1], rel=1e-7)


def test_a_slab_of_two_layers_is_solved_in_blocks_of_time_and_saved(tmp_path):
    def exact(x, t):
        return in_slab(x) * ufl.exp(-t)

    problem = Problem(
        ONE,
        Field("u"),
        weak_form(SLAB, exact, rate=lambda x, t: -exact(x, t)),
        dirichlet=Dirichlet("all", exact),
        time=(0.0, 1.0),
        initial=lambda x: exact(x, 0.0),
        exact=exact,
    )
    solver = RFM(features=200, partition=(1, 1), activation="sin", scale=2.0, time_blocks=2)
    solution = solver.solve(problem)
    assert solution.error(exact_solution(as_case(problem)))["u"]["l2_time"] < 1e-7
    restored = Solution.load(solution.save(tmp_path / "saved"))
    points = ONE.interior(20)
    for t in (0.2, 0.9):
        assert np.array_equal(restored(points, t), solution(points, t))


def test_a_core_in_a_shell_is_solved_on_their_exact_surface():
    form = weak_form(BALLS, in_balls)
    problem = Problem(THREE, Field("u"), form, dirichlet=Dirichlet("sphere", in_balls), exact=in_balls)
    points = THREE.interior(500, seed=1)
    points = points[np.abs(np.linalg.norm(points, axis=1) - RADIUS) > 0.01]  # where the mesh knows the side
    square = (points**2).sum(1)
    k = np.where(square < RADIUS**2, *BALLS.values())
    exact = (np.exp(square) - np.exp(RADIUS**2)) * np.cos(points[:, 0]) / k
    errors = []
    for features in (250, 500):
        solver = RFM(features=features, partition=(1, 1, 1), activation="sin", scale=1.5, points=3.0)
        errors.append(np.abs(solver.solve(problem)(points) - exact).max() / np.abs(exact).max())
    assert errors[0] < 2e-3
    assert errors[1] < errors[0] / 5
