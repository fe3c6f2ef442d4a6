"""Newton's method on several fields, and its start where Dirichlet values jump."""

import numpy as np
import ufl

from cases import lid_driven_cavity, neo_hookean_block
from geometry import interval
from mlpde import Dirichlet, Field, Problem
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
