"""mlpde: write a PDE once in UFL, solve it by finite elements and by machine-learning solvers, compare."""

from typing import TYPE_CHECKING, Any

from mlpde.conditions import Dirichlet, Field, Periodic
from mlpde.errors import InputError
from mlpde.language import At, dt, largest, smallest, total
from mlpde.problem import Case, Eigenproblem, Problem, SemilinearParabolic

if TYPE_CHECKING:
    from mlpde.comparison import Comparison as Comparison
    from mlpde.comparison import compare as compare
    from mlpde.solution import Solution as Solution
    from mlpde.solvers.pinn import PINN as PINN
    from mlpde.solvers.rfm import RFM as RFM
    from mlpde.solving import solve as solve

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
# What needs more than UFL and numpy is imported when it is asked for: `import mlpde` stays fast.
_LATER = {
    "Comparison": "mlpde.comparison",
    "compare": "mlpde.comparison",
    "solve": "mlpde.solving",
    "Solution": "mlpde.solution",
}
_SOLVERS = ("FEM", "PINN", "RFM")


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    if name in _SOLVERS:
        return import_module("mlpde.solvers").solver_class(name.lower())
    raise AttributeError(f"module 'mlpde' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, *_SOLVERS})
