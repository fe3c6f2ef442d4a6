"""The weak residual against the exact adversary: its dual norm, known in closed form, and its Jacobian."""

import itertools
import math

import numpy as np
import pytest
import torch
import ufl

import reference_fem
from geometry import Domain, interval, rectangle
from mlpde import Dirichlet, Field, InputError, Problem
from mlpde.formulation.riesz import RieszResidual
from mlpde.formulation.weak_residual import Factor, weak_residual
from mlpde.representation.networks import MLP
from mlpde.representation.riesz_rows import RieszRows, on_boundary, state_of


def poisson(domain, source=0.0, dirichlet=True):
    return Problem(
        domain,
        Field("u"),
        weak_form=lambda u, v, omega: (ufl.inner(ufl.grad(u), ufl.grad(v)) - source * v) * omega.dx,
        dirichlet=[Dirichlet("all", 0.0)] if dirichlet else [],
    )


def function(values, slopes):
    """A state of one unknown from torch functions of points."""

    def state(points, derivatives):
        jets = {(): values(points)[:, None]}
        jets |= {(j,): slope[:, None] for j, slope in enumerate(slopes(points))}
        return {alpha: jets[alpha] for alpha in derivatives}

    return state


def test_what_does_not_depend_on_the_unknown_stands_apart():
    form = weak_residual(poisson(rectangle(), source=3.0))
    assert {part.known: part.factors for part in form.integrands} == {
        True: (Factor(0),),
        False: (Factor(0, 0), Factor(0, 1)),
    }
    assert form.in_divergence_form == (True,)
    assert set(form.fixed.values()) == {frozenset({0})}


def test_the_dual_norm_is_that_of_the_analytic_adversary():
    """For -u'' and e = sin(k x) on (0, pi) the best v is e itself: |F| = k^2 |e|^2 / |e|_V, with |e|_V known."""
    problem, k = poisson(interval(0.0, math.pi)), 3
    form = weak_residual(problem)
    state = function(lambda x: torch.sin(k * x[:, 0]), lambda x: [k * torch.cos(k * x[:, 0])])
    space = reference_fem.test_space(problem.domain, 3, 120, 8)
    tested = RieszResidual(form, space, state, math.pi)
    (factor,) = tested.factorise()
    f = torch.as_tensor(tested.functional(state))[:, None]
    norm = float(torch.linalg.solve_triangular(factor, f, upper=False).norm())
    exact = k**2 * math.sqrt(math.pi / 2) / math.sqrt(k**2 + 1 / math.pi**2)
    # the size by which it is divided: coefficient 1, times pi / length = 1, times sqrt(volume)
    assert norm == pytest.approx(exact / math.sqrt(math.pi), rel=1e-7)


def test_the_relative_residual_is_zero_for_the_solution_and_one_far_from_it():
    problem = poisson(interval(0.0, 1.0), source=2.0)
    form = weak_residual(problem)
    space = reference_fem.test_space(problem.domain, 2, 40, 6)
    solution = function(lambda x: x[:, 0] * (1 - x[:, 0]), lambda x: [1 - 2 * x[:, 0]])
    nothing = function(lambda x: 0 * x[:, 0], lambda x: [0 * x[:, 0]])
    tested = RieszResidual(form, space, solution, 1.0)
    assert tested.relative(solution) < 1e-13
    assert tested.relative(nothing) == pytest.approx(1.0)


def test_a_flux_that_jumps_between_regions_is_tested_without_rows_on_the_interface():
    """u has the slope 3 left of x = 1 and 1 right of it, for conductivities 1 and 3: every test sees zero."""

    def build(model):
        points = [model.occ.addPoint(float(x), 0, 0) for x in range(3)]
        lines = [model.occ.addLine(a, b) for a, b in itertools.pairwise(points)]
        model.occ.synchronize()
        for name, line in zip(("one", "three"), lines, strict=True):
            model.addPhysicalGroup(1, [line], name=name)
        model.addPhysicalGroup(0, [points[0]], name="left")
        model.addPhysicalGroup(0, [points[2]], name="right")

    problem = Problem(
        Domain(1, build),
        Field("u"),
        weak_form=lambda u, v, omega: sum(
            k * ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx(name)
            for name, k in (("one", 1.0), ("three", 3.0))
        ),
        dirichlet=[Dirichlet("left", 0.0), Dirichlet("right", 4.0)],
    )
    kink = function(
        lambda x: torch.where(x[:, 0] < 1, 3 * x[:, 0], 2 + x[:, 0]),
        lambda x: [torch.where(x[:, 0] < 1, 3.0, 1.0).double()],
    )
    space = reference_fem.test_space(problem.domain, 2, 40, 6)
    tested = RieszResidual(weak_residual(problem), space, kink, 2.0)
    assert np.abs(tested.functional(kink)).max() < 1e-13


def test_the_jacobian_is_the_derivative_of_the_residual():
    domain = rectangle(0.0, 0.0, 1.0, 0.5)

    def weak_form(u, v, omega):
        interior = (1 + u**2) * ufl.inner(ufl.grad(u), ufl.grad(v)) + u**3 * v - omega.x[0] * v
        return interior * omega.dx + u**2 * v * omega.ds("right")

    problem = Problem(domain, Field("u"), weak_form=weak_form, dirichlet=Dirichlet("left", lambda x: x[1]))
    form = weak_residual(problem)
    network = MLP(2, 1, (0.0, 0.0), (1.0, 0.5), 5, 2)
    theta = network.initial(0)
    space = reference_fem.test_space(domain, 2, 40, 6)
    tested = RieszResidual(form, space, state_of(network, theta), 0.5)
    rows = RieszRows(network, tested, on_boundary(form.conditions, domain, 20))
    r, jacobian = rows.residual_and_jacobian(theta)
    np.testing.assert_allclose(r, rows.residual(theta), atol=1e-15)
    direction = network.initial(1)
    step = 1e-5
    difference = (rows.residual(theta + step * direction) - rows.residual(theta - step * direction)) / (
        2 * step
    )
    np.testing.assert_allclose(jacobian @ direction, difference, atol=1e-8 * float(difference.abs().max()))


def test_edge_elements_are_refused():
    problem = Problem(
        rectangle(),
        Field("E", family="Nedelec"),
        weak_form=lambda u, v, omega: (ufl.inner(ufl.curl(u), ufl.curl(v)) + ufl.inner(u, v)) * omega.dx,
        dirichlet=Dirichlet("all", 0.0),
    )
    with pytest.raises(InputError, match="networks take Lagrange fields only"):
        weak_residual(problem)
