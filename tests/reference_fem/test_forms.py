"""Nonlinear and mixed problems, energies, wrong input, and what must be left as it was found."""

import numpy as np
import pytest
import ufl

from geometry import Box, rectangle
from mlpde import Dirichlet, Field, InputError, Problem
from reference_fem import FEM

SOLVER = FEM(estimate=False)
SQUARE = rectangle()
GRAD = ufl.grad


def laplace(u, v):
    return ufl.inner(GRAD(u), GRAD(v))


def parabola(x):
    return 1 + x[0] ** 2 + 2 * x[1] ** 2


def test_nonlinear_diffusion_is_solved_by_newton(known):
    """-div((1 + u^2) grad u) = f: a quadratic solution is in the space; the last step is quadratic."""

    def weak_form(u, v, omega):
        exact = parabola(omega.x)
        return ((1 + u**2) * laplace(u, v) + ufl.div((1 + exact**2) * GRAD(exact)) * v) * omega.dx

    problem = Problem(SQUARE, Field("u"), weak_form=weak_form, dirichlet=Dirichlet("all", parabola))
    solution = SOLVER.solve(problem)
    assert known.l2(solution, lambda x: 1 + x[:, 0] ** 2 + 2 * x[:, 1] ** 2) < 1e-12
    residuals = [row["residual"] for row in solution.info["history"]]
    assert residuals[-1] < 1e-10 * residuals[0] and residuals[-2] < 1e-5 * residuals[0]


def test_energy_and_weak_form_agree(known):
    """u -> 1/2 |grad u|^2 + u^4 / 4 - u, and its derivative written out."""
    energy = Problem(
        SQUARE,
        Field("u"),
        energy=lambda u, omega: (laplace(u, u) / 2 + u**4 / 4 - u) * omega.dx,
        dirichlet=Dirichlet("left"),
    )
    weak = Problem(
        SQUARE,
        Field("u"),
        weak_form=lambda u, v, omega: (laplace(u, v) + (u**3 - 1) * v) * omega.dx,
        dirichlet=Dirichlet("left"),
    )
    x = SQUARE.interior(100)
    np.testing.assert_allclose(SOLVER.solve(energy)(x), SOLVER.solve(weak)(x), atol=1e-11)


def test_a_nonlinear_neumann_problem(known):
    """-Lap u + u^3 + u = 2 with natural conditions alone: u = 1."""
    neumann = Problem(
        SQUARE, Field("u"), weak_form=lambda u, v, o: (laplace(u, v) + (u**3 + u - 2) * v) * o.dx
    )
    assert known.l2(SOLVER.solve(neumann), lambda x: np.ones(len(x))) < 1e-12


def stokes(fields):
    """Velocity (sin(pi y), sin(pi x)), pressure cos(pi x) of mean zero."""

    def velocity(x):
        return ufl.as_vector([ufl.sin(ufl.pi * x[1]), ufl.sin(ufl.pi * x[0])])

    def weak_form(unknowns, tests, omega):
        (u, p), (v, q) = unknowns, tests
        force = -ufl.div(GRAD(velocity(omega.x))) + GRAD(ufl.cos(ufl.pi * omega.x[0]))
        return (laplace(u, v) - p * ufl.div(v) - q * ufl.div(u) - ufl.dot(force, v)) * omega.dx

    return Problem(SQUARE, fields, weak_form=weak_form, dirichlet=Dirichlet("all", velocity, field="u"))


@pytest.mark.parametrize("degree", [2, 3])
def test_stokes_by_taylor_hood(degree, known):
    """Velocity of order p + 1, pressure of order p: the pressure gets one degree less by itself.

    A vector block of degree 3 inside a mixed element would come out wrong in DOLFINx; separate spaces do not.
    """
    problem = stokes([Field("u", shape=(2,)), Field("p", mean_zero=True)])
    errors = []
    for size in (0.1, 0.05):
        solution = FEM(degree, size, estimate=False).solve(problem)
        assert solution.model.degrees == (degree, degree - 1)
        x, w = solution.mesh.quadrature(8)
        value, (s, t) = solution.evaluate(x), np.pi * x.T
        u = np.stack([np.sin(t), np.sin(s)], axis=1)
        errors.append(
            [np.sqrt(w @ ((value["u"] - u) ** 2).sum(1)), np.sqrt(w @ (value["p"] - np.cos(s)) ** 2)]
        )
    velocity, pressure = known.orders(errors)[0]
    assert velocity > degree + 0.8 and pressure > degree - 0.2


def test_stokes_without_a_condition_on_the_pressure_is_named():
    with pytest.raises(InputError, match="field 'p' is determined up to a constant"):
        SOLVER.solve(stokes([Field("u", shape=(2,)), Field("p")]))
    with pytest.raises(InputError, match=r"'p' does not appear in its own equation.*degree=2"):
        FEM(degree=1).solve(stokes([Field("u", shape=(2,)), Field("p", mean_zero=True)]))


def test_a_component_without_an_equation_is_named():
    half = Problem(
        SQUARE,
        Field("u", shape=(2,)),
        weak_form=lambda u, v, o: (laplace(u[0], v[0]) - v[0]) * o.dx,
        dirichlet=Dirichlet("all"),
    )
    with pytest.raises(InputError, match="unknowns undetermined"):
        SOLVER.solve(half)


@pytest.mark.parametrize("contrast", [1e-8, 1e8])
def test_high_contrast_is_not_mistaken_for_a_singular_matrix(contrast, known):
    """-div(contrast^y grad u) = 0 between x = 0 and x = 1: u = x, up to the quadrature of contrast^y."""

    def weak_form(u, v, omega):
        return contrast ** omega.x[1] * laplace(u, v) * omega.dx

    sides = [Dirichlet("left", 0.0), Dirichlet("right", 1.0)]
    layers = Problem(SQUARE, Field("u"), weak_form=weak_form, dirichlet=sides)
    assert known.l2(SOLVER.solve(layers), lambda x: x[:, 0]) < 1e-5


def problem(weak_form, value=0.0):
    return Problem(SQUARE, Field("u"), weak_form=weak_form, dirichlet=Dirichlet("all", value))


@pytest.mark.parametrize(
    ("weak_form", "sentence"),
    [
        (lambda u, v, o: (laplace(u, v) - v * v) * o.dx, "linear in the test function"),
        (lambda u, v, o: (laplace(u, v) - 1) * o.dx, "linear in the test function"),
        (lambda u, v, o: u * o.dx, "no term with the test function of field 'u'"),
        (lambda u, v, o: v * o.dx, "does not contain the unknown 'u'"),
        (lambda u, v, o: u * v, "must return an integral"),
        (lambda u, v, o: laplace(u, v) * o.dx == v * o.dx, "must return an integral"),
        (lambda u, v, o: laplace(u, v) * o.dx("steel"), "unknown region 'steel'"),
        (lambda u, v, o: laplace(u, v) * o.dx - v * o.ds("lift"), "unknown boundary 'lift'"),
        (
            lambda u, v, o: (laplace(u, v) * ufl.sqrt(o.x[0] - 0.5) - v) * o.dx,
            r"not finite.*'u' near x = \(0\.",
        ),
        (
            lambda u, v, o: (laplace(u, v) - v * ufl.ln(o.x[0] - 0.5)) * o.dx,
            r"not finite.*'u' near x = \(0\.",
        ),
        (
            lambda u, v, o: (
                (laplace(u, v) - (1 + ufl.sqrt(ufl.max_value(o.x[0] - 0.5, 0) * u**2)) * v) * o.dx
            ),
            "derivative.*not finite",
        ),
        (lambda u, v, o: (laplace(u, v) - 20 * ufl.exp(u) * v) * o.dx, "Newton's method did not converge"),
    ],
)
def test_wrong_forms(weak_form, sentence):
    with pytest.raises(InputError, match=sentence):
        SOLVER.solve(problem(weak_form))


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (lambda x: ufl.sqrt(x[0] - 0.5), "Dirichlet value on 'all' is not finite at x = "),
        (lambda x: np.sin(x[0]), "failed at .*test_forms.py:"),
        (lambda x: x, "shape"),
    ],
)
def test_wrong_values(value, sentence):
    with pytest.raises(InputError, match=sentence):
        SOLVER.solve(problem(lambda u, v, o: (laplace(u, v) - v) * o.dx, value))


@pytest.mark.parametrize("options", [{"degree": 0}, {"degree": 2.5}, {"size": -1.0}, {"degree": 9}])
def test_wrong_options(options):
    with pytest.raises(InputError, match=r"fem\.(degree|size) must be "):
        FEM(**options)


def test_a_domain_without_a_mesh():
    box = Box(2, (0.0, 0.0), (1.0, 1.0))
    with pytest.raises(InputError, match=r"needs a geometry\.Domain"):
        SOLVER.solve(
            Problem(
                box, Field("u"), weak_form=lambda u, v, o: laplace(u, v) * o.dx, dirichlet=Dirichlet("all")
            )
        )


def test_nothing_global_is_changed(capfd):
    from petsc4py import PETSc

    before = PETSc.Options().getAll()
    SOLVER.solve(problem(lambda u, v, o: (laplace(u, v) - (2 + u**2) * v) * o.dx))
    assert PETSc.Options().getAll() == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.mpi
def test_two_ranks_find_the_same(mpi):
    """A vector problem, a mean-zero one, and an error that one rank sees, on one and on two ranks."""
    code = """
import ufl
from mpi4py import MPI
from geometry import annulus
from mlpde import Dirichlet, Field, InputError, Problem
from reference_fem import FEM

def weak_form(u, v, omega):
    return (ufl.inner(ufl.grad(u), ufl.grad(v)) - omega.x[0] * v) * omega.dx

solver = FEM(size=0.2)
problem = Problem(annulus(), Field("u", mean_zero=True), weak_form=weak_form)
solution = solver.solve(problem)
vector = Problem(
    annulus(), Field("w", shape=(2,)), dirichlet=Dirichlet("inner", lambda x: x[1], component=1),
    weak_form=lambda u, v, o: (ufl.inner(ufl.grad(u), ufl.grad(v)) + ufl.inner(u - o.x, v)) * o.dx,
)
other = solver.solve(vector)
try:
    solver.solve(Problem(annulus(), Field("u"), weak_form=weak_form))
except InputError as error:
    sentence = str(error)[:12]
point = [[0.7, 0.2]]
found = (*solution(point), *other(point)[0], solution.info["estimated_error"]["u"]["l2"])
text = f"{[round(float(v), 9) for v in found]} {sentence}"
ranks = MPI.COMM_WORLD.gather(text)
if ranks:
    print("\\n".join(ranks))
"""
    one = mpi("-c", code, ranks=1).stdout.splitlines()
    two = mpi("-c", code, ranks=2).stdout.splitlines()
    assert len(one) == 1 and sorted(two) == one * 2
