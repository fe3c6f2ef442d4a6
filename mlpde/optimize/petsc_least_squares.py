"""PETSc's LSQR on the filtered matrix B, preconditioned by a Cholesky factor of B^T B.

After the local filter B^T B is far from singular, so its factor (MUMPS) leaves one or two iterations of LSQR, which
work on B itself and give back the accuracy of a QR. B^T B is a sum of dense block products, one for each row group.

Every object has the prefix `rfm_` and takes run-time options: -rfm_ksp_*, -rfm_pc_*, -rfm_mat_type. Solvers of
`min |B y - f|` are called with rows spread over the ranks of a communicator, or on one rank.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch

from mlpde.errors import InputError
from mlpde.optimize.row_groups import RowGroup, columns_of, parts

PREFIX = "rfm_"
COO_PLAN = "__PETSc_MatCOOStruct_Host"  # where PETSc keeps the way from entries to matrix: more memory than the matrix
UNKNOWN_TYPE = 86  # PETSC_ERR_ARG_UNKNOWN_TYPE
NEGATIVE_PIVOTS = 12  # MUMPS' INFOG(12)
CHOLESKY_ITERATIONS = 10  # more say that the factor is no good one
TOLERANCE = 1e-5  # of the gradient, relative to the residual: the residual is least to 1e-6 at B's condition
ROUNDING = 1e-14


class Stagnation(Exception):
    """The iteration did not converge: another method is to be taken."""


class Solved(NamedTuple):
    """y in the columns of this rank, and the iterations of LSQR."""

    y: np.ndarray
    iterations: int


class Layout(NamedTuple):
    """Where the blocks stand in the matrix.

    widths, offsets: number of columns of every block, and its first one; owned: the blocks of this rank;
    communicator: mpi4py's, None on one rank.
    """

    widths: Sequence[int]
    offsets: np.ndarray
    owned: range
    communicator: Any

    @property
    def columns(self) -> int:
        """The number of columns of this rank."""
        return int(self.offsets[self.owned.stop] - self.offsets[self.owned.start])


def petsc() -> Any:
    """The module PETSc of petsc4py.

    Raises InputError where it is not installed.
    """
    try:
        from mpi4py import MPI  # noqa: F401  (starts MPI, before PETSc)
        from petsc4py import PETSc
    except ImportError as error:
        raise InputError(
            "The least-squares methods 'cholesky' and 'two_level' need petsc4py, which comes with DOLFINx: "
            "install it, or use 'block_qr' or 'mixed_qr'."
        ) from error
    return PETSc


def cholesky(groups: Sequence[RowGroup], layout: Layout) -> Solved:
    """min |B y - f| by LSQR, preconditioned by Cholesky's factor of B^T B.

    Raises Stagnation on a pivot that is not positive, or more than 10 iterations.
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

        def check(pc: Any) -> None:
            if by_mumps(pc):
                negative = pc.getFactorMatrix().getMumpsInfog(NEGATIVE_PIVOTS)
                if negative > 0:
                    raise Stagnation(f"{negative} pivots of B^T B are not positive")

        return lsqr(B, f, factor, operator, keep, CHOLESKY_ITERATIONS, check=check)


def lsqr(
    B: Any,
    f: Any,
    precondition: Callable[[Any], None],
    operator: Callable[[Any], Any],
    keep: Callable[[Any], Any],
    iterations: int,
    often: int = 1,
    check: Callable[[Any], None] = lambda pc: None,
) -> Solved:
    """KSPLSQR on B y = f, preconditioned as `precondition` sets it up and the run-time options change it.

    `operator` of that preconditioner is B^T B or near it; `check` of it may raise Stagnation before the solve.

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
        check(ksp.getPC())
        ksp.solve(f, y)
    if ksp.getConvergedReason() < 0:
        reasons = {v: k for k, v in vars(PETSc.KSP.ConvergedReason).items() if isinstance(v, int)}
        raise Stagnation(
            f"LSQR did not converge in {ksp.getIterationNumber()} iterations "
            f"({reasons[ksp.getConvergedReason()]})"
        )
    return Solved(y.array.copy(), ksp.getIterationNumber())


def system(groups: Sequence[RowGroup], layout: Layout, keep: Callable[[Any], Any]) -> tuple[Any, Any]:
    """B and f."""
    PETSc = petsc()
    count = sum(len(g.rhs) for g in groups)
    entries = np.empty(sum(g.matrix.numel() for g in groups))
    i, j = (np.empty(len(entries), dtype=PETSc.IntType) for _ in range(2))
    row = 0 if layout.communicator is None else layout.communicator.scan(count) - count
    done = 0
    for group in groups:
        here = slice(done, done := done + group.matrix.numel())
        entries[here] = group.matrix.cpu().numpy().ravel()
        i[here] = np.repeat(np.arange(row, row := row + len(group.rhs)), group.matrix.shape[1])
        j[here] = np.tile(columns_of(group.blocks, layout.offsets), len(group.rhs))
    B = keep(from_entries((count, layout.columns), i, j, entries, layout.communicator))
    f = keep(B.createVecLeft())
    f.array[:] = np.concatenate([np.empty(0), *(g.rhs.cpu().numpy() for g in groups)])
    return B, f


def normal_matrix(groups: Sequence[RowGroup], layout: Layout, upper: bool) -> Any:
    """B^T B, block after block, or its upper blocks alone: all that MUMPS reads."""
    PETSc = petsc()
    products: dict[tuple[int, int], torch.Tensor] = {}
    for group in groups:
        for p, left in parts(group, layout.widths):
            for q, right in parts(group, layout.widths):
                if upper and q < p:
                    continue
                product = left.T @ right
                products[p, q] = products[p, q] + product if (p, q) in products else product
    entries = np.empty(sum(product.numel() for product in products.values()))
    i, j = (np.empty(len(entries), dtype=PETSc.IntType) for _ in range(2))
    done = 0
    for p, q in list(products):
        product = products.pop((p, q))
        here = slice(done, done := done + product.numel())
        entries[here] = product.cpu().numpy().ravel()
        i[here] = np.repeat(columns_of([p], layout.offsets), product.shape[1])
        j[here] = np.tile(columns_of([q], layout.offsets), product.shape[0])
    M = from_entries((layout.columns, layout.columns), i, j, entries, layout.communicator)
    M.setOption(PETSc.Mat.Option.SPD, True)
    return M


def from_entries(
    sizes: tuple[int, int], i: np.ndarray, j: np.ndarray, entries: np.ndarray, communicator: Any
) -> Any:
    """A matrix of this rank's (rows, columns) from entries (i, j), equal positions added; its type is a run-time
    choice."""
    PETSc = petsc()
    matrix = PETSc.Mat().create(PETSc.COMM_SELF if communicator is None else communicator)
    matrix.setOptionsPrefix(PREFIX)
    matrix.setSizes(((sizes[0], None), (sizes[1], None)))
    with plain_errors():
        matrix.setType("aij")
        matrix.setFromOptions()
        matrix.setPreallocationCOO(i, j)
        matrix.setValuesCOO(entries, PETSc.InsertMode.ADD_VALUES)
    matrix.compose(COO_PLAN, None)
    return matrix


@contextmanager
def objects() -> Iterator[Callable[[Any], Any]]:
    """`keep(object)` remembers a PETSc object, to be destroyed at the end: on all ranks in the same order."""
    kept: list[Any] = []

    def keep(thing: Any) -> Any:
        kept.append(thing)
        return thing

    try:
        yield keep
    finally:
        for thing in reversed(kept):
            thing.destroy()


@contextmanager
def plain_errors() -> Iterator[None]:
    """A type that this PETSc lacks becomes an InputError."""
    PETSc = petsc()
    try:
        yield
    except PETSc.Error as error:
        if error.ierr != UNKNOWN_TYPE:
            raise
        given = " ".join(f"-{PREFIX}{name} {value}" for name, value in PETSc.Options(PREFIX).getAll().items())
        raise InputError(
            f"This PETSc does not know a type that its options name: {given}. CUDA and Kokkos types exist only in "
            "a PETSc built with them; nothing was computed on the CPU instead."
        ) from error


def unused_options() -> list[str]:
    """The options with our prefix that no object has asked for."""
    PETSc = petsc()
    names = [PREFIX + name for name in PETSc.Options(PREFIX).getAll()]
    return [f"-{name}" for name in names if not PETSc.Options().used(name)]
