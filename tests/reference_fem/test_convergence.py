"""Orders of convergence on curved and straight domains, and the estimated error against the true one."""

import numpy as np
import pytest
import ufl

from geometry import Domain, annulus, ball, disk, interval, rectangle, slit_square
from mlpde import Dirichlet, Field, Problem
from reference_fem import FEM


def errors(known, problem, degree, sizes):
    solutions = [FEM(degree, size, estimate=False).solve(problem) for size in sizes]
    return (
        known.orders([known.l2(s, lambda x: known.wave_values(x)[0]) for s in solutions]),
        known.orders([known.h1(s, known.wave_values) for s in solutions]),
    )


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize(("domain", "on"), [(annulus(), "inner"), (disk(), "all")], ids=["annulus", "disk"])
def test_orders_on_a_curved_domain(degree, domain, on, known):
    """P1 and P2: order p + 1 in L2 and p in H1, with natural conditions on the other circle of the annulus."""
    l2, h1 = errors(
        known, known.poisson(domain, known.wave, Dirichlet(on, known.wave)), degree, (0.05, 0.025)
    )
    assert l2[-1] == pytest.approx(degree + 1, abs=0.1)
    assert h1[-1] == pytest.approx(degree, abs=0.1)


def test_order_of_degree_3(known):
    problem = known.poisson(rectangle(), known.wave, Dirichlet("left", known.wave))
    l2, h1 = errors(known, problem, 3, (0.1, 0.05))
    assert l2[-1] == pytest.approx(4, abs=0.1)
    assert h1[-1] == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize(("domain", "on"), [(annulus(), "inner"), (disk(), "all")], ids=["annulus", "disk"])
def test_degree_3_on_a_curved_domain(domain, on, known):
    problem = known.poisson(domain, known.wave, Dirichlet(on, known.wave))
    l2, h1 = errors(known, problem, 3, (0.1, 0.05))
    assert l2[-1] == pytest.approx(4, abs=0.3)
    assert h1[-1] == pytest.approx(3, abs=0.3)


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize(
    ("domain", "on"), [(rectangle(), "left"), (annulus(), "inner")], ids=["square", "annulus"]
)
def test_estimated_error_is_the_true_one(degree, domain, on, known):
    problem = known.poisson(domain, known.wave, Dirichlet(on, known.wave))
    solution = FEM(degree, 0.1).solve(problem)
    estimated = solution.info["estimated_error"]["u"]
    assert 0.5 < estimated["l2"] / known.l2(solution, lambda x: known.wave_values(x)[0]) < 2
    assert 0.3 < estimated["h1"] / known.h1(solution, known.wave_values) < 3
    assert solution.info["estimate"]["unknowns"] > 4 * solution.info["unknowns"]


def test_estimate_sees_the_geometrys_error(known):
    """The exact solution is quadratic: all of the error is the boundary's."""
    problem = Problem(
        disk(),
        Field("u"),
        weak_form=lambda u, v, omega: (ufl.inner(ufl.grad(u), ufl.grad(v)) - 4 * v) * omega.dx,
        dirichlet=Dirichlet("all"),
    )
    solution = FEM(2, 0.3).solve(problem)
    true = known.l2(solution, lambda x: 1 - (x**2).sum(1))
    assert true > 1e-5  # the solution is in the space but for the boundary
    assert 0.5 < solution.info["estimated_error"]["u"]["l2"] / true < 2


def test_elasticity_with_varying_moduli_on_an_annulus(known):
    problem = known.elasticity(annulus(), Dirichlet("inner", known.displacement))
    solutions = [FEM(size=size, estimate=False).solve(problem) for size in (0.1, 0.05)]
    order = known.orders([known.l2(s, known.displacement_values) for s in solutions])
    assert order == pytest.approx(3, abs=0.15)


def test_one_and_three_dimensions(known):
    """-Lap u = 1: x (1 - x) / 2 on the interval, in the space; (1 - r^2) / 6 in the ball, all but the boundary."""

    def weak_form(u, v, omega):
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - v) * omega.dx

    line = FEM(estimate=False).solve(
        Problem(interval(), Field("u"), weak_form=weak_form, dirichlet=Dirichlet("all"))
    )
    assert known.l2(line, lambda x: x[:, 0] * (1 - x[:, 0]) / 2, 4) < 1e-12
    ball_ = Problem(ball(), Field("u"), weak_form=weak_form, dirichlet=Dirichlet("sphere"))
    assert known.l2(FEM(size=0.4, estimate=False).solve(ball_), lambda x: (1 - (x**2).sum(1)) / 6, 2) < 2e-3


def test_discontinuous_coefficient_by_regions(known):
    """Two slabs of conductivity 1 and 10: piecewise linear, continuous flux 10 / 11 * 2."""
    from geometry import Domain

    def build(model):
        left = model.occ.addRectangle(0, 0, 0, 0.5, 1)
        right = model.occ.addRectangle(0.5, 0, 0, 0.5, 1)
        model.occ.fragment([(2, left)], [(2, right)])
        model.occ.synchronize()

        def at(dim, x, y):
            box = model.getEntitiesInBoundingBox
            return [tag for _, tag in box(x[0] - 1e-6, y[0] - 1e-6, -1, x[1] + 1e-6, y[1] + 1e-6, 1, dim)]

        model.addPhysicalGroup(2, at(2, (0, 0.5), (0, 1)), name="soft")
        model.addPhysicalGroup(2, at(2, (0.5, 1), (0, 1)), name="hard")
        ends = {"cold": at(1, (0, 0), (0, 1)), "hot": at(1, (1, 1), (0, 1))}
        sides = [tag for y in (0, 1) for tag in at(1, (0, 1), (y, y))]
        for name, tags in {**ends, "sides": sides}.items():
            model.addPhysicalGroup(1, tags, name=name)

    def weak_form(u, v, omega):
        energy = ufl.inner(ufl.grad(u), ufl.grad(v))
        return energy * omega.dx("soft") + 10 * energy * omega.dx("hard")

    problem = Problem(
        Domain(2, build),
        Field("u"),
        weak_form=weak_form,
        dirichlet=[Dirichlet("cold", 0.0), Dirichlet("hot", 1.0)],
    )
    x = np.array([[0.25, 0.3], [0.5, 0.5], [0.75, 0.9]])
    flux = 20 / 11
    np.testing.assert_allclose(
        FEM(estimate=False).solve(problem)(x), [0.25 * flux, 0.5 * flux, 1 - 0.25 * flux / 10], atol=1e-12
    )


def test_jump_across_a_slit(known):
    """sign(y) sqrt((r + x) / 2), without flux on either side of the slit; O(h) in L2, as r^(1/2) allows."""

    def exact(x):
        r = ufl.sqrt(x[0] ** 2 + x[1] ** 2)
        return ufl.sign(x[1]) * ufl.sqrt((r + x[0]) / 2)

    def weak_form(u, v, omega):
        g = exact(omega.x)
        load = (g + ufl.dot(ufl.grad(g), omega.n)) * v * omega.ds("outer")
        return ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx + u * v * omega.ds("outer") - load

    problem = Problem(slit_square(), Field("u"), weak_form=weak_form)
    solutions = [FEM(size=size, estimate=False).solve(problem) for size in (0.1, 0.05)]

    def values(x):
        return np.sign(x[:, 1]) * np.sqrt((np.linalg.norm(x, axis=1) + x[:, 0]) / 2)

    l2 = [known.l2(solution, values) for solution in solutions]
    assert known.orders(l2)[-1] == pytest.approx(1, abs=0.15)
    sides = solutions[1](np.array([[0.5, 1e-9], [0.5, -1e-9]]))
    np.testing.assert_allclose(sides, [np.sqrt(0.5), -np.sqrt(0.5)], atol=5e-3)


def test_a_plane_wave_at_a_fixed_number_of_cells_a_wave_length(known):
    """Helmholtz's equation as a real pair, exp(i k d . x) with its impedance condition du/dn = i k u + g.

    At a fixed k h the error of degree p is at most C (k h)^p + C k (k h)^(2p): twice k gives at most twice the error.
    Source: F. Ihlenburg, I. Babuska, SIAM J. Numer. Anal. 34(1), 1997, doi:10.1137/S0036142994272337
    """
    direction = (np.cos(0.4), np.sin(0.4))

    def solve(k, size):
        def weak_form(u, v, omega):
            phase = k * sum(c * x for c, x in zip(direction, omega.x, strict=True))
            exact = ufl.as_vector([ufl.cos(phase), ufl.sin(phase)])

            def turned(w):  # i k w
                return k * ufl.as_vector([-w[1], w[0]])

            flux = turned(u) + ufl.dot(ufl.grad(exact), omega.n) - turned(exact)
            volume = ufl.inner(ufl.grad(u), ufl.grad(v)) - k**2 * ufl.dot(u, v)
            return volume * omega.dx - ufl.dot(flux, v) * omega.ds

        problem = Problem(rectangle(), Field("u", shape=(2,)), weak_form=weak_form)
        solution = FEM(size=size, estimate=False).solve(problem)

        def exact_values(x):
            phase = k * x @ np.array(direction)
            return np.stack([np.cos(phase), np.sin(phase)], axis=1)

        return known.l2(solution, exact_values)

    fixed = [solve(k, 1 / k) for k in (8.0, 16.0, 32.0)]
    assert fixed[1] < 2 * fixed[0] and fixed[2] < 2 * fixed[1]
    assert known.orders([solve(16.0, h) for h in (0.06, 0.03)])[0] > 2.8


def test_several_integrals_of_one_kind_add_up(known):
    """The measure of everything, of one region and of named boundaries, each more than once."""

    def build(model):
        pieces = [model.occ.addRectangle(x, 0, 0, 0.5, 1) for x in (0.0, 0.5)]
        model.occ.fragment([(2, pieces[0])], [(2, pieces[1])])
        model.occ.synchronize()
        for tag, name in zip(pieces, ("a", "b"), strict=True):
            model.addPhysicalGroup(2, [tag], name=name)
        outer = [tag for _, tag in model.getBoundary([(2, tag) for tag in pieces], oriented=False)]
        for _, curve in model.getEntities(1):
            if curve in outer:
                model.addPhysicalGroup(1, [curve], name=f"side{curve}")

    def weak_form(u, v, omega):
        k, g = 1 + omega.x[0] ** 2, known.wave(omega.x)
        flux, source = k * ufl.grad(g), -ufl.div(k * ufl.grad(g))
        volume = ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx
        volume += omega.x[0] ** 2 * ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx("a")
        volume += omega.x[0] ** 2 * ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx("b")
        volume -= 0.25 * source * v * omega.dx + 0.75 * source * v * omega.dx("a", "b")
        return volume - (0.5 * ufl.dot(flux, omega.n) * v + 0.5 * ufl.dot(flux, omega.n) * v) * omega.ds

    domain = Domain(2, build, size=0.1)
    problem = Problem(domain, Field("u"), weak_form, dirichlet=Dirichlet(domain.boundaries[0], known.wave))
    assert known.l2(FEM(estimate=False).solve(problem), lambda x: known.wave_values(x)[0]) < 1e-3
