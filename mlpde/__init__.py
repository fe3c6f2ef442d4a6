"""mlpde: write a PDE once in UFL, solve it by finite elements and by machine-learning solvers, compare."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlpde.comparison import Comparison as Comparison
    from mlpde.comparison import compare as compare
    from mlpde.conditions import Dirichlet as Dirichlet
    from mlpde.conditions import Field as Field
    from mlpde.conditions import Periodic as Periodic
    from mlpde.errors import InputError as InputError
    from mlpde.language import At as At
    from mlpde.language import dt as dt
    from mlpde.language import largest as largest
    from mlpde.language import smallest as smallest
    from mlpde.language import total as total
    from mlpde.problem import Case as Case
    from mlpde.problem import Eigenproblem as Eigenproblem
    from mlpde.problem import Problem as Problem
    from mlpde.problem import SemilinearParabolic as SemilinearParabolic
    from mlpde.solution import Solution as Solution
    from mlpde.solvers.bsde import BSDE as BSDE
    from mlpde.solvers.deep_bsde import DeepBSDE as DeepBSDE
    from mlpde.solvers.deep_ritz import DeepRitz as DeepRitz
    from mlpde.solvers.dgm import DGM as DGM
    from mlpde.solvers.multilevel_picard import MultilevelPicard as MultilevelPicard
    from mlpde.solvers.pinn import PINN as PINN
    from mlpde.solvers.rfm import RFM as RFM
    from mlpde.solvers.wan import WAN as WAN
    from mlpde.solving import solve as solve

__version__ = "0.1.0"
# The public names and where they live; imported when they are asked for, so that `import mlpde` costs nothing.
_PUBLIC = {
    "At": "language",
    "Case": "problem",
    "Comparison": "comparison",
    "Dirichlet": "conditions",
    "Eigenproblem": "problem",
    "Field": "conditions",
    "InputError": "errors",
    "Periodic": "conditions",
    "Problem": "problem",
    "SemilinearParabolic": "problem",
    "Solution": "solution",
    "compare": "comparison",
    "dt": "language",
    "largest": "language",
    "smallest": "language",
    "solve": "solving",
    "total": "language",
}
_SOLVERS = {
    "BSDE": "bsde",
    "DGM": "dgm",
    "DeepBSDE": "deep_bsde",
    "DeepRitz": "deep_ritz",
    "FEM": "fem",
    "MultilevelPicard": "multilevel_picard",
    "PINN": "pinn",
    "RFM": "rfm",
    "WAN": "wan",
}
__all__ = [*_PUBLIC, *_SOLVERS]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(f"mlpde.{_PUBLIC[name]}"), name)
    if name in _SOLVERS:
        return import_module("mlpde.solvers").solver_class(_SOLVERS[name])
    raise AttributeError(f"module 'mlpde' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC, *_SOLVERS})
