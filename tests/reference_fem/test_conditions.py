"""Dirichlet conditions in all their forms, and fields that are fixed up to a constant, against exact solutions."""

import numpy as np
import pytest
import ufl

from geometry import annulus, disk, rectangle
from mlpde import Dirichlet, Field, InputError, Problem
from reference_fem import FEM

SOLVER = FEM(estimate=False)


def harmonic(x):
    return x[0] ** 2 - x[1] ** 2 + 3 * x[0]


def harmonic_values(x):
    return x[:, 0] ** 2 - x[:, 1] ** 2 + 3 * x[:, 0]


@pytest.mark.parametrize(
    "conditions",
    [
        Dirichlet("all", harmonic),
        Dirichlet(("left", "right", "bottom", "top"), harmonic),
        [Dirichlet("left", lambda x: -(x[1] ** 2)), Dirichlet("right", lambda x: 4 - x[1] ** 2)],
        [Dirichlet("bottom", harmonic), Dirichlet("top", harmonic)],
        Dirichlet(at=(1.0, 1.0), value=3.0),
        Dirichlet(at=(0.0, 1.0), value=harmonic),
        Dirichlet(at=(0.312, 0.577), value=harmonic),  # no node there
    ],
    ids=["all", "tuple", "two sides", "bottom and top", "corner", "corner, function", "inside"],
)
def test_scalar_conditions(conditions, known):
    """A quadratic harmonic function is reproduced to rounding, with its own flux where nothing is prescribed."""
    solution = SOLVER.solve(known.poisson(rectangle(), harmonic, conditions))
    assert known.l2(solution, harmonic_values) < 1e-11


def rigid_and_more(x):
    return ufl.as_vector([1 + x[0] - 2 * x[1], x[0] * x[1] + 2])


def rigid_and_more_values(x):
    return np.stack([1 + x[:, 0] - 2 * x[:, 1], x[:, 0] * x[:, 1] + 2], axis=1)


@pytest.mark.parametrize(
    "conditions",
    [
        Dirichlet("left", rigid_and_more),
        [Dirichlet("left", lambda x: 1 - 2 * x[1], component=0), Dirichlet("bottom", 2.0, component=1)],
        [Dirichlet("left", lambda x: (1 - 2 * x[1], 2.0))],
        [Dirichlet(at=(0, 0), value=(1.0, 2.0)), Dirichlet(at=(1, 0), value=2.0, component=1)],
    ],
    ids=["vector", "components", "tuple", "points"],
)
def test_vector_conditions(conditions, known, monkeypatch):
    monkeypatch.setattr(known, "displacement", rigid_and_more)
    solution = SOLVER.solve(known.elasticity(rectangle(), conditions))
    assert known.l2(solution, rigid_and_more_values) < 1e-11


def test_zero_stands_for_the_zero_vector(known):
    def weak_form(u, v, omega):
        return ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx - v[1] * omega.ds("right")

    problem = Problem(rectangle(), Field("u", shape=(2,)), weak_form=weak_form, dirichlet=Dirichlet("left"))
    assert known.l2(SOLVER.solve(problem), lambda x: np.stack([0 * x[:, 0], x[:, 0]], axis=1)) < 1e-12


def test_conditions_on_curved_boundaries_converge(known):
    """The data are taken at the nodes of the curved boundary: order 3 in the maximum norm for P2."""
    errors = []
    for size in (0.1, 0.05):
        problem = known.poisson(annulus(), known.wave, Dirichlet("all", known.wave))
        solution = FEM(size=size, estimate=False).solve(problem)
        x, _, _ = solution.mesh.boundary_quadrature("outer", 6)
        errors.append(np.abs(solution.model.jets(x, [()])[()][:, 0] - known.wave_values(x)[0]).max())
    assert known.orders(errors)[0] > 2.7


@pytest.mark.parametrize("domain", [rectangle(), disk()], ids=["square", "disk"])
def test_mean_zero(domain, known):
    """Pure Neumann: order 3, and the mean is zero."""

    def exact(x):
        return ufl.cos(2 * x[0]) * x[1]

    problem = known.poisson(domain, exact, ())
    problem = Problem(domain, Field("u", mean_zero=True), weak_form=problem.weak_form)
    x, w = domain.mesh(0.025).quadrature(8)
    mean = w @ (np.cos(2 * x[:, 0]) * x[:, 1]) / w.sum()
    solutions = [FEM(size=size, estimate=False).solve(problem) for size in (0.1, 0.05)]
    for s in solutions:
        x, w = s.mesh.quadrature(4)
        assert abs(w @ s.model.jets(x, [()])[()][:, 0]) < 1e-13
    errors = [known.l2(s, lambda x: np.cos(2 * x[:, 0]) * x[:, 1] - mean) for s in solutions]
    assert known.orders(errors)[0] == pytest.approx(3, abs=0.3)


def test_pure_neumann_is_named(known):
    problem = known.poisson(rectangle(), known.wave, ())
    with pytest.raises(InputError, match=r"pure Neumann problem: the solution of field 'u'.*mean_zero=True"):
        SOLVER.solve(problem)


@pytest.mark.parametrize(
    ("conditions", "motion"),
    [
        ((), "a translation"),
        (Dirichlet("left", 0.0, component=0), "a translation"),
        (Dirichlet(at=(0, 0), value=0), "a rotation"),
        (Dirichlet(at=(1, 1), value=0), "a rotation"),
    ],
)
def test_free_bodies_are_named(conditions, motion, known):
    with pytest.raises(InputError, match=f"field 'u' is determined only up to {motion}"):
        SOLVER.solve(known.elasticity(rectangle(), conditions))


def test_a_small_reaction_is_no_kernel(known):
    """1e-6 u - Lap u = 1e-6 with natural conditions: u = 1."""

    def weak_form(u, v, omega):
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) + 1e-6 * (u - 1) * v) * omega.dx

    solution = FEM(size=0.05, estimate=False).solve(Problem(rectangle(), Field("u"), weak_form=weak_form))
    assert known.l2(solution, lambda x: np.ones(len(x))) < 1e-6


def test_unbalanced_data_and_wrong_mean_zero(known):
    def weak_form(u, v, omega):
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - v) * omega.dx

    field = Field("u", mean_zero=True)
    with pytest.raises(InputError, match="data of field 'u' do not balance"):
        SOLVER.solve(Problem(rectangle(), field, weak_form=weak_form))
    with pytest.raises(InputError, match="mean_zero=True, but"):
        SOLVER.solve(Problem(rectangle(), field, weak_form=weak_form, dirichlet=Dirichlet("left")))


def test_point_conditions_that_cannot_hold(known):
    with pytest.raises(InputError, match="outside the domain"):
        SOLVER.solve(known.poisson(rectangle(), harmonic, Dirichlet(at=(2.0, 0.5), value=0.0)))
    both = [Dirichlet("left", harmonic), Dirichlet(at=(0.312, 0.577), value=0.0)]
    with pytest.raises(InputError, match="no node there"):
        SOLVER.solve(known.poisson(rectangle(), harmonic, both))
    with pytest.raises(InputError, match="no node there"):
        SOLVER.solve(known.elasticity(rectangle(), Dirichlet(at=(0.312, 0.577), value=(0.0, 0.0))))
