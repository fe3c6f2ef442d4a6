"""Corner functions: exponents from angles and conditions, derivatives, and a singular solution to rounding."""

import math

import numpy as np
import pytest
import torch
import ufl

from geometry import Domain, l_shape, rectangle
from mlpde import Dirichlet, Field, Problem, Solution
from mlpde.exact import exact_solution
from mlpde.formulation.residual import strong_form
from mlpde.representation.corner_functions import CornerFunction, corner_functions
from mlpde.solvers.rfm import RFM
from mlpde.solving import as_case


def laplace(u, v, omega):
    return ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx


def found(domain, weak_form=laplace, dirichlet=()):
    problem = Problem(domain, Field("u"), weak_form, dirichlet=dirichlet)
    return corner_functions(strong_form(problem), domain)


def sector(degrees):
    """A triangle with the angle at the origin between the boundaries "lower" and "upper"."""

    def build(model):
        a = math.radians(degrees)
        corners = [(0, 0), (1, 0), (math.cos(a), math.sin(a))]
        points = [model.occ.addPoint(x, y, 0) for x, y in corners]
        lines = [model.occ.addLine(points[i], points[(i + 1) % 3]) for i in range(3)]
        model.occ.addPlaneSurface([model.occ.addCurveLoop(lines)])
        model.occ.synchronize()
        for line, name in zip(lines, ("lower", "far", "upper"), strict=True):
            model.addPhysicalGroup(1, [line], name=name)

    return Domain(2, build)


def test_the_corners_of_the_l_shape_are_five_right_angles_and_one_re_entrant_one():
    angles = sorted(round(math.degrees(corner.angle)) for corner in l_shape(2.0).corners)
    assert angles == [90] * 5 + [270]


def test_the_exponents_follow_from_the_angle_and_the_conditions():
    both = found(l_shape(), dirichlet=Dirichlet("all", 0.0))
    assert [f.exponent for f in both] == pytest.approx([2 / 3, 4 / 3])
    assert {f.kind for f in both} == {"sin"}
    free = found(l_shape(), dirichlet=Dirichlet("outer", 0.0))
    at_origin = [f for f in free if math.hypot(*f.point) < 1e-9]
    assert [f.exponent for f in at_origin] == pytest.approx([2 / 3, 4 / 3])
    assert {f.kind for f in at_origin} == {"cos"}
    assert found(rectangle(), dirichlet=Dirichlet("all", 0.0)) == ()
    assert found(rectangle(), dirichlet=Dirichlet("left", 0.0)) == ()  # mixed at a right angle: r sin(theta)


def test_where_conditions_change_the_exponents_are_those_of_half_the_steps():
    mixed = [f for f in found(sector(120), dirichlet=Dirichlet("lower", 0.0)) if math.hypot(*f.point) < 1e-9]
    assert [f.exponent for f in mixed] == pytest.approx([0.75])
    assert mixed[0].kind == "sin"
    mixed = [f for f in found(sector(120), dirichlet=Dirichlet("upper", 0.0)) if math.hypot(*f.point) < 1e-9]
    assert mixed[0].kind == "cos"


def test_other_principal_parts_and_systems_get_none():
    def anisotropic(u, v, omega):
        return (u.dx(0) * v.dx(0) + 2 * u.dx(1) * v.dx(1)) * omega.dx

    assert found(l_shape(), anisotropic, Dirichlet("all", 0.0)) == ()
    vector = Problem(l_shape(), Field("u", shape=(2,)), laplace, dirichlet=Dirichlet("all", (0.0, 0.0)))
    assert corner_functions(strong_form(vector), vector.domain) == ()


@pytest.mark.parametrize("kind", ["sin", "cos"])
def test_the_derivatives_of_a_corner_function_are_those_of_autograd(kind):
    corner = CornerFunction((0.3, -0.2), 0.4, 4.0, 0.7, kind)
    angles = torch.linspace(0.5, 4.3, 40, dtype=torch.float64)
    points = torch.stack([0.3 + 0.5 * angles.cos(), -0.2 + 0.5 * angles.sin()], 1).requires_grad_()
    jets = corner.derivatives(points, [(), (0,), (1,), (0, 0), (0, 1), (1, 1)])
    first = torch.autograd.grad(jets[()].sum(), points, create_graph=True)[0]
    for i in (0, 1):
        assert torch.allclose(first[:, i], jets[(i,)])
        second = torch.autograd.grad(first[:, i].sum(), points, create_graph=True)[0]
        assert torch.allclose(second[:, 1], jets[(i, 1)])
    assert torch.allclose(jets[(0, 0)] + jets[(1, 1)], torch.zeros(40, dtype=torch.float64))


def singular(x):
    r = ufl.sqrt(x[0] ** 2 + x[1] ** 2)
    theta = ufl.atan2(-x[0] - x[1], x[1] - x[0]) + 0.75 * ufl.pi
    return r ** (2 / 3) * ufl.sin(2 * theta / 3)


def exact(x):
    return singular(x) * (1 + x[0] * x[1])


def weak_form(u, v, omega):
    slope = ufl.grad(singular(omega.x))
    return laplace(u, v, omega) + 2 * (slope[0] * omega.x[1] + slope[1] * omega.x[0]) * v * omega.dx


PROBLEM = Problem(
    l_shape(),
    Field("u"),
    weak_form,
    dirichlet=[Dirichlet("reentrant", 0.0), Dirichlet("outer", exact)],
    exact=exact,
)


@pytest.mark.parametrize("seed", range(3))
def test_the_l_shape_is_solved_to_rounding_with_few_unknowns(seed, tmp_path):
    solution = RFM().solve(PROBLEM, seed=seed)
    assert solution.error(exact_solution(as_case(PROBLEM)))["u"]["l2"] < 1e-9
    assert solution.info["unknowns"] <= 400
    assert [f["exponent"] for f in solution.info["corner_functions"]] == pytest.approx([2 / 3, 4 / 3])
    points = PROBLEM.domain.interior(30, seed=1)
    restored = Solution.load(solution.save(tmp_path / "saved"))
    assert np.array_equal(restored.gradient(points), solution.gradient(points))


def test_corner_functions_can_be_switched_off():
    solution = RFM(features=200, partition=(1, 1), activation="sin", scale=3.0, corners=False).solve(PROBLEM)
    assert solution.error(exact_solution(as_case(PROBLEM)))["u"]["l2"] > 1e-3
    assert solution.info["corner_functions"] == []


def test_polynomials_make_a_cubic_solution_exact():
    def cubic(x):
        return x[0] ** 3 - 3 * x[0] * x[1] ** 2 + x[0] * x[1]

    problem = Problem(rectangle(), Field("u"), laplace, dirichlet=Dirichlet("all", cubic), exact=cubic)
    settings = {"features": 30, "partition": (1, 1), "activation": "sin", "scale": 3.0}
    known = exact_solution(as_case(problem))
    with_cubes, without = (RFM(**settings, polynomials=p).solve(problem) for p in (True, False))
    assert with_cubes.info["polynomials"] == 10
    assert with_cubes.error(known)["u"]["l2"] < 1e-13
    assert without.error(known)["u"]["l2"] > 1e-7
