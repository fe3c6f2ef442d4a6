"""Hole functions: which circles have them, their derivatives, when they are used, and Kirsch's plate to rounding."""

import numpy as np
import pytest
import torch
import ufl

from geometry import annulus, disk, plate_with_holes, rectangle
from mlpde import Dirichlet, Field, Problem, Solution
from mlpde.case_files import load
from mlpde.exact import exact_solution
from mlpde.representation.hole_functions import ORDERS, HoleFunction, hole_functions
from mlpde.solvers.rfm import RFM
from mlpde.solving import as_case

EACH = 2 * len(ORDERS) - 1  # functions of a hole
SMALL = {"features": 100, "partition": (1, 1), "activation": "sin", "scale": 3.0}


def circles(domain):
    return {(*np.round(f.point, 6).tolist(), round(f.radius, 6)) for f in hole_functions(domain)}


def test_holes_are_the_circles_that_the_domain_lies_outside_of():
    holes = [(0.5, 0.5, 0.15), (1.4, 0.4, 0.2)]
    domain = plate_with_holes(2.0, 1.0, holes)
    assert circles(domain) == set(holes)
    assert len(hole_functions(domain)) == EACH * len(holes)
    assert circles(annulus(0.5, 2.0, (0.25, 0.0))) == {(0.25, 0.0, 0.5)}
    assert circles(load("kirsch_plate").problem.domain) == {(0.0, 0.0, 1.0)}  # a quarter of it
    assert hole_functions(rectangle()) == hole_functions(disk(1.0, (0.0, 0.0))) == ()


@pytest.mark.parametrize("kind", ["cos", "sin"])
@pytest.mark.parametrize("order", [0, 1, 2, 6])
def test_the_derivatives_of_a_hole_function_are_those_of_autograd(order, kind):
    function = HoleFunction((0.3, -0.2), 0.5, order, kind)
    angles = torch.linspace(-3.0, 3.0, 40, dtype=torch.float64)
    points = torch.stack([0.3 + 0.7 * angles.cos(), -0.2 + 0.7 * angles.sin()], 1).requires_grad_()
    jets = function.derivatives(points, [(), (0,), (1,), (0, 0), (0, 1), (1, 1)])
    first = torch.autograd.grad(jets[()].sum(), points, create_graph=True)[0]
    for i in (0, 1):
        assert torch.allclose(first[:, i], jets[(i,)])
        second = torch.autograd.grad(first[:, i].sum(), points, create_graph=True)[0]
        assert torch.allclose(second[:, 1], jets[(i, 1)])
    assert torch.allclose(jets[(0, 0)] + jets[(1, 1)], torch.zeros(40, dtype=torch.float64), atol=1e-12)
    r = 0.5 / 0.7
    angle = -order * angles if order else -angles
    part = torch.cos(angle) if kind == "cos" else torch.sin(angle)
    expected = r**order * part if order else (torch.full_like(angles, np.log(r)) if kind == "cos" else angle)
    assert torch.allclose(jets[()], expected)


def off_center(x):
    r2 = (x[0] - 0.4) ** 2 + (x[1] - 0.5) ** 2
    return 0.5 * ufl.ln(r2) + 0.03 * (x[0] - 0.4) / r2


def varying(x):
    return 1 + 0.5 * ufl.sin(x[0])


PLATE = Problem(
    plate_with_holes(1.0, 1.0, [(0.4, 0.5, 0.1)]),
    Field("u"),
    lambda u, v, omega: (
        varying(omega.x) * ufl.inner(ufl.grad(u - off_center(omega.x)), ufl.grad(v)) * omega.dx
    ),
    dirichlet=Dirichlet("all", off_center),
    exact=off_center,
)


def test_a_hole_is_resolved_with_few_unknowns_and_the_model_is_saved(tmp_path):
    known = exact_solution(as_case(PLATE))
    solution = RFM(**SMALL).solve(PLATE, seed=0)
    assert solution.error(known)["u"]["l2"] < 1e-8
    assert [f["order"] for f in solution.info["hole_functions"]] == [
        k for k in ORDERS for _ in range(1 + (k > 0))
    ]
    points = PLATE.domain.interior(30, seed=1)
    restored = Solution.load(solution.save(tmp_path / "saved"))
    assert np.array_equal(restored.gradient(points), solution.gradient(points))
    without = RFM(**SMALL, holes=False).solve(PLATE, seed=0)
    assert without.info["hole_functions"] == []
    assert without.error(known)["u"]["l2"] > 1e-3


@pytest.mark.parametrize("seed", range(3))
def test_kirschs_plate_is_solved_to_rounding_with_few_unknowns(seed):
    case = load("kirsch_plate")
    solution = RFM(**SMALL).solve(case.problem, seed=seed)
    assert solution.error(exact_solution(case))["u"]["l2"] < 1e-9
    assert solution.info["unknowns"] < 500


def test_a_solution_that_is_smooth_around_its_hole_gets_none():
    smooth = Problem(
        PLATE.domain,
        Field("u"),
        lambda u, v, omega: ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx,
        dirichlet=Dirichlet("all", lambda x: x[0] ** 3 - 3 * x[0] * x[1] ** 2),
    )
    assert RFM(**SMALL).solve(smooth).info["hole_functions"] == []


def test_more_holes_than_can_be_afforded_get_none():
    case = load("elasticity_40_holes")
    settings = {"features": 20, "partition": (4, 4), "activation": "sin", "scale": 3.0}
    assert RFM(**settings).solve(case.problem).info["hole_functions"] == []
