"""Data that do not balance: refused by RFM and FEM in the same words, or told as far as they do."""

import numpy as np
import pytest
import ufl

from geometry import annulus, rectangle
from mlpde import Dirichlet, Field, InputError, Problem
from mlpde.formulation.balance import imbalance
from mlpde.solvers import solver

SMALL = {"features": 100, "partition": (1, 1), "activation": "sin", "scale": 3.0}


def neumann(source, flux=0.0, domain=None, kappa=lambda u: 1.0):
    """-div(kappa(u) grad u) = source, kappa du/dn = flux on the whole boundary."""

    def weak_form(u, v, omega):
        diffusion = kappa(u) * ufl.inner(ufl.grad(u), ufl.grad(v))
        form = (diffusion - source(omega.x) * v) * omega.dx
        return form - flux * v * omega.ds if flux else form

    return Problem(domain or rectangle(), Field("u", mean_zero=True), weak_form)


def flow(inflow):
    """Stokes flow in the unit square whose velocity is given everywhere: `inflow` on the left, (1, 0) on the right."""

    def weak_form(fields, tests, omega):
        (u, p), (v, q) = fields, tests
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - p * ufl.div(v) + q * ufl.div(u)) * omega.dx

    given = (("left", (inflow, 0.0)), ("right", (1.0, 0.0)), (("bottom", "top"), (0.0, 0.0)))
    conditions = [Dirichlet(where, value, field="u") for where, value in given]
    fields = [Field("u", shape=(2,)), Field("p", mean_zero=True)]
    return Problem(rectangle(), fields, weak_form, dirichlet=conditions)


def even(x):
    return ufl.cos(np.pi * x[0])


def test_the_imbalance_is_that_of_sources_and_fluxes():
    assert imbalance(neumann(even))["u"] < 1e-10
    assert imbalance(neumann(lambda x: 1.0))["u"] == pytest.approx(1.0)
    assert imbalance(neumann(lambda x: 1.0, -0.25))["u"] < 1e-12
    assert imbalance(neumann(lambda x: 1.0, -0.2))["u"] == pytest.approx(0.2 / 1.8)
    assert imbalance(neumann(lambda x: 1.0, domain=annulus(), kappa=lambda u: 1 + u**2))[
        "u"
    ] == pytest.approx(1.0)


def test_an_inflow_that_does_not_leave_is_an_imbalance_of_the_pressure():
    assert imbalance(flow(1.0))["p"] < 1e-12
    assert imbalance(flow(0.5)) == {"p": pytest.approx(1 / 3)}


def test_equations_that_bind_the_mean_are_not_judged():
    def reaction(u, v, omega):
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) + (u - 1) * v) * omega.dx

    def robin(u, v, omega):
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - v) * omega.dx + u * v * omega.ds("left")

    def switched(u, v, omega):
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - ufl.conditional(ufl.gt(u, 0), 1, -1) * v) * omega.dx

    for weak_form in (reaction, robin, switched):
        assert imbalance(Problem(rectangle(), Field("u"), weak_form)) == {}
    fixed = Problem(rectangle(), Field("u"), neumann(even).weak_form, dirichlet=Dirichlet("left", 0.0))
    assert imbalance(fixed) == {}


@pytest.mark.parametrize("name", ["rfm", "fem"])
@pytest.mark.parametrize(("problem", "field"), [(neumann(lambda x: 1.0), "u"), (flow(0.5), "p")])
def test_data_that_do_not_balance_are_refused(name, problem, field):
    settings = SMALL if name == "rfm" else {"size": 0.25}
    with pytest.raises(
        InputError, match=f"the data of field '{field}' do not balance: .* no solution exists"
    ):
        solver(name, **settings).solve(problem)


def test_a_small_imbalance_is_told_with_its_size():
    told = solver("rfm", **SMALL).solve(neumann(lambda x: even(x) + 1e-3)).info["warnings"]
    size = 1e-3 / (2 / np.pi)
    assert any(f"of field 'u' balance up to {size:.1e} of their size only" in w for w in told)
    assert not any("balance" in w for w in solver("rfm", **SMALL).solve(neumann(even)).info["warnings"])
