"""Eigenproblems  a(u, v) = lambda m(u, v)  by SLEPc: Krylov-Schur on (A - sigma M)^-1 M, factorised by MUMPS.

Fixed degrees of freedom are left out of A and M, so that they add no eigenvalues.  Modes have m(u, u) = 1.
Source: G. W. Stewart, A Krylov-Schur algorithm for large eigenproblems, 2002, doi:10.1137/S0895479800371529
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from mpi4py import MPI

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import numpy as np
from dolfinx import fem
from numpy.typing import NDArray
from petsc4py import PETSc
from slepc4py import SLEPc

from geometry.size_map import SizeMap
from mlpde.errors import InputError, call_user
from mlpde.modes import clusters
from mlpde.problem import Eigenproblem
from reference_fem.dirichlet import constrain
from reference_fem.forms import Discretisation, bilinear, bind_omega, field_space
from reference_fem.gather import gather
from reference_fem.mesh import distributed_mesh
from reference_fem.modes import FiniteElementModes
from reference_fem.periodic import domain_to_mesh
from reference_fem.system import System

TOLERANCE = 1e-12  # relative residual of an eigenpair
SYMMETRIC = 1e-10  # rounding of A - A^T, relative
EXTRA = 4  # pairs computed beside those asked for: the last one may be multiple


def solve_level(
    problem: Eigenproblem, size: float | None, degree: int, sizes: SizeMap | None = None
) -> tuple[FiniteElementModes, dict[str, Any]]:
    """`count` eigenvalues nearest to the target, or more if the last is multiple; the same on every rank.

    Raises InputError if a form is not symmetric, or the mass not positive definite.
    """
    start, cpu = time.perf_counter(), time.process_time()
    comm = MPI.COMM_WORLD
    mesh = distributed_mesh(domain_to_mesh(problem), size, degree, comm, sizes)
    spaces = [field_space(mesh.mesh, f, degree) for f in problem.fields]
    unknowns = tuple(fem.Function(s, name=f.name) for s, f in zip(spaces, problem.fields, strict=True))
    omega = bind_omega(mesh)
    constraints = constrain(problem, mesh, unknowns)
    for point in constraints.points:
        raise InputError(
            f"Dirichlet(at={tuple(point.point.tolist())}): the mesh has no node there; add the point to the geometry"
        )
    forms = [
        bilinear(
            lambda u, v, function=function, what=what: call_user(function, (u, v, omega), what), spaces, what
        )
        for function, what in ((problem.stiffness, "stiffness"), (problem.mass, "mass"))
    ]
    system = System(Discretisation(mesh, unknowns, [None] * len(spaces), forms[0], True), constraints)
    free = _free(system)
    stiffness = _symmetric(system, free, "stiffness")
    mass = _symmetric(replace(system, forms=replace(system.forms, jacobian=forms[1])), free, "mass")
    _check_mass(mass)
    eigenvalues, vectors = _pairs(stiffness, mass, problem.count, problem.target)

    functions = []
    whole = system.vector()
    for vector in vectors:
        whole.zeroEntries()
        part = whole.getSubVector(free)
        vector.copy(part)
        whole.restoreSubVector(free, part)
        system.write(whole)
        functions.append(gather(mesh, unknowns))
    return FiniteElementModes.of(eigenvalues, functions), {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": comm.allreduce(time.process_time() - cpu),
        "unknowns": system.unknowns_count,
        "history": [],
        "warnings": [],
    }


def _free(system: System) -> Any:
    """The rows without a condition, as PETSc's index set."""
    vector = system.vector()
    start, end = vector.getOwnershipRange()
    rows = np.setdiff1d(np.arange(end - start), system.fixed)
    return PETSc.IS().createGeneral((rows + start).astype(np.int32), comm=vector.comm)


def _symmetric(system: System, free: Any, what: str) -> Any:
    """The matrix of a bilinear form on the free rows; InputError unless it is symmetric."""
    matrix = system.new_matrix()
    system.jacobian(matrix)
    matrix = matrix.createSubMatrix(free, free)
    difference = matrix.copy()
    difference.axpy(-1.0, matrix.copy().transpose())
    if difference.norm() > SYMMETRIC * matrix.norm():
        raise InputError(
            f"{what}(u, v) is not symmetric: its eigenvalues may be complex, and only real ones are found"
        )
    return matrix


def _inertia(matrix: Any) -> tuple[int, int]:
    """How many eigenvalues of a symmetric matrix are negative, and how many zero."""
    solver = PETSc.PC().create(matrix.comm)
    solver.setOperators(matrix)
    solver.setType("cholesky")
    solver.setFactorSolverType("mumps")
    solver.setFactorSetUpSolverType()
    factors = solver.getFactorMatrix()
    factors.setMumpsIcntl(24, 1)  # report null pivots, do not divide by them
    factors.setMumpsIcntl(13, 1)  # the root too is factorised so that its negative pivots are counted
    solver.setUp()
    negative, zero, _ = factors.getInertia()
    solver.destroy()
    return negative, zero


def _check_mass(mass: Any) -> None:
    # a row without a diagonal entry is empty if the mass is not negative anywhere; MUMPS may fail at many of them
    empty = mass.comm.tompi4py().allreduce(int((mass.getDiagonal().array_r == 0).sum()))
    negative, zero = (0, empty) if empty else _inertia(mass)
    if zero:
        raise InputError(
            f"the mass matrix is singular: mass(u, v) leaves {zero} of {mass.size[0]} unknowns out; it must contain "
            "every field, in every region"
        )
    if negative:
        raise InputError("mass(u, u) is negative for some u: it must be positive definite")


def _pairs(stiffness: Any, mass: Any, count: int, target: float | None) -> tuple[NDArray, list[Any]]:
    """Eigenvalues, ascending, and their M-normalised vectors."""
    size = stiffness.size[0]
    if count > size:
        raise InputError(f"count = {count}: the mesh has only {size} unknowns; take a smaller size or count")
    shift = _below_all(stiffness, mass) if target is None else float(target)
    wanted = min(count + EXTRA, size)
    solver = SLEPc.EPS().create(stiffness.comm)
    solver.setOperators(stiffness, mass)
    solver.setProblemType(SLEPc.EPS.ProblemType.GHEP)
    solver.setDimensions(wanted)
    solver.setTolerances(TOLERANCE)
    solver.setTarget(shift)
    solver.setWhichEigenpairs(SLEPc.EPS.Which.TARGET_MAGNITUDE)
    transformation = solver.getST()
    transformation.setType(SLEPc.ST.Type.SINVERT)
    linear = transformation.getKSP()
    linear.setType("preonly")
    linear.getPC().setType("lu")
    linear.getPC().setFactorSolverType("mumps")
    solver.solve()
    found = solver.getConverged()
    if found < wanted:
        raise InputError(
            f"{found} of {wanted} eigenvalues near {shift:g} converged: the target may be an eigenvalue itself, move it"
        )
    values = np.array([solver.getEigenvalue(i).real for i in range(wanted)])
    nearest = np.argsort(np.abs(values - shift), kind="stable")
    order = np.sort(values)
    last = float(values[nearest[count - 1]])
    whole = next(order[part] for part in clusters(order) if order[part][0] <= last <= order[part][-1])
    kept = sorted({*nearest[:count], *np.flatnonzero(np.isin(values, whole))}, key=lambda i: values[i])
    vectors = []
    for i in kept:
        vector = stiffness.createVecRight()
        solver.getEigenvector(i, vector)
        image = mass.createVecLeft()
        mass.mult(vector, image)
        vector.scale(1 / np.sqrt(vector.dot(image)))
        vectors.append(vector)
    return values[kept], vectors


def _below_all(stiffness: Any, mass: Any) -> float:
    """A number below the whole spectrum: no eigenvalue of A - sigma M is negative there (Sylvester)."""
    shift = -1e-6 * stiffness.norm() / mass.norm()
    while any(_inertia(_shifted(stiffness, mass, shift))):
        shift *= 10
    return shift


def _shifted(stiffness: Any, mass: Any, shift: float) -> Any:
    result = stiffness.copy()
    result.axpy(-shift, mass)
    return result
