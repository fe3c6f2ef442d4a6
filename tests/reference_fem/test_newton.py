"""Newton's method on several fields, and its start where Dirichlet values jump."""

import numpy as np
import pytest
import ufl

from cases import lid_driven_cavity, neo_hookean_block
from cases.forms import neo_hookean_energy
from geometry import cuboid, disk, interval, rectangle
from mlpde import Dirichlet, Field, InputError, Problem
from reference_fem import FEM

CAVITY_400 = lid_driven_cavity.cavity(400)


def test_navier_stokes_reaches_the_published_velocities():
    """Ghia's grid of 129 x 129 leaves half a per cent at Re = 400; Newton needs no continuation there."""
    solution = FEM(size=0.05, estimate=False).solve(CAVITY_400.problem)
    ((component, point, published, _),) = lid_driven_cavity.TABLE[400]
    assert abs(solution.evaluate(np.array([point]))["u"][0, component] / published - 1) < 0.01
    residuals = [row["residual"] for row in solution.info["history"]]
    assert residuals[-1] < 1e-8 * residuals[0] and len(residuals) < 12


def test_a_large_stretch_is_spread_before_the_first_step():
    """Stretching the last layer of quadratic cells alone by a half would turn it inside out."""
    case = neo_hookean_block.case
    solution = FEM(size=0.6, estimate=False).solve(case.problem)
    x = case.problem.domain.interior(20)
    axial, across = neo_hookean_block.AXIAL - 1, np.sqrt(neo_hookean_block.LATERAL) - 1
    np.testing.assert_allclose(solution(x), x * [axial, across, across], atol=1e-9)


def test_a_form_that_is_singular_at_zero_starts_from_the_boundary_values():
    """-(u u')' = 0 has no derivative to invert at u = 0; between 1 and 2 the solution is sqrt(1 + 3 x)."""

    def weak_form(u, v, omega):
        return u * ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx

    sides = [Dirichlet("left", 1.0), Dirichlet("right", 2.0)]
    problem = Problem(interval(), Field("u"), weak_form=weak_form, dirichlet=sides)
    solution = FEM(size=1.0, estimate=False).solve(problem)
    np.testing.assert_allclose(solution([[0.5]]), np.sqrt(2.5), atol=1e-2)


def test_the_reynolds_number_grows_with_the_load_where_the_whole_is_too_much():
    """Newton's method from the Stokes flow fails at Re = 1000 on a mesh that is fine enough for the flow."""
    solution = FEM(size=1 / 32, estimate=False).solve(lid_driven_cavity.cavity(1000).problem)
    loads = [row["load"] for row in solution.info["history"]]
    assert len(set(loads)) > 1 and loads[-1] == 1.0 and loads == sorted(loads)
    for component, point, published, _ in lid_driven_cavity.TABLE[1000]:
        assert abs(solution.evaluate(np.array([point]))["u"][0, component] / published - 1) < 0.01


@pytest.mark.parametrize("length", [0.5, 3.0])
def test_a_clamped_block_is_pressed_to_half_its_length_and_pulled_to_three_times(length):
    problem = Problem(
        domain=cuboid(),
        fields=Field("u", shape=(3,)),
        energy=lambda u, omega: neo_hookean_energy(u, 1.0, 1.0) * omega.dx,
        dirichlet=[Dirichlet("left", 0.0), Dirichlet("right", (length - 1, 0.0, 0.0))],
    )
    solution = FEM(size=0.5, estimate=False).solve(problem)
    x = np.array([[0.5, 0.5, 0.5], [0.5, 0.0, 0.5]])
    (middle, side) = solution(x)
    np.testing.assert_allclose(middle, [(length - 1) / 2, 0, 0], atol=0.02)  # by symmetry, up to the mesh's
    assert side[1] * (length - 1) > 0.02  # it bulges outwards when pressed
    determinants = np.linalg.det(np.eye(3) + solution.gradient(cuboid().interior(200)))
    assert determinants.min() > 0


@pytest.mark.parametrize("p", [2.5, 4, 8])
def test_a_degenerate_form_starts_from_a_regular_one(p):
    """-div(|grad u|^(p-2) grad u) = 1 in the unit disk: u = (p - 1) / p (1/2)^(1/(p-1)) (1 - r^(p/(p-1)))."""

    def weak_form(u, v, omega):
        slope = ufl.grad(u)
        return (ufl.dot(slope, slope) ** ((p - 2) / 2) * ufl.dot(slope, ufl.grad(v)) - v) * omega.dx

    problem = Problem(disk(), Field("u"), weak_form=weak_form, dirichlet=Dirichlet("circle", 0.0))
    solution = FEM(estimate=False).solve(problem)
    x = disk().interior(50)
    r = np.linalg.norm(x, axis=1)
    exact = (p - 1) / p * 0.5 ** (1 / (p - 1)) * (1 - r ** (p / (p - 1)))
    np.testing.assert_allclose(solution(x), exact, atol=5e-3 * exact.max())


def test_where_no_solution_exists_the_load_that_could_be_solved_for_is_said():
    """-Lap u = c exp(u) has solutions for c < 6.81 only."""

    def weak_form(u, v, omega):
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - 20 * ufl.exp(u) * v) * omega.dx

    problem = Problem(rectangle(), Field("u"), weak_form=weak_form, dirichlet=Dirichlet("all", 0.0))
    with pytest.raises(InputError) as failure:
        FEM(size=0.2, estimate=False).solve(problem)
    sentence = str(failure.value)
    assert "residual, largest in the equation of field 'u', went from" in sentence
    reached = float(sentence.split(", ")[-1].split()[0])
    assert 0 <= reached < 1 and f"{reached:.4g} of it could be solved for" in sentence


def test_an_iteration_that_fails_inside_newtons_method_is_said():
    """A reaction that makes the Jacobian indefinite stops conjugate gradients, at every load."""

    def weak_form(u, v, omega):
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - (60 + u**2) * u * v - v) * omega.dx

    problem = Problem(rectangle(), Field("u"), weak_form, dirichlet=Dirichlet("left", 0.0))
    with pytest.raises(InputError, match="the linear solver cg"):
        FEM(size=0.1, estimate=False, linear_solver="iterative").solve(problem)
