"""What the equations do not determine is said, in proportion; well-posed problems raise no alarm."""

import re

import numpy as np
import pytest
import ufl

from geometry import interval, rectangle
from mlpde import Dirichlet, Field, Problem, dt
from mlpde.exact import exact_solution
from mlpde.solvers.rfm import RFM
from mlpde.solving import as_case

METHODS = ("block_qr", "dense", "mixed_qr", "cholesky")
SETTINGS = {"activation": "sin", "scale": 1.5, "features": 100, "tolerance": 1e-9}


def wave(x):
    return ufl.exp(x[0]) * ufl.sin(3 * x[1])


def helmholtz(k2):
    def weak_form(u, v, omega):
        f = -ufl.div(ufl.grad(wave(omega.x))) - k2 * wave(omega.x)
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - k2 * u * v - f * v) * omega.dx

    return Problem(rectangle(), Field("u"), weak_form, dirichlet=Dirichlet("all", wave), exact=wave)


def pulled(dirichlet):
    """A square pulled at the top and the bottom."""

    def weak_form(u, v, omega):
        strain = ufl.sym(ufl.grad(u))
        stress = 2 * strain + ufl.tr(strain) * ufl.Identity(2)
        load = ufl.as_vector((0.0, omega.n[1]))
        return ufl.inner(stress, ufl.grad(v)) * omega.dx - ufl.inner(load, v) * (
            omega.ds("top") + omega.ds("bottom")
        )

    return Problem(rectangle(), Field("u", shape=(2,)), weak_form, dirichlet=dirichlet)


def undetermined(problem, method="auto", cells=(1, 1), seed=0):
    solution = RFM(partition=cells, method=method, **SETTINGS).solve(problem, seed=seed)
    return [w for w in solution.info["warnings"] if "determine the solution" in w], solution


@pytest.mark.parametrize("method", METHODS)
def test_a_resonance_is_named_by_every_method_with_a_factor(method):
    sentences, _ = undetermined(helmholtz(2 * np.pi**2), method, (3, 3))
    assert sentences[0].startswith("the equations do not determine the solution")


@pytest.mark.parametrize("seed", [1, 2])
def test_rounding_of_the_normal_equations_does_not_hide_a_resonance(seed):
    """The least pivot of B^T B is rounding there, of either sign: by seed 1 positive, by 2 not."""
    sentences, solution = undetermined(helmholtz(2 * np.pi**2), "cholesky", (3, 3), seed)
    assert sentences[0].startswith("the equations do not determine the solution")
    assert "block_qr was taken instead" in solution.info["warnings"][0]


@pytest.mark.parametrize("method", METHODS)
def test_far_from_a_resonance_nothing_is_said(method):
    assert undetermined(helmholtz(25.0), method, (2, 2))[0] == []


def test_the_error_near_a_resonance_is_told_in_proportion():
    problem = helmholtz(2 * np.pi**2 * (1 + 1e-6))
    sentences, solution = undetermined(problem, cells=(3, 3))
    assert sentences[0].startswith("the equations hardly determine the solution")
    told = float(re.search(r"relative error of ([\d.e+-]+);", sentences[0])[1])
    error = solution.error(exact_solution(as_case(problem)))["u"]["l2"]
    assert error / 3 < told < 30 * error


def test_a_free_rotation_is_named_and_a_hindered_one_is_not():
    pin = Dirichlet(at=(0.0, 0.0), value=(0.0, 0.0))
    assert undetermined(pulled(pin))[0][0].startswith("the equations do not determine the solution")
    roller = Dirichlet(at=(1.0, 0.0), value=0.0, component=1)
    assert undetermined(pulled([pin, roller]))[0] == []


def test_neumann_conditions_at_an_eigenvalue_are_named():
    def weak_form(u, v, omega):
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - np.pi**2 * u * v - v) * omega.dx

    assert undetermined(Problem(rectangle(), Field("u"), weak_form))[0]


@pytest.mark.parametrize(("sign", "alarms"), [(1, 0), (-1, 1)])
def test_heat_backward_in_time_is_named_and_forward_is_not(sign, alarms):
    def weak_form(u, v, omega):
        return (dt(u) * v + sign * ufl.inner(ufl.grad(u), ufl.grad(v))) * omega.dx

    problem = Problem(
        interval(),
        Field("u"),
        weak_form,
        dirichlet=Dirichlet("all", 0.0),
        time=(0.0, 1.0),
        initial=lambda x: ufl.sin(np.pi * x[0]),
    )
    assert len(undetermined(problem, cells=(2, 2))[0]) == alarms


def test_a_field_up_to_a_constant_raises_no_alarm():
    def weak_form(u, v, omega):
        f = ufl.cos(np.pi * omega.x[0])
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - np.pi**2 * f * v) * omega.dx

    problem = Problem(rectangle(), Field("u", mean_zero=True), weak_form)
    assert undetermined(problem)[0] == []
