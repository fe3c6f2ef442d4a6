"""Strong residuals derived from weak forms equal the strong operators, written by hand and differentiated by torch."""

import pytest
import torch
import ufl
from manufactured import assert_close, div, domain, grad, jets, random_points, rate, smooth_function
from torch.func import grad as derivative
from torch.func import vmap

from mlpde import Field, Problem, dt
from mlpde.formulation.residual import strong_form
from mlpde.formulation.torch_expression import laplacian

inner, G = ufl.inner, ufl.grad


def check(problem, operator, time=False, amplitude=1.0):
    """Every region's rows against `operator(u)(x) -> (K,)` for a smooth function u."""
    dim, components = problem.domain.dim, sum(f.size for f in problem.fields)
    u, points = smooth_function(components, dim + time, amplitude), random_points(40, dim + time)
    form = strong_form(problem)
    interior = [rows for rows in form.rows if rows.kind == "interior"]
    assert [rows.where for rows in interior] == list(problem.domain.regions)
    assert form.components == components
    all_jets = jets(u, points)
    for rows in interior:
        needed = {alpha: all_jets[alpha] for alpha in rows.derivatives}
        actual = rows.residual(points, None, needed)
        expected = vmap(operator(u))(points)
        assert actual.shape == (40, rows.equations)
        assert_close(actual, expected.reshape(40, -1))
    return form


def test_poisson_with_variable_coefficient():
    def weak_form(u, v, omega):
        x = omega.x
        kappa = ufl.as_matrix([[1 + x[0] ** 2, x[1]], [x[1], ufl.exp(x[0])]])
        return (inner(kappa * G(u), G(v)) - ufl.sin(x[0] * x[1]) * v) * omega.dx

    def operator(u):
        def flux(x):
            kappa = torch.stack([torch.stack([1 + x[0] ** 2, x[1]]), torch.stack([x[1], torch.exp(x[0])])])
            return grad(u, 2)(x) @ kappa.T

        return lambda x: -torch.sin(x[0] * x[1]) - div(flux, 2)(x)

    form = check(Problem(domain(2), Field("u"), weak_form), operator)
    assert form.linear
    assert form.derivatives == {(0,), (1,), (0, 0), (0, 1), (1, 1)}


@pytest.mark.parametrize("dim", [1, 2, 3, 10])
def test_helmholtz(dim):
    def weak_form(u, v, omega):
        return (inner(G(u), G(v)) - 25.0 * u * v) * omega.dx

    form = check(
        Problem(domain(dim), Field("u"), weak_form),
        lambda u: lambda x: -25 * u(x) - div(grad(u, dim), dim)(x),
    )
    assert form.linear
    second = {(i, i) for i in range(dim)} if dim <= 3 else {laplacian(dim)}
    assert form.rows[0].derivatives == {(), *second}  # the Laplacian alone, no mixed derivative


@pytest.mark.parametrize("dim", [2, 10])
def test_nonlinear_diffusion_and_reaction(dim):
    def weak_form(u, v, omega):
        return ((1 + u**2) * inner(G(u), G(v)) + u**3 * v) * omega.dx

    def operator(u):
        flux = lambda x: (1 + u(x)[:, None] ** 2) * grad(u, dim)(x)  # noqa: E731
        return lambda x: u(x) ** 3 - div(flux, dim)(x)

    form = check(Problem(domain(dim), Field("u"), weak_form), operator)
    assert not form.linear


@pytest.mark.parametrize("p", [1.5, 3.7, 4])
def test_p_laplace(p):
    def weak_form(u, v, omega):
        return (inner(G(u), G(u)) ** ((p - 2) / 2) * inner(G(u), G(v)) - v) * omega.dx

    def operator(u):
        def flux(x):
            g = grad(u, 2)(x)
            return (g**2).sum() ** ((p - 2) / 2) * g

        return lambda x: -1 - div(flux, 2)(x)

    check(Problem(domain(2), Field("u"), weak_form), operator)


@pytest.mark.parametrize("dim", [2, 3])
def test_elasticity_with_varying_moduli(dim):
    def weak_form(u, v, omega):
        x, eye = omega.x, ufl.Identity(dim)
        mu, lam = 1 + x[0] ** 2, ufl.exp(x[1])
        eps = ufl.sym(G(u))
        return inner(2 * mu * eps + lam * ufl.tr(eps) * eye, ufl.sym(G(v))) * omega.dx

    def operator(u):
        def stress(x):
            g = grad(u, dim)(x)
            eps = (g + g.T) / 2
            return 2 * (1 + x[0] ** 2) * eps + torch.exp(x[1]) * eps.trace() * torch.eye(dim, dtype=x.dtype)

        return lambda x: -div(stress, dim)(x)

    assert check(Problem(domain(dim), Field("u", shape=(dim,)), weak_form), operator).linear


@pytest.mark.parametrize(
    ("dim", "by_variable"), [(2, False), (2, True), (3, False)], ids=["2d energy", "2d ufl.diff", "3d energy"]
)
def test_neo_hookean(dim, by_variable):
    """From the energy; and from P = d psi / dF by UFL's own `variable` and `diff`."""

    def psi(F, x):
        J = ufl.det(F)
        return (1 + x[0]) / 2 * (ufl.tr(F.T * F) - dim - 2 * ufl.ln(J)) + ufl.ln(J) ** 2

    def energy(u, omega):
        return (psi(ufl.Identity(dim) + G(u), omega.x) - inner(omega.x, u)) * omega.dx

    def weak_form(u, v, omega):
        F = ufl.variable(ufl.Identity(dim) + G(u))
        return (inner(ufl.diff(psi(F, omega.x), F), G(v)) - inner(omega.x, v)) * omega.dx

    def torch_psi(F, x):
        J = torch.linalg.det(F)
        return (1 + x[0]) / 2 * ((F * F).sum() - dim - 2 * torch.log(J)) + torch.log(J) ** 2

    def operator(u):
        def stress(x):
            return derivative(torch_psi)(torch.eye(dim, dtype=x.dtype) + grad(u, dim)(x), x)

        return lambda x: -x - div(stress, dim)(x)

    form = {"weak_form": weak_form} if by_variable else {"energy": energy}
    check(Problem(domain(dim), Field("u", shape=(dim,)), **form), operator, amplitude=0.1)


def test_navier_stokes():
    def weak_form(up, vq, omega):
        (u, p), (v, q) = up, vq
        momentum = 0.1 * inner(G(u), G(v)) + inner(G(u) * u, v) - p * ufl.div(v)
        return (momentum + q * ufl.div(u)) * omega.dx

    def operator(w):
        u, p = (lambda x: w(x)[:2]), (lambda x: w(x)[2])

        def stress(x):
            return 0.1 * grad(u, 2)(x) - p(x) * torch.eye(2, dtype=x.dtype)

        def residual(x):
            momentum = grad(u, 2)(x) @ u(x) - div(stress, 2)(x)
            return torch.cat([momentum, grad(u, 2)(x).trace()[None]])

        return residual

    fields = [Field("u", shape=(2,)), Field("p", mean_zero=True)]
    form = check(Problem(domain(2), fields, weak_form), operator)
    natural = next(rows for rows in form.rows if rows.kind == "natural")
    assert natural.equations == 2  # continuity has no flux


def test_matrix_field():
    """Components of a matrix field count in C order."""

    def weak_form(s, t, omega):
        return (inner(s * s.T, t) + inner(G(s), G(t))) * omega.dx

    def operator(w):
        s = lambda x: w(x).reshape(2, 2)  # noqa: E731
        return lambda x: (s(x) @ s(x).T - div(grad(s, 2), 2)(x)).flatten()

    check(Problem(domain(2), Field("s", shape=(2, 2)), weak_form), operator)


def test_heat():
    def weak_form(u, v, omega):
        kappa = 1 + omega.t * omega.x[0]
        return (dt(u) * v + kappa * inner(G(u), G(v)) - omega.t**2 * v) * omega.dx

    def operator(u):
        flux = lambda x: (1 + x[-1] * x[0]) * grad(u, 2)(x)  # noqa: E731
        return lambda x: rate(u)(x) - x[-1] ** 2 - div(flux, 2)(x)

    problem = Problem(domain(2), Field("u"), weak_form, time=(0, 1), initial=0.0)
    form = check(problem, operator, time=True)
    assert form.linear
    assert (2,) in form.derivatives  # time is the direction after those of space


def test_wave():
    def weak_form(u, v, omega):
        return (dt(dt(u)) * v + inner(G(u), G(v))) * omega.dx

    problem = Problem(domain(2), Field("u"), weak_form, time=(0, 1), initial=(0.0, 1.0))
    check(problem, lambda u: lambda x: rate(rate(u))(x) - div(grad(u, 2), 2)(x), time=True)


@pytest.mark.parametrize(
    ("term", "referee"),
    [
        (lambda u, t: dt(u**3), lambda u: rate(lambda x: u(x) ** 3)),
        (lambda u, t: dt(u**3 * t), lambda u: rate(lambda x: u(x) ** 3 * x[-1])),
        (
            lambda u, t: dt(dt(u**3 * ufl.sin(t))),
            lambda u: rate(rate(lambda x: u(x) ** 3 * torch.sin(x[-1]))),
        ),
        (lambda u, t: dt(dt(u) * u), lambda u: rate(lambda x: rate(u)(x) * u(x))),
        (lambda u, t: dt(u.dx(0)), lambda u: rate(lambda x: grad(u, 2)(x)[:, 0])),
        (lambda u, t: dt(ufl.exp(-t)) * u, lambda u: lambda x: -torch.exp(-x[-1]) * u(x)),
    ],
    ids=["u^3", "u^3 t", "dt dt", "u' u", "gradient", "explicit"],
)
def test_time_derivatives_follow_the_chain_rule(term, referee):
    def weak_form(u, v, omega):
        return (term(u, omega.t) * v + dt(dt(u)) * v) * omega.dx

    problem = Problem(domain(2), Field("u"), weak_form, time=(0, 1), initial=(0.0, 0.0))
    check(problem, lambda u: lambda x: referee(u)(x) + rate(rate(u))(x), time=True)


@pytest.mark.parametrize(
    ("term", "referee"),
    [
        (
            lambda u, x: ufl.conditional(ufl.gt(u[0], 0.5), u[0] ** 2, ufl.sin(u[1])),
            lambda u, x: torch.where(u[0] > 0.5, u[0] ** 2, torch.sin(u[1])),
        ),
        (
            lambda u, x: ufl.conditional(ufl.And(ufl.lt(x[0], 0.6), ufl.Not(ufl.ge(x[1], 0.6))), u[0], u[1]),
            lambda u, x: torch.where((x[0] < 0.6) & (x[1] < 0.6), u[0], u[1]),
        ),
        (
            lambda u, x: ufl.conditional(ufl.gt(u[0], u[1]), u, 2 * u)[1],
            lambda u, x: torch.where(u[0] > u[1], u[1], 2 * u[1]),
        ),
        (lambda u, x: ufl.conditional(ufl.lt(1, 2), u[0], x[0]), lambda u, x: u[0]),
        (lambda u, x: abs(u[0] - 1) + ufl.sign(u[1] - 1), lambda u, x: (u[0] - 1).abs() + (u[1] - 1).sign()),
        (
            lambda u, x: ufl.max_value(u[0], u[1]) - ufl.min_value(u[0], x[0]),
            lambda u, x: torch.maximum(u[0], u[1]) - torch.minimum(u[0], x[0]),
        ),
        (lambda u, x: u[0] ** x[1] / u[1] ** -2, lambda u, x: u[0] ** x[1] * u[1] ** 2),
        (
            lambda u, x: ufl.det(ufl.as_matrix([[u[0], u[1]], [x[0], x[1]]])),
            lambda u, x: u[0] * x[1] - u[1] * x[0],
        ),
        (
            lambda u, x: ufl.inv(ufl.as_matrix([[2 + u[0], x[0]], [x[1], 2 + u[1]]]))[0, 1],
            lambda u, x: torch.linalg.inv(
                torch.stack([torch.stack([2 + u[0], x[0]]), torch.stack([x[1], 2 + u[1]])])
            )[0, 1],
        ),
        (
            lambda u, x: ufl.atan2(u[0], u[1]) + ufl.erf(u[0]),
            lambda u, x: torch.atan2(u[0], u[1]) + torch.erf(u[0]),
        ),
        (
            lambda u, x: ufl.ln(u[0]) + ufl.sqrt(u[1]) + ufl.tanh(u[0]) + ufl.acos(x[0] / 2),
            lambda u, x: torch.log(u[0]) + torch.sqrt(u[1]) + torch.tanh(u[0]) + torch.acos(x[0] / 2),
        ),
    ],
    ids=[
        "where u",
        "where x",
        "where vector",
        "where true",
        "abs sign",
        "max min",
        "powers",
        "det",
        "inv",
        "atan2",
        "ln",
    ],
)
def test_reactions(term, referee):
    def weak_form(u, v, omega):
        return (term(u, omega.x) * v[0] + inner(G(u), G(v))) * omega.dx

    def operator(u):
        return lambda x: torch.stack([referee(u(x), x), x[0] * 0]) - div(grad(u, 2), 2)(x)

    check(Problem(domain(2), Field("u", shape=(2,)), weak_form), operator)


def test_a_source_may_differ_by_region_and_a_form_be_a_sum():
    def weak_form(u, v, omega):
        steady = inner(G(u), G(v)) * omega.dx
        return (
            steady
            - v * omega.dx("a")
            - 2.0 * v * omega.dx("a", "b")
            + 0 * v * omega.dx
            - 3 * v * omega.dx(degree=2)
        )

    problem = Problem(domain(2, regions=("a", "b")), Field("u"), weak_form)
    form = strong_form(problem)
    u, points = smooth_function(1, 2), random_points(5, 2)
    minus_laplacian = -vmap(div(grad(u, 2), 2))(points)
    for rows, source in zip(form.rows[:2], (6.0, 5.0), strict=True):
        assert_close(rows.residual(points, None, jets(u, points)), minus_laplacian - source)


def test_a_constant_flux_has_no_divergence():
    def weak_form(u, v, omega):
        return (inner(ufl.as_vector((1.0, 2.0)), G(v)) + u * v) * omega.dx

    form = check(Problem(domain(2), Field("u"), weak_form), lambda u: u)
    natural = next(rows for rows in form.rows if rows.kind == "natural")
    normals = torch.tensor([[0.6, 0.8]], dtype=torch.float64)
    assert natural.residual(normals, normals, {}).item() == pytest.approx(2.2)
