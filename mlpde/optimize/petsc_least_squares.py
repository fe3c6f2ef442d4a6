"""PETSc's LSQR on the filtered matrix B, preconditioned by a Cholesky factor of B^T B.

After the local filter B^T B is far from singular, so its factor (MUMPS) leaves one or two iterations of LSQR, which
work on B itself and give back the accuracy of a QR. B^T B is a sum of dense block products, one for each row group.

Every object has the prefix `rfm_` and takes run-time options: -rfm_ksp_*, -rfm_pc_*, -rfm_mat_type. Solvers of
`min |B y - f|` are called with rows spread over the ranks of a communicator, or on one rank.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mlpde.optimize.iteration import Solved, Stagnation
from mlpde.optimize.petsc_matrices import PREFIX, Layout, normal_matrix, objects, petsc, plain_errors, system
from mlpde.optimize.row_groups import RowGroup

INVERSE_ITERATIONS = 2  # find the least eigenvalue to its order where it is far below the others
NEGATIVE_PIVOTS = 12  # MUMPS' INFOG(12)
CHOLESKY_ITERATIONS = 10  # more say that the factor is no good one
TOLERANCE = 1e-5  # of the gradient, relative to the residual: the residual is least to 1e-6 at B's condition
ROUNDING = 1e-14
SINGULAR = 1e-15  # a least eigenvalue of B^T B, columns of norm 1, that is rounding of the product


def cholesky(groups: Sequence[RowGroup], layout: Layout) -> Solved:
    """min |B y - f| by LSQR, preconditioned by Cholesky's factor of B^T B.

    Raises Stagnation where B^T B is singular to rounding, or after more than 10 iterations.
    """
    with objects() as keep:
        B, f = system(groups, layout, keep)

        def factor(pc: Any) -> None:
            pc.setType("cholesky")
            pc.setFactorSolverType("mumps")

        def by_mumps(pc: Any) -> bool:
            return pc.getType() == "cholesky" and pc.getFactorSolverType() == "mumps"

        def operator(pc: Any) -> Any:
            return keep(normal_matrix(groups, layout, upper=by_mumps(pc)))

        def response(pc: Any) -> np.ndarray | None:
            """(B^T B)^-1 B^T g for white noise g."""
            if not by_mumps(pc):
                return None
            negative = pc.getFactorMatrix().getMumpsInfog(NEGATIVE_PIVOTS)
            if negative > 0:
                raise Stagnation(f"{negative} pivots of B^T B are not positive")
            noise, y, z = keep(f.duplicate()), keep(B.createVecRight()), keep(B.createVecRight())
            rng = np.random.default_rng(B.comm.rank)
            z.array[:] = rng.standard_normal(z.local_size)
            for _ in range(INVERSE_ITERATIONS):
                z.normalize()
                pc.apply(z, y)
                y.copy(z)
            if y.norm() > 1 / SINGULAR:
                raise Stagnation(f"the least eigenvalue of B^T B is {1 / y.norm():.0e}, which is rounding")
            noise.array[:] = rng.standard_normal(noise.local_size)
            B.multTranspose(noise, z)
            pc.apply(z, y)
            return y.array.copy()

        return lsqr(B, f, factor, operator, keep, CHOLESKY_ITERATIONS, response=response)


def lsqr(
    B: Any,
    f: Any,
    precondition: Callable[[Any], None],
    operator: Callable[[Any], Any],
    keep: Callable[[Any], Any],
    iterations: int,
    often: int = 1,
    response: Callable[[Any], np.ndarray | None] = lambda pc: None,
) -> Solved:
    """KSPLSQR on B y = f, preconditioned as `precondition` sets it up and the run-time options change it.

    `operator` of that preconditioner is B^T B or near it; `response` to noise of it may raise Stagnation before the
    solve.

    It stops at |B^T r| <= rtol |r| + 1e-14 (|f| + |y|), where |B| is about 1: at the discretisation's own residual, or
    at rounding. (PETSc's own test has one tolerance for |r| and for |B^T r|.)
    """
    PETSc = petsc()
    ksp = keep(PETSc.KSP().create(B.comm))
    ksp.setOptionsPrefix(PREFIX)
    ksp.setType("lsqr")
    ksp.setTolerances(rtol=TOLERANCE, max_it=iterations)
    size, r, g = f.norm(), keep(f.duplicate()), keep(B.createVecRight())

    def converged(ksp: Any, iteration: int, _: float) -> Any:
        if iteration == 0 or (iteration % often and iteration < ksp.max_it):
            return PETSc.KSP.ConvergedReason.CONVERGED_ITERATING
        y = ksp.buildSolution()
        B.mult(y, r)
        r.aypx(-1.0, f)
        B.multTranspose(r, g)
        if g.norm() <= ksp.rtol * r.norm() + ROUNDING * (size + y.norm()):
            return PETSc.KSP.ConvergedReason.CONVERGED_RTOL_NORMAL_EQUATIONS
        if iteration >= ksp.max_it:
            return PETSc.KSP.ConvergedReason.DIVERGED_MAX_IT
        return PETSc.KSP.ConvergedReason.CONVERGED_ITERATING

    ksp.setConvergenceTest(converged)
    precondition(ksp.getPC())
    with plain_errors():
        ksp.setFromOptions()
        ksp.setOperators(B, operator(ksp.getPC()))
        y = keep(B.createVecRight())
        ksp.setUp()
        found = response(ksp.getPC())
        ksp.solve(f, y)
    if ksp.getConvergedReason() < 0:
        reasons = {v: k for k, v in vars(PETSc.KSP.ConvergedReason).items() if isinstance(v, int)}
        raise Stagnation(
            f"LSQR did not converge in {ksp.getIterationNumber()} iterations "
            f"({reasons[ksp.getConvergedReason()]})"
        )
    return Solved(y.array.copy(), ksp.getIterationNumber(), found)
