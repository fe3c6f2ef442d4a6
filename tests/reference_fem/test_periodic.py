"""Periodic conditions: exact solutions on the torus, in all dimensions, alone and with other conditions."""

import json

import numpy as np
import pytest
import ufl

from cases import periodic_cell
from geometry import GeometryError, cuboid, interval, rectangle
from mlpde import Dirichlet, Eigenproblem, Field, InputError, Periodic, Problem, dt
from mlpde.solving import solve
from reference_fem import FEM

SIDES = (Periodic("left", "right"), Periodic("bottom", "top"), Periodic("front", "back"))
PI = np.pi


def wave(x):
    """Period 1 in all directions, without symmetry."""
    angle = 2 * ufl.pi * sum(x[k] for k in range(len(x)))
    return ufl.exp(ufl.sin(2 * ufl.pi * x[0])) + ufl.cos(angle)


def wave_values(x):
    return np.exp(np.sin(2 * PI * x[:, 0])) + np.cos(2 * PI * x.sum(1))


def equation(domain, periodic, zeroth=1.0, field=None, **conditions):
    """-Lap u + zeroth u = f."""

    def weak_form(u, v, omega):
        source = zeroth * wave(omega.x) - ufl.div(ufl.grad(wave(omega.x)))
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) + zeroth * u * v - source * v) * omega.dx

    return Problem(domain, field or Field("u"), weak_form=weak_form, periodic=periodic, **conditions)


@pytest.mark.parametrize(
    ("domain", "sizes", "order"),
    [(interval(), (0.1, 0.05), 2.9), (rectangle(), (0.1, 0.05, 0.025), 2.9), (cuboid(), (0.25, 0.125), 2.3)],
    ids=["1-D", "2-D", "3-D"],
)
def test_order_of_convergence_on_the_torus(domain, sizes, order, known):
    problem = equation(domain, SIDES[: domain.dim])
    errors = [known.l2(FEM(size=h, estimate=False).solve(problem), wave_values) for h in sizes]
    assert known.orders(errors)[-1] > order


def test_both_sides_have_the_same_values_and_slopes_meet():
    solution = FEM(size=0.05, estimate=False).solve(equation(rectangle(), SIDES[:2]))
    y = np.linspace(0, 1, 30)
    left, right = (np.column_stack([np.full(30, x), y]) for x in (0.0, 1.0))
    np.testing.assert_allclose(solution(left), solution(right), atol=1e-12)
    slopes = [solution.gradient(side)[:, 0] for side in (left, right)]
    np.testing.assert_allclose(*slopes, atol=0.2)  # of 2 pi e: the derivative converges with order 2


def test_mean_zero_fixes_the_constant_of_the_torus(known):
    problem = equation(rectangle(), SIDES[:2], 0.0, Field("u", mean_zero=True))
    solution = FEM(size=0.05, estimate=False).solve(problem)
    mean = np.i0(1.0)  # of exp(sin)
    assert known.l2(solution, lambda x: wave_values(x) - mean) < 1e-3
    with pytest.raises(InputError, match="determined up to a constant"):
        FEM(size=0.3, estimate=False).solve(equation(rectangle(), SIDES[:2], 0.0))


@pytest.mark.parametrize("corner", [(0.0, 0.0), (1.0, 1.0)])
def test_a_point_condition_holds_at_all_copies_of_the_point(corner, known):
    problem = equation(rectangle(), SIDES[:2], 0.0, dirichlet=Dirichlet(at=corner, value=2.0))
    solution = FEM(size=0.05, estimate=False).solve(problem)
    assert known.l2(solution, wave_values) < 1e-3
    np.testing.assert_allclose(solution([[0, 0], [1, 0], [0, 1], [1, 1]]), 2.0, atol=1e-12)


def test_one_direction_beside_dirichlet_values(known):
    values = Dirichlet(("bottom", "top"), wave)
    problem = equation(rectangle(), SIDES[0], dirichlet=values)
    assert known.l2(FEM(size=0.05, estimate=False).solve(problem), wave_values) < 1e-3


def test_eigenvalues_of_the_torus():
    problem = Eigenproblem(
        rectangle(),
        Field("u"),
        lambda u, v, omega: ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx,
        lambda u, v, omega: u * v * omega.dx,
        periodic=SIDES[:2],
        count=9,
    )
    values = FEM(degree=3, size=0.1, estimate=False).solve(problem).eigenvalues / (4 * PI**2)
    np.testing.assert_allclose(values[:9], [0, 1, 1, 1, 1, 2, 2, 2, 2], atol=1e-5)


@pytest.mark.parametrize("scheme", ["bdf2", "theta"])
def test_a_wave_of_heat_that_travels_around_the_circle(scheme, known):
    """u_t + u_x = nu u_xx: the wave leaves on the right and enters on the left."""
    nu = 0.01

    def weak_form(u, v, omega):
        return (dt(u) * v + u.dx(0) * v + nu * u.dx(0) * v.dx(0)) * omega.dx

    problem = Problem(
        interval(),
        Field("u"),
        weak_form,
        periodic=SIDES[0],
        time=(0.0, 0.7),
        initial=lambda x: ufl.sin(2 * ufl.pi * x[0]),
    )

    def exact(x):
        return np.exp(-nu * 4 * PI**2 * 0.7) * np.sin(2 * PI * (x[:, 0] - 0.7))

    errors = []
    for steps in (40, 80):
        solution = FEM(degree=3, size=0.05, steps=steps, scheme=scheme, estimate=False).solve(problem)
        x, weights = solution.mesh.quadrature(8)
        difference = solution(x) - exact(x)
        errors.append(np.sqrt(weights @ difference**2 / (weights @ exact(x) ** 2)))
    assert known.orders(errors)[-1] == pytest.approx(2.0, abs=0.2) and errors[-1] < 0.02
    assert abs(np.diff(solution([[0.0], [1.0]]))[0]) < 1e-12


@pytest.mark.slow
def test_a_steep_periodic_solution_is_refined_at_both_sides_alike(known):
    """exp(60 (cos 2 pi x - 1)) lies on the left and on the right side."""

    def bump(x):
        return ufl.exp(60 * (ufl.cos(2 * ufl.pi * x[0]) - 1)) * (2 + ufl.sin(2 * ufl.pi * x[1]))

    def weak_form(u, v, omega):
        source = bump(omega.x) - ufl.div(ufl.grad(bump(omega.x)))
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) + u * v - source * v) * omega.dx

    solution = FEM(size=0.2, tolerance=1e-4).solve(
        Problem(rectangle(), Field("u"), weak_form, periodic=SIDES[:2])
    )
    assert solution.info["estimated_error"]["u"]["l2"] <= 1e-4 and not solution.info["warnings"]
    true = known.l2(
        solution, lambda x: np.exp(60 * (np.cos(2 * PI * x[:, 0]) - 1)) * (2 + np.sin(2 * PI * x[:, 1]))
    )
    assert true < 2e-4


def test_several_fields_poiseuille_flow_in_an_endless_channel():
    def weak_form(unknowns, tests, omega):
        (u, p), (v, q) = unknowns, tests
        stokes = ufl.inner(ufl.grad(u), ufl.grad(v)) - p * ufl.div(v) - q * ufl.div(u)
        return (stokes - v[0]) * omega.dx

    fields = [Field("u", shape=(2,)), Field("p", mean_zero=True)]
    walls = Dirichlet(("top", "bottom"), 0.0, field="u")
    solution = FEM(size=0.2, estimate=False).solve(
        Problem(rectangle(), fields, weak_form=weak_form, periodic=SIDES[0], dirichlet=walls)
    )
    x = np.array([[0.0, 0.3], [0.4, 0.5], [1.0, 0.9]])
    found = solution.evaluate(x)
    np.testing.assert_allclose(found["u"][:, 0], x[:, 1] * (1 - x[:, 1]) / 2, atol=1e-12)
    np.testing.assert_allclose(found["p"], 0.0, atol=1e-11)


def test_newtons_method_on_the_torus(known):
    def weak_form(u, v, omega):
        exact = wave(omega.x)
        source = exact - ufl.div((1 + exact**2) * ufl.grad(exact))
        return ((1 + u**2) * ufl.inner(ufl.grad(u), ufl.grad(v)) + (u - source) * v) * omega.dx

    solution = FEM(size=0.05, estimate=False).solve(
        Problem(rectangle(), Field("u"), weak_form=weak_form, periodic=SIDES[:2])
    )
    assert known.l2(solution, wave_values) < 1e-3


def test_the_effective_conductivity_of_a_perforated_plate_is_rayleighs():
    case = periodic_cell.case
    found = solve(case, FEM(degree=3, estimate=False)).quantities["effective conductivity"]
    assert abs(found / periodic_cell.rayleigh(periodic_cell.FRACTION) - 1) < 1e-6


def test_wrong_periodic_conditions():
    with pytest.raises(GeometryError, match="'top' is not 'left' translated"):
        FEM(size=0.3).solve(equation(rectangle(), Periodic("left", "top")))
    with pytest.raises(InputError, match="two Dirichlet values differ"):
        slope = Dirichlet("top", lambda x: x[0])
        FEM(size=0.3).solve(equation(rectangle(), SIDES[0], dirichlet=slope))
    with pytest.raises(InputError, match="for Lagrange fields"):
        curl = Problem(
            rectangle(),
            Field("E", family="Nedelec"),
            weak_form=lambda u, v, omega: ufl.inner(u, v) * omega.dx,
            periodic=SIDES[0],
        )
        FEM(size=0.3).solve(curl)


@pytest.mark.mpi
def test_two_ranks_give_the_numbers_of_one(mpi):
    code = """
import json, numpy as np, ufl
from mpi4py import MPI
from geometry import rectangle
from mlpde import Field, Periodic, Problem
from reference_fem import FEM
def weak_form(u, v, omega):
    source = ufl.sin(2 * ufl.pi * omega.x[0]) * ufl.exp(ufl.cos(2 * ufl.pi * omega.x[1])) * omega.x[0]
    return ((1 + u**2) * ufl.inner(ufl.grad(u), ufl.grad(v)) + (u - source) * v) * omega.dx
pairs = [Periodic("left", "right"), Periodic("bottom", "top")]
problem = Problem(rectangle(), Field("u"), weak_form=weak_form, periodic=pairs)
solution = FEM(size=0.1, estimate=False).solve(problem)
x = np.array([[0.0, 0.0], [1.0, 1.0], [0.3, 1.0], [0.3, 0.0], [0.5, 0.6]])
if MPI.COMM_WORLD.rank == 0:
    print(json.dumps(solution(x).ravel().tolist()))
"""
    one, two = (json.loads(mpi("-c", code, ranks=n).stdout.splitlines()[-1]) for n in (1, 2))
    np.testing.assert_allclose(one, two, atol=1e-12)
    np.testing.assert_allclose([one[0], one[2]], [one[1], one[3]], atol=1e-12)
