"""PETSc's LSQR on the filtered matrix B, preconditioned by two-level multigrid: for elliptic problems.

One level sees no further than a subdomain, so its iterations grow with the number of subdomains. The coarse space
holds a few functions for each subdomain, polynomials of low degree times the partition of unity; with it the
iterations are constant. The fine level is two steps of Chebyshev's iteration on B^T B, which is never formed; the
coarse matrix is (B Z)^T (B Z), with Z the coarse functions in the filtered columns.

Options: -rfm_ksp_* for LSQR, -rfm_ksp_pc_mg_*, -rfm_ksp_mg_levels_*, -rfm_ksp_mg_coarse_* for the multigrid.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mlpde.optimize.iteration import Solved
from mlpde.optimize.petsc_least_squares import lsqr
from mlpde.optimize.petsc_matrices import Layout, from_entries, objects, petsc, system
from mlpde.optimize.row_groups import RowGroup

ITERATIONS = 500
BETWEEN_CHECKS = 2
SMOOTHING = 2  # steps of Chebyshev's iteration


def two_level(
    groups: Sequence[RowGroup],
    layout: Layout,
    coarse: Mapping[int, torch.Tensor],
) -> Solved:
    """min |B y - f|; `coarse` are the coarse functions (width, n) of this rank's blocks, in the filtered columns.

    Raises Stagnation after 500 iterations.
    """
    PETSc = petsc()
    with objects() as keep:
        B, f = system(groups, layout, keep)
        N = keep(PETSc.Mat().createNormal(B))
        Z = keep(_interpolation(layout, coarse))
        D = keep(B.matMult(Z))
        C = keep(D.transposeMatMult(D))

        def precondition(pc: Any) -> None:
            pc.setType("ksp")  # multigrid would be given the rectangular B
            inner = pc.getKSP()
            inner.setType("preonly")
            inner.setOperators(N, N)
            multigrid = inner.getPC()
            multigrid.setType("mg")
            multigrid.setMGLevels(2)
            multigrid.setMGInterpolation(1, Z)
            smoother = multigrid.getMGSmoother(1)
            smoother.setType("chebyshev")
            smoother.setTolerances(max_it=SMOOTHING)
            smoother.getPC().setType("none")
            bottom = multigrid.getMGCoarseSolve()
            bottom.setOperators(C, C)
            bottom.setType("preonly")
            bottom.getPC().setType("cholesky")
            bottom.getPC().setFactorSolverType("mumps")

        return lsqr(B, f, precondition, lambda pc: N, keep, ITERATIONS, BETWEEN_CHECKS)


def _interpolation(layout: Layout, coarse: Mapping[int, torch.Tensor]) -> Any:
    """Z, the coarse functions of each block orthonormal."""
    PETSc = petsc()
    bases = {b: np.linalg.qr(coarse[b].cpu().numpy())[0] for b in layout.owned if b in coarse}
    count = sum(basis.shape[1] for basis in bases.values())
    column = 0 if layout.communicator is None else layout.communicator.scan(count) - count
    i, j, entries = ([np.empty(0)] for _ in range(3))
    for block, basis in bases.items():
        i.append(np.repeat(np.arange(len(basis)) + layout.offsets[block], basis.shape[1]))
        j.append(np.tile(np.arange(column, column := column + basis.shape[1]), len(basis)))
        entries.append(basis.ravel())
    rows, columns = (np.concatenate(index).astype(PETSc.IntType) for index in (i, j))
    return from_entries((layout.columns, count), rows, columns, np.concatenate(entries), layout.communicator)
