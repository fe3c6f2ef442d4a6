"""Natural, Dirichlet, point and initial rows: what is asked on which part of the boundary."""

import pytest
import torch
import ufl
from manufactured import assert_close, domain, grad, jets, random_points, smooth_function, unit_normals
from torch.func import vmap

from mlpde import Dirichlet, Field, InputError, Periodic, Problem, dt
from mlpde.formulation.overdetermined import overruled_sentences
from mlpde.formulation.residual import strong_form

inner, G = ufl.inner, ufl.grad
SQUARE = ("left", "right", "bottom", "top")


def rows_by_kind(problem, kind):
    return {rows.where: rows for rows in strong_form(problem).rows if rows.kind == kind}


def poisson(u, v, omega):
    return inner(G(u), G(v)) * omega.dx


# -------------------------------------------------------------------- natural
def test_natural_residual_is_flux_times_normal_plus_the_boundary_terms_of_each_boundary():
    def weak_form(u, v, omega):
        x, n = omega.x, omega.n
        body = (1 + u**2) * inner(G(u), G(v)) * omega.dx
        on_named = (
            x[1] * v * omega.ds("left") + 2.0 * v * omega.ds("right") + 4.0 * u * v * omega.ds("left", "top")
        )
        everywhere = n[0] * v * omega.ds + u**3 * v * (omega.ds("top") + omega.ds("right") + omega.ds("left"))
        return body + on_named - everywhere

    problem = Problem(domain(2, boundaries=SQUARE), Field("u"), weak_form)
    natural = rows_by_kind(problem, "natural")
    assert set(natural) == set(SQUARE)
    u, points, normals = smooth_function(1, 2), random_points(20, 2), unit_normals(20, 2)
    value = vmap(u)(points)[:, 0]
    flux = (1 + value**2) * (vmap(grad(u, 2))(points)[:, 0] * normals).sum(1) - normals[:, 0]
    expected = {
        "left": points[:, 1] + 4 * value - value**3,
        "right": 2 - value**3,
        "bottom": 0 * value,
        "top": 4 * value - value**3,
    }
    for name, rows in natural.items():
        assert_close(rows.residual(points, normals, jets(u, points))[:, 0], flux + expected[name])


def test_an_integral_inside_one_region_leaves_the_boundary_alone():
    def weak_form(u, v, omega):
        return poisson(u, v, omega) - v * omega.dx("a") - v * omega.ds("left")

    natural = rows_by_kind(Problem(domain(2, regions=("a", "b")), Field("u"), weak_form), "natural")
    points, normals = random_points(4, 2), unit_normals(4, 2)
    zero = {(0,): torch.zeros(4, 1), (1,): torch.zeros(4, 1)}
    assert natural["left"].residual(points, normals, zero).flatten().tolist() == [-1.0] * 4
    assert natural["right"].residual(points, normals, zero).flatten().tolist() == [0.0] * 4


def test_natural_rows_of_a_vector_are_those_of_its_free_components():
    def weak_form(u, v, omega):
        return (
            inner(ufl.sym(G(u)), G(v)) * omega.dx - v[0] * omega.ds("right") + 5.0 * v[1] * omega.ds("right")
        )

    problem = Problem(
        domain(2),
        Field("u", shape=(2,)),
        weak_form,
        dirichlet=[Dirichlet("right", 0.0, component=0), Dirichlet("left")],
    )
    natural = rows_by_kind(problem, "natural")
    assert set(natural) == {"right"}
    u, points, normals = smooth_function(2, 2), random_points(6, 2), unit_normals(6, 2)
    gradient = vmap(grad(u, 2))(points)
    traction = torch.einsum("nij,nj->ni", gradient + gradient.mT, normals) / 2
    assert_close(natural["right"].residual(points, normals, jets(u, points))[:, 0], traction[:, 1] + 5)


def test_a_periodic_boundary_has_no_natural_row():
    problem = Problem(domain(2, boundaries=SQUARE), Field("u"), poisson, periodic=Periodic("left", "right"))
    assert set(rows_by_kind(problem, "natural")) == {"bottom", "top"}


def test_the_normal_has_no_value_inside():
    problem = Problem(domain(2), Field("u"), lambda u, v, omega: omega.n[0] * u * v * omega.dx)
    points = random_points(3, 2)
    with pytest.raises(InputError, match=r"the normal omega.n has no value inside the domain"):
        strong_form(problem).rows[0].residual(points, None, {(): points[:, :1]})


# -------------------------------------------------------------------- Dirichlet
@pytest.mark.parametrize(
    ("shape", "condition", "expected"),
    [
        ((), Dirichlet("left", 2.0), lambda u, x: u[:, :1] - 2),
        ((), Dirichlet("left"), lambda u, x: u[:, :1]),
        ((), Dirichlet("left", lambda x: x[0] * ufl.sin(x[1])), lambda u, x: u[:, :1] - (x[:, :1] * x[:, 1:].sin())),
        ((), Dirichlet("left", lambda x: 3), lambda u, x: u[:, :1] - 3),
        ((2,), Dirichlet("left"), lambda u, x: u),
        ((2,), Dirichlet("left", (1.0, 2.0)), lambda u, x: u - torch.tensor([1.0, 2.0])),
        ((2,), Dirichlet("left", lambda x: x), lambda u, x: u - x),
        ((2,), Dirichlet("left", lambda x: (0, x[0])), lambda u, x: u - torch.stack([0 * x[:, 0], x[:, 0]], 1)),
        ((2,), Dirichlet("left", ufl.as_vector((1.0, 0.0))), lambda u, x: u - torch.tensor([1.0, 0.0])),
        ((2,), Dirichlet("left", 4.0, component=1), lambda u, x: u[:, 1:] - 4),
        ((2,), Dirichlet("left", lambda x: x[1], component=0), lambda u, x: u[:, :1] - x[:, 1:]),
        ((2, 2), Dirichlet("left", ((1, 0), (0, 1))), lambda u, x: u - torch.eye(2).flatten()),
        ((2, 2), Dirichlet("left", lambda x: ufl.outer(x, x)), lambda u, x: u - (x[..., None] * x[:, None]).flatten(1)),
    ],
    ids=lambda value: "" if callable(value) else None,
)  # fmt: skip
def test_dirichlet_values(shape, condition, expected):
    field = Field("u", shape=shape)
    rows = rows_by_kind(Problem(domain(2), field, poisson, dirichlet=condition), "dirichlet")
    assert set(rows) == {"left"}
    u, points = smooth_function(max(field.size, 1), 2), random_points(5, 2)
    assert rows["left"].linear
    residual = rows["left"].residual(points, None, jets(u, points))
    assert torch.allclose(residual, expected(vmap(u)(points), points), rtol=1e-14, atol=1e-14)


def test_dirichlet_on_all_on_several_and_at_a_point():
    everywhere = Problem(domain(2, boundaries=SQUARE), Field("u"), poisson, dirichlet=Dirichlet("all"))
    assert set(rows_by_kind(everywhere, "dirichlet")) == set(SQUARE)
    assert rows_by_kind(everywhere, "natural") == {}
    some = Problem(
        domain(2, boundaries=SQUARE), Field("u"), poisson, dirichlet=Dirichlet(("left", "top"), 1.0)
    )
    assert set(rows_by_kind(some, "dirichlet")) == {"left", "top"}
    assert set(rows_by_kind(some, "natural")) == {"right", "bottom"}
    point = Problem(domain(2), Field("u"), poisson, dirichlet=Dirichlet(at=(0, 1), value=7.0))
    (rows,) = rows_by_kind(point, "point").values()
    assert rows.where == (0.0, 1.0)
    assert rows.residual(torch.tensor([[0.0, 1.0]]), None, {(): torch.tensor([[9.0]])}).item() == 2.0


def test_conditions_of_several_fields():
    def weak_form(up, vq, omega):
        (u, p), (v, q) = up, vq
        return (inner(G(u), G(v)) - p * ufl.div(v) + q * ufl.div(u)) * omega.dx

    problem = Problem(
        domain(2),
        [Field("u", shape=(2,)), Field("p")],
        weak_form,
        dirichlet=[
            Dirichlet("left", lambda x: (x[1], 0), field="u"),
            Dirichlet("left", 3.0, field="p"),
            Dirichlet("right", 5.0, field="p"),
        ],
    )
    rows = rows_by_kind(problem, "dirichlet")
    u, points = smooth_function(3, 2), random_points(5, 2)
    value = vmap(u)(points)
    assert_close(
        rows["left"].residual(points, None, jets(u, points)),
        value - torch.stack([points[:, 1], 0 * points[:, 0], 0 * points[:, 0] + 3], 1),
    )
    # on the right the velocity is free, and its natural condition contains the pressure
    assert "right" not in rows
    assert rows_by_kind(problem, "natural")["right"].equations == 2
    (sentence,) = overruled_sentences(problem)
    assert "the natural condition on 'right' contains p already: the Dirichlet value of p" in sentence


def test_a_dirichlet_value_may_depend_on_time():
    problem = Problem(
        domain(1),
        Field("u"),
        lambda u, v, omega: dt(u) * v * omega.dx + poisson(u, v, omega),
        dirichlet=[Dirichlet("left", lambda x, t: x[0] + ufl.sin(t)), Dirichlet("right", lambda x: x[0])],
        time=(0, 1),
        initial=0.0,
    )
    rows, points = rows_by_kind(problem, "dirichlet"), random_points(5, 2)
    zero = {(): torch.zeros(5, 1, dtype=torch.float64)}
    assert_close(rows["left"].residual(points, None, zero)[:, 0], -points[:, 0] - points[:, 1].sin())
    assert_close(rows["right"].residual(points, None, zero)[:, 0], -points[:, 0])


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ((1.0, 2.0), r"the value of Dirichlet\('left'\) for field 'u' has shape \(2,\), not \(\) as it must"),
        (lambda x: x, r"the value of Dirichlet\('left'\) for field 'u' has shape \(2,\), not \(\)"),
        (
            lambda x: "warm",
            r"the value of Dirichlet\('left'\) for field 'u' is 'warm': a number, a tuple or a UFL expr",
        ),
        (lambda x: x[7], r"the value of Dirichlet\('left'\).* failed at .*test_conditions.py:\d+: .*x\[7\]"),
    ],
)
def test_a_wrong_dirichlet_value_is_named(value, sentence):
    with pytest.raises(InputError, match=sentence):
        strong_form(Problem(domain(2), Field("u"), poisson, dirichlet=Dirichlet("left", value)))


# -------------------------------------------------------------------- initial values
def heat(u, v, omega):
    return (inner(dt(u), v) + inner(G(u), G(v))) * omega.dx


def wave(u, v, omega):
    return (inner(dt(dt(u)), v) + inner(G(u), G(v))) * omega.dx


@pytest.mark.parametrize(
    ("form", "shape", "initial", "expected"),
    [
        (heat, (), 2.0, lambda u, v, x: u - 2),
        (heat, (), lambda x: x[0] ** 2, lambda u, v, x: u - x[:, :1] ** 2),
        (heat, (), {"u": lambda x: x[1]}, lambda u, v, x: u - x[:, 1:2]),
        (heat, (2,), (1.0, 2.0), lambda u, v, x: u - torch.tensor([1.0, 2.0])),
        (wave, (), (1.0, lambda x: x[0]), lambda u, v, x: torch.cat([u - 1, v - x[:, :1]], 1)),
        (wave, (2,), ((1, 2), (3, 4)), lambda u, v, x: torch.cat([u, v], 1) - torch.tensor([1.0, 2, 3, 4])),
        (wave, (2,), (lambda x: x, 0.0), lambda u, v, x: torch.cat([u - x[:, :2], v], 1)),
    ],
)
def test_initial_rows(form, shape, initial, expected):
    field = Field("u", shape=shape)
    problem = Problem(domain(2), field, form, time=(0.5, 1), initial=initial)
    (rows,) = rows_by_kind(problem, "initial").values()
    assert rows.where == 0.5
    u, points = smooth_function(max(field.size, 1), 3), random_points(5, 3)
    derivatives = jets(u, points)
    residual = rows.residual(points, None, {alpha: derivatives[alpha] for alpha in rows.derivatives})
    assert_close(residual, expected(derivatives[()], derivatives[(2,)], points), 1e-14)


def test_a_field_without_rate_has_no_initial_row():
    def weak_form(up, vq, omega):
        (u, p), (v, q) = up, vq
        return (inner(dt(u), v) + inner(G(u), G(v)) - p * ufl.div(v) + q * ufl.div(u)) * omega.dx

    fields = [Field("u", shape=(2,)), Field("p")]
    (rows,) = rows_by_kind(
        Problem(domain(2), fields, weak_form, time=(0, 1), initial={"u": (1.0, 0.0)}), "initial"
    ).values()
    assert rows.equations == 2


@pytest.mark.parametrize(
    ("form", "initial", "sentence"),
    [
        (heat, (0.0, 1.0), r"field 'u' is of first order in time: its initial must be the value u0, 2 given"),
        (wave, 0.0, r"field 'u' is of second order in time: its initial must be the pair \(u0, v0\)"),
        (poisson, 0.0, r"weak_form of a problem in time contains no dt"),
        (heat, lambda x: x, r"the initial value of u has shape \(2,\), not \(\)"),
    ],
)
def test_initial_values_must_fit_the_order_in_time(form, initial, sentence):
    with pytest.raises(InputError, match=sentence):
        strong_form(Problem(domain(2), Field("u"), form, time=(0, 1), initial=initial))
