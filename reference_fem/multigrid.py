"""Conjugate gradients for large symmetric positive definite systems of one Lagrange field, preconditioned by multigrid.

    degree p -> p - 1 -> ... -> 1 -> aggregates of nodes -> ...

The elements' degrees are the first levels: Galerkin products with the interpolation between the spaces, smoothed by
Chebyshev polynomials in Jacobi's method.  The linear elements below are left to two cycles of PETSc's smoothed
aggregation (GAMG), which is told the rigid motions.  Iterations hardly depend on the mesh, and only the finest matrix
is large.
Source: P. Vanek, J. Mandel, M. Brezina, Computing 56(3), 1996, doi:10.1007/BF02238511
"""

from __future__ import annotations

from typing import Any

from mpi4py import MPI  # noqa: F401

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import basix
import basix.ufl
import numpy as np
from dolfinx import fem
from dolfinx.fem import petsc
from numpy.typing import NDArray
from petsc4py import PETSc

from reference_fem.function import VARIANT
from reference_fem.system import System

PREFIX = "fem_"  # of PETSc's options: -fem_ksp_type, -fem_pc_type, ...
RESIDUAL = 1e-11  # in the energy norm, relative
MAX_ITERATIONS = 300
SMOOTHING = 3  # degree of the Chebyshev polynomial
# On a bracket of curved tetrahedra (P2, 4e5 unknowns) the iterations are 18, and 15 if the linear elements are solved
# exactly; one cycle without a threshold needs 62.
AGGREGATION = {
    "pc_mg_multiplicative_cycles": 2,
    "pc_gamg_threshold": 0.02,  # couplings that are weaker do not join an aggregate
    "mg_levels_ksp_max_it": SMOOTHING,
    "mg_levels_pc_type": "jacobi",
}


def is_one_lagrange_field(system: System) -> bool:
    """What the levels are made for."""
    spaces = system.forms.spaces
    return len(spaces) == 1 and spaces[0].element.basix_element.family == basix.ElementFamily.P


def conjugate_gradients(matrix: Any, system: System) -> Any:
    """PETSc's CG with its levels, set up; PETSc's options come before what is set here."""
    space = system.forms.spaces[0]
    matrix.setOption(PETSc.Mat.Option.SPD, True)  # eigenvalues are then estimated by CG too
    solver = PETSc.KSP().create(matrix.comm)
    solver.setOptionsPrefix(PREFIX)  # before the levels are made: they inherit it
    solver.setOperators(matrix)
    solver.setType("cg")
    options = PETSc.Options(PREFIX)
    if not options.hasName("ksp_type"):  # not every method knows the energy norm
        solver.setNormType(PETSc.KSP.NormType.NATURAL)  # type: ignore[arg-type]
    solver.setTolerances(rtol=RESIDUAL, max_it=MAX_ITERATIONS)
    degree = space.element.basix_element.degree
    if system.constraints.projection is not None:
        degree = 1  # the spaces below know no periodic conditions; nor do they leave a rotation
    else:
        know_motions(matrix, space)
    if degree == 1:
        solver.getPC().setType("gamg")
    else:
        _set_levels(
            solver.getPC(), matrix, [_of_degree(space, p) for p in range(1, degree)] + [space], system
        )
    names = {("" if degree == 1 else "mg_coarse_") + name: value for name, value in AGGREGATION.items()}
    defaults = {name: value for name, value in names.items() if not options.hasName(name)}
    try:  # GAMG's settings have no other way in
        for name, value in defaults.items():
            options.setValue(name, value)  # type: ignore[arg-type]
        solver.setFromOptions()
        solver.setUp()
    finally:
        for name in defaults:
            options.delValue(name)
    return solver


def know_motions(matrix: Any, space: fem.FunctionSpace) -> None:
    """Give a matrix its near null space: the rigid motions of a displacement; constants are known already."""
    dim = space.mesh.geometry.dim
    if space.value_shape == (dim,) and dim > 1:
        x = PETSc.Vec().create(matrix.comm)
        x.setSizes((matrix.getLocalSize()[0], matrix.size[0]))
        x.setBlockSize(dim)
        x.setUp()
        x.array[:] = space.tabulate_dof_coordinates()[: space.dofmap.index_map.size_local, :dim].ravel()
        matrix.setNearNullSpace(PETSc.NullSpace().createRigidBody(x))


def _set_levels(pc: Any, matrix: Any, spaces: list[fem.FunctionSpace], system: System) -> None:
    fixed = np.zeros(sum(system.sizes), dtype=bool)
    fixed[system.fixed] = True
    pc.setType("mg")
    pc.setMGLevels(len(spaces))
    for level in range(len(spaces) - 1, 0, -1):
        smoother = pc.getMGSmoother(level)
        smoother.setOperators(matrix)
        smoother.setType("chebyshev")
        smoother.setTolerances(max_it=SMOOTHING)
        smoother.getPC().setType("jacobi")
        transfer = petsc.interpolation_matrix(spaces[level - 1], spaces[level])
        transfer.assemble()
        fixed = _leave_out(transfer, fixed)
        pc.setMGInterpolation(level, transfer)
        matrix = matrix.PtAP(transfer)
        matrix.setBlockSize(spaces[0].dofmap.bs)
        matrix.setOption(PETSc.Mat.Option.SPD, True)
        diagonal = matrix.getDiagonal()
        diagonal.array[fixed] = 1.0
        matrix.setDiagonal(diagonal)
    know_motions(matrix, spaces[0])
    coarse = pc.getMGCoarseSolve()
    coarse.setOperators(matrix)
    coarse.setType("preonly")
    coarse.getPC().setType("gamg")


def _leave_out(transfer: Any, fixed: NDArray) -> NDArray:
    """Zero the fixed rows of an interpolation, and the columns that they fix, which are returned as a mask.

    A fixed row fixes the coarse node that is nearest to it, as its largest entry tells.
    """
    first, _ = transfer.getOwnershipRange()
    starts, columns, entries = transfer.getValuesCSR()
    kept = transfer.createVecRight()
    kept.set(1.0)
    rows = np.flatnonzero(fixed)
    nearest = [
        columns[a + np.abs(entries[a:b]).argmax()]
        for a, b in zip(starts[rows], starts[rows + 1], strict=True)
    ]
    kept.setValues(np.asarray(nearest, dtype=np.int32), np.zeros(len(rows)))
    kept.assemble()
    transfer.zeroRows((rows + first).astype(np.int32), 0.0)
    transfer.diagonalScale(None, kept)
    return kept.array_r == 0.0


def _of_degree(space: fem.FunctionSpace, degree: int) -> fem.FunctionSpace:
    shape = tuple(space.value_shape) or None
    element = basix.ufl.element(
        "Lagrange", space.mesh.basix_cell(), degree, lagrange_variant=VARIANT, shape=shape
    )
    return fem.functionspace(space.mesh, element)
