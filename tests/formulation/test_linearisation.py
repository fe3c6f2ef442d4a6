"""Linearised rows: r(w + e d) - r(w) = e L(w) d + O(e^2), exact for affine rows."""

import pytest
import torch
import ufl
from manufactured import assert_close, domain, jets, random_points, smooth_function, unit_normals

from mlpde import Dirichlet, Field, InputError, Problem, dt
from mlpde.formulation.residual import strong_form

inner, G = ufl.inner, ufl.grad


def neo_hookean(u, omega):
    F = ufl.Identity(2) + G(u)
    J = ufl.det(F)
    return ((1 + omega.x[0]) * (ufl.tr(F.T * F) - 2 - 2 * ufl.ln(J)) + ufl.ln(J) ** 2) * omega.dx


def navier_stokes(up, vq, omega):
    (u, p), (v, q) = up, vq
    flow = 0.1 * inner(G(u), G(v)) + inner(G(u) * u, v) - p * ufl.div(v) + q * ufl.div(u)
    return flow * omega.dx + inner(u, u) * inner(u, v) * omega.ds("right")


PROBLEMS = {
    "neo-Hookean": Problem(
        domain(2), Field("u", shape=(2,)), energy=neo_hookean, dirichlet=Dirichlet("left")
    ),
    "Navier-Stokes": Problem(domain(2), [Field("u", shape=(2,)), Field("p")], navier_stokes),
    "wave": Problem(
        domain(1),
        Field("u"),
        lambda u, v, omega: (
            (dt((1 + omega.x[0]) * dt(u**3)) * v + (1 + u**2) * inner(G(u), G(v)) + abs(dt(u)) * v) * omega.dx
        ),
        time=(0, 1),
        initial=(0.0, 0.0),
    ),
}


def applied(terms, derivatives, equations):
    """sum of c D^alpha u_m by equation, (n, K)."""
    result = torch.zeros(len(next(iter(derivatives.values()))), equations, dtype=torch.float64)
    for term in terms:
        result[:, term.equation] += term.coefficient * derivatives[term.derivative][:, term.component]
    return result


def state_and_direction(problem, n=10):
    dim = problem.domain.dim + (problem.time is not None)
    size, points = sum(f.size for f in problem.fields), random_points(n, dim)
    w = jets(smooth_function(size, dim, 0.1), points)
    return points, w, jets(smooth_function(size, dim, seed=5), points)


def plus(w, e, d):
    return {alpha: w[alpha] + e * d[alpha] for alpha in w}


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_linearisation_is_the_derivative(name):
    problem = PROBLEMS[name]
    points, w, d = state_and_direction(problem)
    normals = unit_normals(len(points), problem.domain.dim)
    form = strong_form(problem)
    assert not form.linear
    for rows in form.rows:
        residual, terms = rows.linearise(points, normals, w)
        assert torch.equal(residual, rows.residual(points, normals, w))
        assert all(term.coefficient.shape == (len(points),) for term in terms)
        change = applied(terms, d, rows.equations)
        if rows.linear:
            assert_close(rows.residual(points, normals, plus(w, 1.0, d)) - residual, change)
            continue
        errors = [
            (rows.residual(points, normals, plus(w, e, d)) - residual - e * change).norm()
            for e in (1e-3, 1e-4)
        ]
        order = torch.log10(errors[0] / errors[1])
        assert order == pytest.approx(2.0, abs=0.05)


def test_affine_rows_are_exact_about_zero_and_about_any_state():
    def weak_form(u, v, omega):
        x = omega.x
        stress = (1 + x[0]) * ufl.sym(G(u)) + ufl.exp(x[1]) * ufl.div(u) * ufl.Identity(2)
        return (inner(stress, G(v)) - inner(x, v)) * omega.dx + inner(x[0] * u - x, v) * omega.ds("right")

    form = strong_form(
        Problem(domain(2), Field("u", shape=(2,)), weak_form, dirichlet=Dirichlet("left", lambda x: x))
    )
    assert form.linear
    points, normals = random_points(10, 2), unit_normals(10, 2)
    w = jets(smooth_function(2, 2), points)
    for rows in form.rows:
        about_zero, terms = rows.linearise(points, normals)
        expected = rows.residual(points, normals, w)
        assert_close(about_zero + applied(terms, w, rows.equations), expected)
        about_w, same_terms = rows.linearise(points, normals, w)
        assert torch.equal(about_w, expected)
        assert [term[:3] for term in terms] == [term[:3] for term in same_terms]


def test_equal_derivatives_are_one_term():
    """u_01 and u_10 of div(kappa grad u) are one jet entry with one coefficient."""

    def weak_form(u, v, omega):
        kappa = ufl.as_matrix([[2.0, omega.x[1]], [omega.x[0], 3.0]])
        return inner(kappa * G(u), G(v)) * omega.dx

    form = strong_form(Problem(domain(2), Field("u"), weak_form))
    points = random_points(3, 2)
    coefficients = {term.derivative: term.coefficient for term in form.rows[0].linearise(points)[1]}
    assert set(coefficients) == {(0, 0), (0, 1), (1, 1)}  # d kappa_ij / dx_i = 0
    assert_close(coefficients[(0, 1)], -points.sum(1))


@pytest.mark.parametrize(
    "term",
    [
        lambda u, x: ufl.conditional(ufl.gt(u, 0), 1.0, 2.0),  # a switch between constants has no derivative
        lambda u, x: abs(u),
        lambda u, x: ufl.max_value(u, 0),
        lambda u, x: u * u.dx(0),
        lambda u, x: ufl.sqrt(1 + u),
    ],
)
def test_what_is_not_affine_is_not_called_linear(term):
    form = strong_form(
        Problem(domain(2), Field("u"), lambda u, v, omega: (u + term(u, omega.x)) * v * omega.dx)
    )
    assert not form.rows[0].linear
    with pytest.raises(InputError, match="linearised about a state: give its jets"):
        form.rows[0].linearise(random_points(2, 2))


def test_a_coefficient_without_a_value_is_reported_with_its_point():
    def p_laplace(u, v, omega):
        return inner(G(u), G(u)) ** -0.25 * inner(G(u), G(v)) * omega.dx

    rows = strong_form(Problem(domain(2), Field("u"), p_laplace)).rows[0]
    points = random_points(2, 2)
    flat = {alpha: torch.zeros(2, 1, dtype=torch.float64) for alpha in rows.derivatives}
    with pytest.raises(
        InputError, match=r"interior residual on 'domain' is not finite at x = \(0\.\d+, 0\.\d+\)"
    ):
        rows.linearise(points, None, flat)


def test_the_datum_too():
    problem = Problem(domain(2), Field("u"), lambda u, v, omega: (u - ufl.ln(omega.x[0] - 5)) * v * omega.dx)
    with pytest.raises(InputError, match="not finite at x"):
        strong_form(problem).rows[0].linearise(random_points(2, 2))
