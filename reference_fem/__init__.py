"""The DOLFINx reference solution of a problem, with an estimate of its own error; test functions for weak residuals."""

from typing import Any

__all__ = ["FEM", "test_space"]


def __getattr__(name: str) -> Any:
    # a saved solution is evaluated without DOLFINx, so the solver is imported only when it is asked for
    if name == "FEM":
        from reference_fem.solver import FEM

        return FEM
    if name == "test_space":
        from reference_fem.test_functions import test_space

        return test_space
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
