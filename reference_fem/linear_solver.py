"""A x = b by the method that suits A: MUMPS, or conjugate gradients where A is large and positive definite."""

from __future__ import annotations

from typing import Any, Literal

from mpi4py import MPI

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import numpy as np
from petsc4py import PETSc

from mlpde.errors import InputError
from reference_fem.linear import Factorisation
from reference_fem.multigrid import PREFIX, conjugate_gradients, is_one_lagrange_field, know_motions
from reference_fem.system import System

Choice = Literal["auto", "direct", "iterative"]
LARGE = {
    2: 50_000,
    3: 10_000,
}  # unknowns from which iteration is clearly faster than MUMPS; in 1-D it never is
SYMMETRIC = 1e-10  # rounding of x.Ay - y.Ax, relative
REASONS = PETSc.KSP.ConvergedReason
NOT_POSITIVE = (
    REASONS.DIVERGED_INDEFINITE_PC,
    REASONS.DIVERGED_INDEFINITE_MAT,
    REASONS.DIVERGED_PCSETUP_FAILED,
)
INDEFINITE = "it seems that the matrix is not positive definite"
LIBRARY_ERRORS = (76, 77)  # PETSc's codes for an error in an external library, and for inconsistent data


class LinearSolver:
    """Solves A x = b by MUMPS, by CG + multigrid where A is large and suits it, or as PETSc's options "fem_..." say.

    facts: {"method", "iterations": of the last solve}.  warnings: sentences.
    Raises InputError if A is singular, or if the iteration that was asked for does not converge.  Where it was chosen
    here ("auto"), MUMPS takes over with a warning.
    """

    def __init__(self, matrix: Any, system: System, choice: Choice = "auto") -> None:
        self.matrix, self.choice = matrix, choice
        self.warnings: list[str] = []
        self.iteration: Any = None
        self.factors: Factorisation | None = None
        iterate = choice == "iterative" or (choice == "auto" and is_suitable(matrix, system))
        if iterate and not is_one_lagrange_field(system):
            raise InputError('linear_solver="iterative" takes problems with one Lagrange field: take "auto"')
        if PETSc.Options(PREFIX).getAll():
            self.choice = "iterative"  # nothing else than what the options say
            self.iteration = _by_options(matrix, system, iterate)
        elif iterate:
            try:
                self.iteration = conjugate_gradients(matrix, system)
            except PETSc.Error as error:
                if error.ierr not in LIBRARY_ERRORS:  # type: ignore[attr-defined]
                    raise
                # the multigrid estimates eigenvalues from a random start, where an indefinite matrix may break it
                self._direct(f"the linear solver cg failed in its set-up ({INDEFINITE})")
        else:
            self.factors = Factorisation(matrix)

    @property
    def facts(self) -> dict[str, Any]:
        """What was used."""
        if self.factors is not None:
            return {"method": "mumps"}
        pc = self.iteration.getPC()
        names = [self.iteration.getType(), pc.getType()]
        if names[1] == "mg":
            names.append(pc.getMGCoarseSolve().getPC().getType())
        return {"method": " + ".join(names), "iterations": self.iteration.getIterationNumber()}

    def solve(self, b: Any) -> Any:
        """x with A x = b."""
        if self.factors is not None:
            return self.factors.solve(b)
        x = b.duplicate()
        self.iteration.solve(b, x)
        if self.iteration.is_converged:
            return x
        reason, facts = self.iteration.getConvergedReason(), self.facts
        why = f"PETSc's reason {reason}"
        if reason in NOT_POSITIVE and self.iteration.getType() == "cg":
            why = INDEFINITE
        return self._direct(
            f"the linear solver {facts['method']} failed after {facts['iterations']} iterations ({why})"
        ).solve(b)

    def _direct(self, failed: str) -> Factorisation:
        if self.choice != "auto":
            raise InputError(f'{failed}; take linear_solver="direct" and no PETSc options {PREFIX}...')
        self.warnings.append(f"{failed}: MUMPS took over")
        self.factors = Factorisation(self.matrix)
        return self.factors


def is_suitable(matrix: Any, system: System) -> bool:
    """Whether A is large, of one Lagrange field, symmetric, and positive definite as far as its diagonal shows."""
    dim = system.forms.spaces[0].mesh.geometry.dim
    if dim not in LARGE or matrix.size[0] < LARGE[dim] or not is_one_lagrange_field(system):
        return False
    x, y = matrix.createVecs()
    random = np.random.default_rng(system.comm.rank)
    for vector in (x, y):
        vector.array[:] = random.standard_normal(len(vector.array_r))
    image, other = matrix * x, matrix * y
    defect = abs(image.dot(y) - other.dot(x))
    return defect <= SYMMETRIC * image.norm() * y.norm() and matrix.getDiagonal().min()[1] > 0


def _by_options(matrix: Any, system: System, iterate: bool) -> Any:
    """The solver chosen, then changed by PETSc's options; InputError for names that this PETSc does not have."""
    options = PETSc.Options(PREFIX)
    # PETSc has all its solvers, and some of them fail when they are only made and thrown away
    for key, kind, word, known in (
        ("ksp_type", PETSc.KSP, "solver", _names(PETSc.KSP)),
        ("pc_type", PETSc.PC, "preconditioner", [n for n in _names(PETSc.PC) if _exists(PETSc.PC, n)]),
    ):
        name = options.getString(key, "")
        if name and not _exists(kind, name):
            raise InputError(
                f"-{PREFIX}{key} {name}: this PETSc has no such {word}; it has {', '.join(known)}"
            )
    try:
        if iterate:
            return conjugate_gradients(matrix, system)
        solver = PETSc.KSP().create(matrix.comm)
        solver.setOptionsPrefix(PREFIX)
        solver.setOperators(matrix)
        solver.setType("preonly")
        solver.getPC().setType("lu")
        solver.getPC().setFactorSolverType("mumps")
        if is_one_lagrange_field(system):
            know_motions(matrix, system.forms.spaces[0])
        solver.setFromOptions()
        solver.setUp()
        return solver
    except PETSc.Error as error:
        given = " ".join(f"-{PREFIX}{key} {value}".strip() for key, value in options.getAll().items())
        raise InputError(f"PETSc refuses the options {given}: {str(error).splitlines()[-1]}") from error


def _names(kind: Any) -> list[str]:
    return sorted(value for key, value in vars(kind.Type).items() if not key.startswith("_"))


def _exists(kind: Any, name: str) -> bool:
    try:
        kind().create(MPI.COMM_SELF).setType(name)
    except PETSc.Error:
        return False
    return True
