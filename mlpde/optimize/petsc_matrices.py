"""PETSc's side of least squares: matrices from row groups, run-time types, and errors in one sentence.

Every object has the prefix `rfm_`, so its type is a run-time choice: -rfm_mat_type.
"""

import atexit
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch

from mlpde.errors import InputError
from mlpde.optimize.row_groups import RowGroup, columns_of, parts

PREFIX = "rfm_"
COO_PLAN = "__PETSc_MatCOOStruct_Host"  # where PETSc keeps the way from entries to matrix: more memory than the matrix
UNKNOWN_TYPE = 86  # PETSC_ERR_ARG_UNKNOWN_TYPE
REFUSED = (
    63,
    83,
    92,
)  # what should be a number is none, or none of the words it may be; a package is missing


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
    """A type that this PETSc lacks, or an option that it refuses, becomes an InputError."""
    PETSc = petsc()
    try:
        yield
    except PETSc.Error as error:
        given = " ".join(f"-{PREFIX}{name} {value}" for name, value in PETSc.Options(PREFIX).getAll().items())
        if error.ierr in REFUSED and given:
            reason = re.sub(r"^\[\d+\] ", "", str(error).splitlines()[-1])
            raise InputError(f"PETSc refuses one of the options {given}: {reason}") from error
        if error.ierr != UNKNOWN_TYPE:
            raise
        raise InputError(
            f"This PETSc does not know a type that its options name: {given}. CUDA and Kokkos types exist only in "
            "a PETSc built with them; nothing was computed on the CPU instead."
        ) from error


def unused_options() -> list[str]:
    """The options with our prefix that no object has asked for."""
    PETSc = petsc()
    names = [PREFIX + name for name in PETSc.Options(PREFIX).getAll()]
    said_once()
    return [f"-{name}" for name in names if not PETSc.Options().used(name)]


@cache
def said_once() -> None:
    """At its end PETSc prints all unused options as raw lines: what it is asked for before then is none of them."""
    options = petsc().Options(PREFIX)
    atexit.register(lambda: [options.hasName(name) for name in options.getAll()])
