"""mlpde: write a PDE once in UFL, solve it by finite elements and by machine-learning solvers, compare."""

from mlpde.errors import InputError
from mlpde.language import At, dt, largest, smallest, total
from mlpde.problem import Case, Dirichlet, Eigenproblem, Field, Periodic, Problem, SemilinearParabolic

__version__ = "0.1.0"
__all__ = [
    "At",
    "Case",
    "Dirichlet",
    "Eigenproblem",
    "Field",
    "InputError",
    "Periodic",
    "Problem",
    "SemilinearParabolic",
    "dt",
    "largest",
    "smallest",
    "total",
]
