"""The strong form above three dimensions: against the expanded one, and in a hundred dimensions at once."""

import math
import time

import numpy as np
import pytest
import torch
import ufl

from geometry import Ball, Box
from mlpde import Dirichlet, Field, Problem, dt
from mlpde.errors import InputError
from mlpde.formulation.compact_form import compact_form
from mlpde.formulation.kronecker import contract
from mlpde.formulation.residual import Rows, strong_form
from mlpde.formulation.sampling import collocate, relative_residual
from mlpde.formulation.space_time import SpaceTime
from mlpde.formulation.symbolic import expand, lower
from mlpde.formulation.torch_expression import laplacian
from mlpde.formulation.weak_form import abstract_omega, weak_form
from mlpde.language import total


def transport(u, v, omega):
    x = omega.x
    k = 1 + total(x) ** 2 + u**2 + x[0] * x[3] + ufl.sin(x[2])
    flux = k * ufl.grad(u) + x * u
    return (ufl.inner(flux, ufl.grad(v)) - v * ufl.sin(u)) * omega.dx - v * x[1] * omega.ds("x1+")


def random_jets(points, directions):
    """Jets of a random function: all derivatives up to the second, and the Laplacian."""
    torch.manual_seed(1)
    jets = {(): torch.randn(len(points), 1, dtype=torch.float64)}
    jets |= {(i,): torch.randn_like(jets[()]) for i in range(directions)}
    jets |= {(i, j): torch.randn_like(jets[()]) for i in range(directions) for j in range(i, directions)}
    return jets


def sum_of_squares(dim):
    """-Lap u = -2 d with u = |x|^2 on the boundary: the solution is |x|^2."""

    def form(u, v, omega):
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) + 2.0 * dim * v) * omega.dx

    return form


def test_the_compact_residual_equals_the_expanded_one():
    problem = Problem(Box(4), Field("u"), weak_form=transport, dirichlet=Dirichlet("x0-", 0.0))
    expanded = weak_form(problem)
    x = torch.rand(20, 4, dtype=torch.float64)
    normals = torch.randn(20, 4, dtype=torch.float64)
    jets = random_jets(x, 4)
    jets[laplacian(4)] = sum(jets[i, i] for i in range(4))
    rows = {(r.kind, r.where): r for r in compact_form(problem).rows}
    inside = Rows("interior", "domain", expanded.strong_residual("domain"), expanded.unknowns, 4)
    compared = [(rows["interior", "domain"], inside)]
    for name in (("x0+",), ("x1+",)):
        where = next(w for kind, w in rows if kind == "natural" and name[0] in w)
        natural = [expand(e) for e in expanded.natural_residual(name[0])]
        compared.append((rows["natural", where], Rows("natural", name, natural, expanded.unknowns, 4)))
    for compact, full in compared:
        torch.testing.assert_close(compact.residual(x, normals, jets), full.residual(x, normals, jets))


def test_coefficients_are_the_derivatives_of_the_residual():
    problem = Problem(Box(4), Field("u"), weak_form=transport, dirichlet=Dirichlet("x0-", 0.0))
    rows = compact_form(problem).rows[0]
    x = torch.rand(6, 4, dtype=torch.float64)
    jets = random_jets(x, 4) | {laplacian(4): torch.ones(6, 1, dtype=torch.float64)}
    base, terms = rows.linearise(x, None, jets)
    for _, _, alpha, coefficient in terms:
        step = 1e-6
        moved = rows.residual(x, None, jets | {alpha: jets[alpha] + step})
        torch.testing.assert_close(
            (moved - base)[:, 0] / step, coefficient, rtol=1e-4, atol=1e-4 * float(coefficient.abs().max())
        )
    assert {term.derivative for term in terms} == rows.derivatives


def test_a_hundred_dimensions_are_set_up_in_two_seconds():
    start = time.process_time()
    form = strong_form(
        Problem(
            Box(100),
            Field("u"),
            weak_form=transport,
            dirichlet=Dirichlet("x0-", lambda x: sum(x[2 * k] * x[2 * k + 1] for k in range(50))),
        )
    )
    assert time.process_time() - start < 2.0
    assert laplacian(100) in form.rows[0].derivatives
    assert not any(len(alpha) == 2 and alpha != laplacian(100) for alpha in form.rows[0].derivatives)


def test_faces_with_the_same_conditions_are_one_group():
    form = compact_form(
        Problem(Box(6), Field("u"), weak_form=transport, dirichlet=Dirichlet("x0-", lambda x: total(x)))
    )
    groups = {(rows.kind, rows.where) for rows in form.rows}
    others = tuple(name for name in Box(6).boundaries if name not in ("x0-", "x1+"))
    assert groups == {
        ("interior", "domain"),
        ("dirichlet", ("x0-",)),
        ("natural", ("x1+",)),
        ("natural", others),
    }


def test_pure_diffusion_needs_the_laplacian_alone():
    form = compact_form(
        Problem(Box(7), Field("u"), weak_form=sum_of_squares(7), dirichlet=Dirichlet("all", 1.0))
    )
    assert form.rows[0].derivatives == {laplacian(7)}
    assert form.linear


@pytest.mark.parametrize("domain", [Box(5, -1.0, 1.0), Ball(5, 2.0)])
def test_an_exact_solution_has_no_residual_at_the_points(domain):
    problem = Problem(
        domain,
        Field("u"),
        weak_form=sum_of_squares(5),
        dirichlet=Dirichlet("all", lambda x: ufl.inner(x, x)),
    )
    form = strong_form(problem)
    located = collocate(form, domain, domain.interior(64, rule="sobol"), seed=3)

    def state(scale):
        def jets(part, alphas):
            x = part.points
            values = {(): (x**2).sum(1), laplacian(5): torch.full((len(x),), 10.0, dtype=torch.float64)}
            values |= {(i,): 2 * x[:, i] for i in range(5)}
            return {alpha: scale * values[alpha][:, None] for alpha in alphas}

        return jets

    assert sum(len(part.points) for part in located) == 128
    assert relative_residual(located, state(1.0)) < 1e-14
    assert relative_residual(located, state(1.1)) > 1e-2


def test_time_is_one_more_direction_but_not_of_the_laplacian():
    problem = Problem(
        Box(4),
        Field("u"),
        weak_form=lambda u, v, omega: (dt(u) * v + ufl.inner(ufl.grad(u), ufl.grad(v))) * omega.dx,
        dirichlet=Dirichlet("all", 0.0),
        time=(0.0, 1.0),
        initial=1.0,
    )
    form = strong_form(problem)
    assert form.rows[0].derivatives == {(4,), laplacian(4)}
    domain = SpaceTime(problem.domain, 0.0, 1.0)
    located = collocate(form, domain, domain.interior(32), seed=1)
    assert [part.rows.kind for part in located] == ["interior", "dirichlet", "initial"]
    assert np.all(located[-1].points[:, -1].numpy() == 0.0)


@pytest.mark.parametrize(
    "flux, sentence",
    [
        (lambda u, x: ufl.as_vector([(1 + i) * ufl.grad(u)[i] for i in range(5)]), "otherwise than by k"),
        (lambda u, x: ufl.inner(ufl.grad(u), ufl.grad(u)) * ufl.grad(u), "otherwise than by k"),
        (lambda u, x: ufl.conditional(ufl.lt(x[0], 0.5), 1.0, 2.0) * ufl.grad(u), "a condition on x"),
    ],
)
def test_what_is_no_laplacian_is_refused(flux, sentence):
    problem = Problem(
        Box(5),
        Field("u"),
        weak_form=lambda u, v, omega: ufl.inner(flux(u, omega.x), ufl.grad(v)) * omega.dx,
        dirichlet=Dirichlet("all", 0.0),
    )
    with pytest.raises(InputError, match=sentence):
        strong_form(problem)


@pytest.mark.parametrize("form", [lambda u, v, o: u * o.dx, lambda u, v, o: v**2 * u * o.dx])
def test_a_form_that_is_not_linear_in_the_test_function_is_refused(form):
    with pytest.raises(InputError, match="must be linear in the test function"):
        strong_form(Problem(Box(5), Field("u"), weak_form=form, dirichlet=Dirichlet("all", 0.0)))


def test_sums_with_deltas_are_carried_out():
    omega = abstract_omega(Box(8))
    expression = ufl.div(omega.x * total(omega.x))  # d total + sum_i x_i
    contracted = contract(lower(expression))
    from mlpde.formulation.torch_expression import TorchFunction

    x = torch.rand(5, 8, dtype=torch.float64)
    (value,) = TorchFunction([contracted], {}, 8)(x)
    torch.testing.assert_close(value, 9 * x.sum(1))
    assert math.isclose(float(value[0]), 9 * float(x[0].sum()))
