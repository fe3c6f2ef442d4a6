"""Energies: their derivative is the weak form, their differences do not cancel, and what has none is refused."""

import numpy as np
import pytest
import torch
import ufl
from manufactured import jets as jets_of
from torch import cos, exp, sin

from geometry import Box, rectangle
from mlpde import Dirichlet, Field, InputError, Problem
from mlpde.formulation.energy import energy_densities

SQUARE = rectangle(0.0, 0.0, 1.0, 1.0)
POINTS = torch.as_tensor(SQUARE.interior(20, seed=0))


def scalar(x):
    return (sin(2 * x[0]) * exp(x[1]))[None]


def vector(x):
    return torch.stack([sin(x[0] + x[1]), x[0] * cos(x[1])])


def elasticity(u, v, omega):
    strain = ufl.sym(ufl.grad(u))
    stress = 2 * (1 + omega.x[0]) * strain + 0.7 * ufl.tr(strain) * ufl.Identity(2)
    return ufl.inner(stress, ufl.grad(v)) * omega.dx - ufl.dot(ufl.as_vector([1.0, omega.x[0]]), v) * omega.dx


def robin(u, v, omega):
    return (ufl.inner(ufl.grad(u), ufl.grad(v)) + 2 * u * v - omega.x[0] * v) * omega.dx + (
        3 * u - 1
    ) * v * omega.ds("left")


@pytest.mark.parametrize(
    ("weak_form", "field", "function", "expected"),
    [
        (
            robin,
            Field("u"),
            scalar,
            lambda u, g, x: (g**2).sum((1, 2)) / 2 + u[:, 0] ** 2 - x[:, 0] * u[:, 0],
        ),
        (
            elasticity,
            Field("u", shape=(2,)),
            vector,
            lambda u, g, x: (
                (1 + x[:, 0]) * (((g + g.mT) / 2) ** 2).sum((1, 2))
                + 0.35 * (g[:, 0, 0] + g[:, 1, 1]) ** 2
                - u[:, 0]
                - x[:, 0] * u[:, 1]
            ),
        ),
    ],
)
def test_the_energy_of_a_symmetric_linear_form_is_half_the_form_minus_the_load(
    weak_form, field, function, expected
):
    inside = energy_densities(Problem(SQUARE, field, weak_form))[0]
    jets = jets_of(function, POINTS)
    u, gradient = jets[()], torch.stack([jets[(0,)], jets[(1,)]], 2)
    assert inside.quadratic
    assert torch.allclose(inside.value(POINTS, None, jets), expected(u, gradient, POINTS))


def test_a_robin_condition_has_an_energy_on_its_boundary():
    _, left = energy_densities(Problem(SQUARE, Field("u"), robin))
    jets = jets_of(scalar, POINTS)
    assert (left.kind, left.where) == ("boundary", "left")
    assert torch.allclose(left.value(POINTS, None, jets), 1.5 * jets[()][:, 0] ** 2 - jets[()][:, 0])


def minimal_surface(u, omega):
    return (ufl.sqrt(1 + ufl.inner(ufl.grad(u), ufl.grad(u))) + u**4 * omega.x[0]) * omega.dx


def test_slopes_and_curvature_are_the_derivatives_of_the_density():
    (density,) = energy_densities(Problem(SQUARE, Field("u"), energy=minimal_surface))
    assert not density.quadratic
    jets = {alpha: jet for alpha, jet in jets_of(scalar, POINTS).items() if alpha in density.derivatives}

    def perturbed(slot, step):
        m, alpha = slot
        moved = {a: jet.clone() for a, jet in jets.items()}
        moved[alpha][:, m] += step
        return moved

    for k, slot in enumerate(density.slots):
        up, down = perturbed(slot, 1e-5), perturbed(slot, -1e-5)
        slope = (density.value(POINTS, None, up) - density.value(POINTS, None, down)) / 2e-5
        assert torch.allclose(density.slopes(POINTS, None, jets)[:, k], slope, atol=1e-8)
        curvature = (density.slopes(POINTS, None, up) - density.slopes(POINTS, None, down)) / 2e-5
        assert torch.allclose(density.curvature(POINTS, None, jets)[:, k], curvature, atol=1e-8)


@pytest.mark.parametrize(
    "energy", [minimal_surface, lambda u, omega: 1e6 * ufl.inner(ufl.grad(u), ufl.grad(u)) * omega.dx]
)
def test_differences_are_exact_where_the_energies_cancel(energy):
    (density,) = energy_densities(Problem(SQUARE, Field("u"), energy=energy))
    jets = jets_of(scalar, POINTS)
    large = {alpha: 0.1 * jet for alpha, jet in jets.items()}
    after = {alpha: jet + large[alpha] for alpha, jet in jets.items()}
    whole = density.value(POINTS, None, after) - density.value(POINTS, None, jets)
    assert torch.allclose(density.difference(POINTS, None, jets, large), whole, rtol=1e-6)
    tiny = {alpha: 1e-12 * jet for alpha, jet in jets.items()}
    linear = (density.slopes(POINTS, None, jets) * density.entries(tiny)).sum(1)
    assert torch.allclose(density.difference(POINTS, None, jets, tiny), linear, rtol=1e-10)


def test_coefficients_that_are_written_differently_may_be_symmetric():
    def weak_form(u, v, omega):
        a, b = ufl.sin(2 * omega.x[0]), 2 * ufl.sin(omega.x[0]) * ufl.cos(omega.x[0])
        return (
            ufl.inner(ufl.grad(u), ufl.grad(v)) + a * u.dx(0) * v.dx(1) + b * u.dx(1) * v.dx(0)
        ) * omega.dx

    (density,) = energy_densities(Problem(SQUARE, Field("u"), weak_form))
    jets = jets_of(scalar, POINTS)
    ux, uy = jets[(0,)][:, 0], jets[(1,)][:, 0]
    expected = (ux**2 + uy**2) / 2 + torch.sin(2 * POINTS[:, 0]) * ux * uy
    assert torch.allclose(density.value(POINTS, None, jets), expected)


def test_above_three_dimensions_the_density_is_the_same():
    box = Box(6, 0.0, 1.0)
    (density,) = energy_densities(
        Problem(box, Field("u"), lambda u, v, omega: (ufl.inner(ufl.grad(u), ufl.grad(v)) - 3 * v) * omega.dx)
    )
    x = torch.as_tensor(box.interior(10))
    jets = {alpha: torch.as_tensor(np.random.default_rng(0).random((10, 1))) for alpha in density.derivatives}
    expected = sum(jets[(i,)][:, 0] ** 2 for i in range(6)) / 2 - 3 * jets[()][:, 0]
    assert torch.allclose(density.value(x, None, jets), expected)


@pytest.mark.parametrize(
    ("weak_form", "sentence"),
    [
        (
            lambda u, v, omega: (ufl.inner(ufl.grad(u), ufl.grad(v)) + u.dx(0) * v) * omega.dx,
            r"the weak form has no energy: on 'domain' its part with the value u of the test function and "
            r"d\(u\)/dx0 of the unknown is not symmetric; use PINN, or FEM",
        ),
        (
            lambda u, v, omega: (ufl.inner(ufl.grad(u), ufl.grad(v)) + u**3 * v) * omega.dx,
            "no energy can be derived from a nonlinear weak form",
        ),
    ],
)
def test_a_form_without_an_energy_is_refused_with_a_sentence(weak_form, sentence):
    with pytest.raises(InputError, match=sentence):
        energy_densities(Problem(SQUARE, Field("u"), weak_form, dirichlet=Dirichlet("all", 0.0)))


def test_an_energy_of_second_derivatives_is_refused():
    with pytest.raises(InputError, match="contains second derivatives"):
        energy_densities(
            Problem(SQUARE, Field("u"), energy=lambda u, omega: ufl.div(ufl.grad(u)) ** 2 * omega.dx)
        )
