"""Which linear solver is taken, what it needs, and what it says when it fails."""

import json

from mpi4py import MPI  # noqa: F401

# isort: split
# The line above loads the MPI library that PETSc needs.
import numpy as np
import pytest
import ufl
from petsc4py import PETSc

from cases import bracket_3d
from geometry import cuboid, rectangle
from mlpde import Dirichlet, Field, InputError, Problem
from reference_fem import FEM, linear_solver

CLAMPED = Dirichlet("left", 0.0)
LARGEST_GROWTH = 1.3


def body(moduli=lambda x: 1.0):
    """A body of unit weight, clamped at one side."""

    def energy(u, omega):
        eps = ufl.sym(ufl.grad(u))
        density = ufl.inner(eps, eps) + 0.75 * ufl.tr(eps) ** 2
        return (moduli(omega.x) * density + u[2]) * omega.dx

    return Problem(cuboid(), Field("u", shape=(3,)), energy=energy, dirichlet=CLAMPED)


def scalar(weak_form, domain=None):
    return Problem(domain or cuboid(), Field("u"), weak_form=weak_form, dirichlet=CLAMPED)


def reaction(coefficient):
    def weak_form(u, v, omega):
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) + coefficient * u * v - v) * omega.dx

    return weak_form


def convection(u, v, omega):
    return (ufl.inner(ufl.grad(u), ufl.grad(v)) + u.dx(0) * v - v) * omega.dx


def nonlinear(u, v, omega):
    return ((1 + u**2) * ufl.inner(ufl.grad(u), ufl.grad(v)) - 10 * v) * omega.dx


def both(problem, **settings):
    return [
        FEM(estimate=False, linear_solver=method, **settings).solve(problem)
        for method in ("direct", "iterative")
    ]


@pytest.fixture
def options():
    """`options("pc_type", "hypre")` sets PETSc's option -fem_pc_type for one test."""
    given = PETSc.Options(linear_solver.PREFIX)
    names = []

    def set_option(name, value):
        given.setValue(name, value)
        names.append(name)

    yield set_option
    for name in names:
        given.delValue(name)


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize(
    "problem", [body(lambda x: 1 + x[0] ** 2), scalar(reaction(1.0))], ids=["body", "scalar"]
)
def test_both_methods_give_the_same_solution(problem, degree):
    direct, iterative = both(problem, size=0.4, degree=degree)
    x = problem.domain.interior(20)
    np.testing.assert_allclose(iterative(x), direct(x), atol=1e-8 * np.abs(direct(x)).max())
    assert direct.info["linear_solver"] == {"method": "mumps"}
    assert iterative.info["linear_solver"]["iterations"] < 40


def test_newtons_steps_are_solved_by_iteration_too():
    direct, iterative = both(scalar(nonlinear), size=0.3)
    x = cuboid().interior(20)
    np.testing.assert_allclose(iterative(x), direct(x), atol=1e-8)
    assert iterative.info["linear_solver"]["method"].startswith("cg")
    assert len(iterative.info["history"]) == len(direct.info["history"])


def test_iterations_do_not_grow_with_the_mesh_on_the_bracket():
    sizes = (9.0, 4.5)
    solutions = [FEM(size=h, estimate=False).solve(bracket_3d.problem) for h in sizes]
    first, last = (s.info["linear_solver"]["iterations"] for s in solutions)
    assert solutions[1].info["unknowns"] > 3 * solutions[0].info["unknowns"]
    assert last <= LARGEST_GROWTH * first


def test_a_large_positive_definite_problem_is_iterated_by_itself(monkeypatch):
    monkeypatch.setattr(linear_solver, "LARGE", {2: 100, 3: 100})
    solver = FEM(size=0.3, estimate=False)
    methods = {
        name: solver.solve(problem).info["linear_solver"]["method"]
        for name, problem in {
            "body": body(),
            "scalar": scalar(reaction(1.0)),
            "not symmetric": scalar(convection),
            "negative": scalar(lambda u, v, omega: -reaction(1.0)(u, v, omega)),
        }.items()
    }
    assert methods == {
        "body": "cg + mg + gamg",
        "scalar": "cg + mg + gamg",
        "not symmetric": "mumps",
        "negative": "mumps",
    }


def test_an_indefinite_matrix_goes_to_mumps_and_that_is_said(monkeypatch):
    problem = scalar(reaction(-150.0), rectangle())
    direct = FEM(size=0.05, estimate=False).solve(problem)
    monkeypatch.setattr(linear_solver, "LARGE", {2: 100})
    solution = FEM(size=0.05, estimate=False).solve(problem)
    assert len(solution.info["warnings"]) == 1
    assert "not positive definite): MUMPS took over" in solution.info["warnings"][0]
    x = rectangle().interior(20)
    np.testing.assert_allclose(solution(x), direct(x), atol=1e-10)
    with pytest.raises(InputError, match=r'not positive definite.*take linear_solver="direct"'):
        FEM(size=0.05, estimate=False, linear_solver="iterative").solve(problem)


def test_a_multigrid_that_cannot_be_set_up_is_said(monkeypatch):
    """An indefinite matrix breaks the estimate of eigenvalues for some of its random starts."""
    problem = scalar(reaction(0.0), rectangle())
    direct = FEM(size=0.05, estimate=False).solve(problem)

    def broken(*_):
        raise PETSc.Error(77)

    monkeypatch.setattr(linear_solver, "conjugate_gradients", broken)
    monkeypatch.setattr(linear_solver, "LARGE", {2: 100})
    solution = FEM(size=0.05, estimate=False).solve(problem)
    (warning,) = solution.info["warnings"]
    assert warning.startswith("the linear solver cg failed in its set-up") and "MUMPS took over" in warning
    assert solution.info["linear_solver"]["method"] == "mumps"
    x = rectangle().interior(20)
    np.testing.assert_allclose(solution(x), direct(x), atol=1e-12)
    with pytest.raises(InputError, match=r"the linear solver cg failed in its set-up .*linear_solver="):
        FEM(size=0.05, estimate=False, linear_solver="iterative").solve(problem)


def test_petscs_options_come_first(options):
    options("ksp_type", "gmres")
    options("pc_type", "sor")
    options("ksp_rtol", 1e-10)
    solution = FEM(size=0.1, estimate=False).solve(scalar(convection, rectangle()))
    assert solution.info["linear_solver"]["method"] == "gmres + sor"
    assert solution.info["linear_solver"]["iterations"] > 1


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("pc_type", "hypre", "-fem_pc_type hypre: this PETSc has no such preconditioner; it has .*gamg"),
        ("ksp_type", "gmers", "-fem_ksp_type gmers: this PETSc has no such solver; it has .*gmres"),
        (
            "pc_factor_mat_solver_type",
            "pastix",
            "PETSc refuses the options -fem_pc_factor_mat_solver_type pastix",
        ),
    ],
)
def test_what_this_petsc_lacks_is_refused_and_leaves_nothing_behind(options, name, value, sentence):
    problem = scalar(reaction(1.0), rectangle())
    options(name, value)
    with pytest.raises(InputError, match=sentence):
        FEM(size=0.3, estimate=False).solve(problem)
    PETSc.Options(linear_solver.PREFIX).delValue(name)
    assert FEM(size=0.3, estimate=False).solve(problem).info["linear_solver"] == {"method": "mumps"}
    iterative = FEM(size=0.3, estimate=False, linear_solver="iterative").solve(problem)
    assert iterative.info["linear_solver"]["method"] == "cg + mg + gamg"


def test_options_that_do_not_converge_are_an_error(options):
    options("ksp_type", "gmres")
    options("ksp_max_it", 2)
    options("pc_type", "none")
    with pytest.raises(InputError, match=r"gmres \+ none failed after 2 iterations"):
        FEM(size=0.05, estimate=False).solve(scalar(convection, rectangle()))


def test_wrong_choices():
    with pytest.raises(InputError, match=r"fem\.linear_solver: 'iterativ'.*did you mean 'iterative'"):
        FEM(linear_solver="iterativ")
    fields = [Field("u"), Field("w")]

    def weak_form(unknowns, tests, omega):
        return (
            sum(ufl.inner(ufl.grad(u), ufl.grad(v)) - v for u, v in zip(unknowns, tests, strict=True))
            * omega.dx
        )

    zero = [Dirichlet("all", 0.0, field=f.name) for f in fields]
    with pytest.raises(InputError, match="one Lagrange field"):
        FEM(size=0.3, linear_solver="iterative").solve(
            Problem(rectangle(), fields, weak_form, dirichlet=zero)
        )


@pytest.mark.mpi
def test_two_ranks_iterate_to_the_solution_of_one(mpi):
    code = """
import json, numpy as np
from mpi4py import MPI
from cases.bracket_3d import problem
from reference_fem import FEM
solution = FEM(size=15.0, estimate=False, linear_solver="iterative").solve(problem)
if MPI.COMM_WORLD.rank == 0:
    print(json.dumps([solution([[0.0, 60.0, 80.0]]).tolist(), solution.info["linear_solver"]["iterations"]]))
"""
    (one, count), (two, other) = (
        json.loads(mpi("-c", code, ranks=n).stdout.splitlines()[-1]) for n in (1, 2)
    )
    np.testing.assert_allclose(one, two, rtol=1e-8)
    assert other < 1.5 * count
