"""What has no weak form or no pointwise residual is refused in one sentence that speaks of u and v."""

import pytest
import ufl
from manufactured import domain

from geometry import rectangle
from mlpde import Dirichlet, Field, InputError, Problem, dt
from mlpde.formulation.determined import check_determined
from mlpde.formulation.residual import strong_form
from mlpde.formulation.weak_form import weak_form
from mlpde.formulation.weak_residual import weak_residual

inner, G = ufl.inner, ufl.grad


def problem(form, regions=("domain",), fields=None, **keywords):
    return Problem(domain(2, regions=regions), fields or Field("u"), form, **keywords)


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        (lambda u, v, omega: v * v * omega.dx, r"linear in the test function v in every term: its .*: v \+ v"),
        (lambda u, v, omega: u / v * omega.dx, r"linear in the test function v .*u / v"),
        (lambda u, v, omega: abs(v) * omega.dx, r"linear in the test function v"),
        (lambda u, v, omega: ufl.conditional(ufl.gt(v, 0), 1, 2) * v * omega.dx, r"test function v.*\(v\) > \(0\)"),
        (lambda u, v, omega: (u * v + omega.x[0]) * omega.dx, r"every term: x\[0\] stands without v"),
        (lambda u, v, omega: (u * v + u**2) * omega.dx, r"u \*\* 2 stands without v"),
        (lambda u, v, omega: u * v * omega.dx + omega.ds, r"weak_form failed at .*unsupported operand"),
        (lambda u, v, omega: u * v, r"an integral such as .* \* omega.dx; it returned u \* v without"),
        (lambda u, v, omega: None, r"weak_form must return an integral .* it returned None"),
        (lambda u, v, omega: omega.x**3 * v * omega.dx, r"failed at \S*test_refusals.py:\d+: .*omega.x\*\*3.*power"),
        (lambda u, v, omega: G(u) * v * omega.dx, r"weak_form failed at \S*test_refusals.py:\d+: .*G\(u\) \* v"),
        (lambda u, v, omega: v * omega.ds("lft"), r"boundary 'lft': there is 'left', 'right'; did you mean 'left'\?"),
        (lambda u, v, omega: v * omega.dx("steel"), r"unknown region 'steel': there is 'domain'"),
        (lambda u, v, omega: inner(ufl.div(G(u)), ufl.div(G(v))) * omega.dx, r"second derivatives of the test"),
        (lambda u, v, omega: u * inner(G(v), omega.n) * omega.ds, r"boundary 'left' contains grad\(v\)"),
        (lambda u, v, omega: ufl.avg(u) * ufl.avg(v) * ufl.dS, r"integrals over interior_facet are for FEM only"),
        (lambda u, v, omega: 1j * u * v * omega.dx, r"complex numbers are not supported: write"),
        (lambda u, v, omega: dt(u) * v * omega.dx, r"dt\(...\) needs a problem with time"),
        (lambda u, v, omega: u * v * sum(omega.x[0] ** k for k in range(2000)) * omega.dx, r"total\(vector\)"),
    ],
)  # fmt: skip
def test_no_weak_form(form, sentence):
    with pytest.raises(InputError, match=sentence):
        weak_form(problem(form))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_numbers_are_finite(number):
    with pytest.raises(
        InputError, match=rf"weak_form contains the number {number}: every coefficient must be"
    ):
        weak_form(problem(lambda u, v, omega: number * inner(G(u), G(v)) * omega.dx))
    with pytest.raises(InputError, match=rf"energy contains the number {number}"):
        weak_form(Problem(domain(2), Field("u"), energy=lambda u, omega: number * u**2 * omega.dx))


def test_an_energy_must_be_an_integral_too():
    with pytest.raises(InputError, match="energy must return an integral"):
        weak_form(Problem(domain(2), Field("u"), energy=lambda u, omega: u**2))
    with pytest.raises(InputError, match=r"energy failed at .*test_refusals.py"):
        weak_form(Problem(domain(2), Field("u"), energy=lambda u, omega: ufl.tr(u) * omega.dx))


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        (lambda u, v, omega: (1 + dt(u)) * inner(G(u), G(v)) * omega.dx + inner(G(dt(u)), G(v)) * omega.dx,
         r"derivative of dt\(u\) that makes order 3"),
        (lambda u, v, omega: inner(G(ufl.div(G(u))), G(v)) * omega.dx, r"derivative of u that makes order 4"),
        (lambda u, v, omega: dt(dt(dt(u))) * v * omega.dx, r"at most dt\(dt\(u\)\)"),
        (lambda u, v, omega: dt(u * dt(dt(u))) * v * omega.dx, r"at most dt\(dt\(u\)\)"),
        (lambda u, v, omega: ufl.conditional(ufl.lt(omega.x[0], 0.5), 1.0, 2.0) * inner(G(u), G(v)) * omega.dx,
         r"the flux switches at \(x\[0\]\) < \(0.5\), a condition on x: it may jump there.*use FEM, or smooth"),
        (lambda u, v, omega: ufl.bessel_J(0, u) * v * omega.dx, r"BesselJ has no torch rule .*cyl_bessel_j\(0, u\)"),
        (lambda u, v, omega: ufl.CellVolume(omega.x.ufl_domain()) * u * v * omega.dx, r"CellVolume has no torch rule"),
        (lambda u, v, omega: ufl.avg(u) * v * omega.dx, r"PositiveRestricted has no torch rule .*\(u\)\(\+\)"),
        (lambda u, v, omega: ufl.jump(u) * v * omega.dx, r"Restricted has no torch rule"),
        (lambda u, v, omega: ufl.CellDiameter(omega.x.ufl_domain()) * v * omega.dx, r"CellDiameter has no torch rule"),
    ],
)  # fmt: skip
def test_no_pointwise_residual(form, sentence):
    with pytest.raises(InputError, match=sentence):
        strong_form(problem(form, time=(0, 1), initial=0.0))


def test_a_flux_that_differs_by_region_is_refused():
    def form(u, v, omega):
        return inner(G(u), G(v)) * omega.dx + inner(G(u), G(v)) * omega.dx("core")

    two = problem(form, regions=("core", "shell"))
    with pytest.raises(InputError, match="flux differs between the regions 'core', 'shell'"):
        strong_form(two)
    assert set(weak_form(two).flux) == {"core", "shell"}  # a weak solver may still use it


def test_a_coefficient_that_depends_on_u_or_is_continuous_may_switch():
    def form(u, v, omega):
        kappa = ufl.conditional(ufl.gt(u, 0), 1.0, 2.0) + ufl.max_value(omega.x[0], 0.5)
        return kappa * inner(G(u), G(v)) * omega.dx

    assert not strong_form(problem(form)).linear


def poisson(u, v, omega):
    return inner(G(u), G(v)) * omega.dx


def stokes(up, vq, omega):
    (u, p), (v, q) = up, vq
    return (inner(G(u), G(v)) - p * ufl.div(v) - q * ufl.div(u)) * omega.dx


VECTOR = Field("u", shape=(2,))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (problem(poisson), "u"),
        (problem(poisson, fields=VECTOR, dirichlet=Dirichlet("left", component=0)), "u"),
        (
            problem(stokes, fields=[VECTOR, Field("p")], dirichlet=Dirichlet(("left", "right"), field="u")),
            "p",
        ),
    ],
)
def test_what_is_determined_up_to_a_constant_is_refused(wrong, field):
    with pytest.raises(
        InputError, match=f"pure Neumann problem: .*{field!r} is determined up to a constant; add a"
    ):
        check_determined(wrong, strong_form(wrong))


@pytest.mark.parametrize(
    "right",
    [
        problem(poisson, dirichlet=Dirichlet(at=(0.0, 0.0))),
        problem(lambda u, v, omega: poisson(u, v, omega) + u * v * omega.ds("left")),
    ],
)
def test_a_point_value_or_a_robin_condition_determines_the_constant(right):
    check_determined(right, strong_form(right))


def test_an_edge_element_field_is_refused():
    edge = Field("E", shape=(2,), family="Nedelec")
    with pytest.raises(InputError, match="field 'E' is Nedelec"):
        strong_form(problem(lambda E, v, omega: inner(E, v) * omega.dx, fields=edge))


def test_the_test_functions_of_several_fields_are_told_apart():
    def form(up, vq, omega):
        (u, p), (v, q) = up, vq
        return (u * v + p * q**2) * omega.dx

    with pytest.raises(InputError, match=r"contains v: .*v_p"):
        weak_form(problem(form, fields=[Field("u"), Field("p")], dirichlet=Dirichlet("left", field="u")))


def channel(*closed):
    """Stokes flow in a square with mean-free pressure, velocities given at the closed boundaries."""
    fields = [VECTOR, Field("p", mean_zero=True)]
    return Problem(
        rectangle(0.0, 0.0, 1.0, 1.0), fields, stokes, dirichlet=Dirichlet(closed, (0.0, 0.0), field="u")
    )


@pytest.mark.parametrize("reduced", [strong_form, weak_residual])
def test_a_mean_free_field_whose_constant_is_fixed_is_refused(reduced):
    """An outlet fixes the pressure, by p n_x = nu du/dn."""
    sides = ("left", "bottom", "top")
    closed = channel(*sides, "right")
    check_determined(closed, reduced(closed))
    open_ = channel(*sides)
    with pytest.raises(
        InputError,
        match=r"'p' has mean_zero=True, but .*natural condition on 'right' already fixes its constant",
    ):
        check_determined(open_, reduced(open_))


@pytest.mark.parametrize("reduced", [strong_form, weak_residual])
def test_a_mean_free_field_in_its_own_equation_is_refused(reduced):
    def form(u, v, omega):
        return poisson(u, v, omega) + u * v * omega.dx

    reaction = Problem(rectangle(0.0, 0.0, 1.0, 1.0), Field("u", mean_zero=True), form)
    with pytest.raises(InputError, match="its equation already fixes its constant"):
        check_determined(reaction, reduced(reaction))


def test_an_outlet_with_a_slip_wall_leaves_the_pressure_free():
    """u_1 given and u_2 free at x = 1: the natural condition is that of u_2, p n_y = 0, without p."""
    walls = [
        Dirichlet(("left", "bottom", "top"), (0.0, 0.0), field="u"),
        Dirichlet("right", 0.0, field="u", component=0),
    ]
    slip = Problem(
        rectangle(0.0, 0.0, 1.0, 1.0), [VECTOR, Field("p", mean_zero=True)], stokes, dirichlet=walls
    )
    check_determined(slip, strong_form(slip))
