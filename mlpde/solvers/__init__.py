"""The solvers by name, imported when they are asked for; each is a frozen dataclass whose fields are its settings."""

from __future__ import annotations

import dataclasses
import importlib
import types
import typing
from typing import Any, ClassVar, Literal, Protocol

from mlpde.errors import InputError, unknown

if typing.TYPE_CHECKING:
    from mlpde.monitor import Monitor
    from mlpde.solution import Solution

SOLVERS = {
    "fem": "reference_fem:FEM",
    "rfm": "mlpde.solvers.rfm:RFM",
    "pinn": "mlpde.solvers.pinn:PINN",
    "dgm": "mlpde.solvers.dgm:DGM",
    "deep_ritz": "mlpde.solvers.deep_ritz:DeepRitz",
    "wan": "mlpde.solvers.wan:WAN",
    "bsde": "mlpde.solvers.bsde:BSDE",
    "deep_bsde": "mlpde.solvers.deep_bsde:DeepBSDE",
    "multilevel_picard": "mlpde.solvers.multilevel_picard:MultilevelPicard",
}

# of geometry, by dimension, with a mesh
SHAPES = {1: "interval", 2: "rectangle or disk", 3: "cuboid or ball"}


class Solver(Protocol):
    """What a solver is.  accepts: the features of `features(problem)` that it can handle.

    parallel = True, if it has it: `solve` is called on all MPI ranks, not on rank 0 alone.
    """

    name: ClassVar[str]
    accepts: ClassVar[frozenset[str]]

    def solve(self, problem: Any, *, seed: int, monitor: Monitor) -> Solution: ...


def solver_class(name: str) -> Any:
    """The class behind a name of SOLVERS."""
    if name not in SOLVERS:
        raise unknown("solver", name, SOLVERS)
    module, attribute = SOLVERS[name].split(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise InputError(f"solver {name!r} needs {error.name}, which is not installed") from error


def solver(name: str, **options: Any) -> Solver:
    """`solver("rfm", features=400)`; texts are read by the type of the option, as in "400" or "4,4"."""
    kind = solver_class(name)
    hints = typing.get_type_hints(kind)
    valid = [f.name for f in dataclasses.fields(kind) if f.init]
    for option in options:
        if option not in valid:
            raise unknown(f"option of solver {name!r}:", option, valid)
    values = {
        option: _parse(value, hints[option], f"{name}.{option}") if isinstance(value, str) else value
        for option, value in options.items()
    }
    return kind(**values)


def _parse(text: str, kind: Any, what: str) -> Any:
    """A text as the type of a dataclass field: int, float, bool, str, Literal, tuple[...], X | None."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if types.NoneType in arguments and text.lower() in ("none", ""):
            return None
        choices = [a for a in arguments if a is not types.NoneType]
        for choice in choices[:-1]:
            try:
                return _parse(text, choice, what)
            except InputError:
                pass  # the next type may fit; the last one speaks
        return _parse(text, choices[-1], what)
    if origin is Literal:
        for value in arguments:
            if text == str(value):
                return value
        raise unknown(f"value of {what}:", text, map(str, arguments))
    if origin is tuple:
        parts = [part for part in text.strip("()[] ").replace("x", ",").split(",") if part.strip()]
        kinds = [arguments[0]] * len(parts) if arguments[-1] is Ellipsis else list(arguments)
        if len(parts) != len(kinds):
            raise InputError(
                f"{what} needs {len(kinds)} values such as {','.join('2' * len(kinds))}, not {text!r}"
            )
        return tuple(_parse(part.strip(), k, what) for part, k in zip(parts, kinds, strict=True))
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise InputError(f"{what} must be true or false, not {text!r}")
        return text.lower() == "true"
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            example = "a whole number such as 400" if kind is int else "a number such as 1e-6"
            raise InputError(f"{what} must be {example}, not {text!r}") from None
    return text


def features(problem: Any) -> list[str]:
    """What a solver must be able to do for this problem, in the words of `Solver.accepts`.

    One kind: "steady", "time", "eigenproblem", "semilinear"; and what comes on top: "several fields", "Nedelec",
    "periodic", "point condition", "high dimension" (more than three, or no mesh).
    """
    from mlpde.problem import Eigenproblem, SemilinearParabolic

    if isinstance(problem, SemilinearParabolic):
        found = ["semilinear"]
    elif isinstance(problem, Eigenproblem):
        found = ["eigenproblem"]
    else:
        found = ["time" if problem.time else "steady"]
    if len(problem.fields) > 1:
        found.append("several fields")
    if any(f.family == "Nedelec" for f in problem.fields):
        found.append("Nedelec")
    if getattr(problem, "periodic", ()):
        found.append("periodic")
    if any(condition.at is not None for condition in problem.dirichlet):
        found.append("point condition")
    if not hasattr(problem.domain, "mesh"):
        found.append("high dimension")
    return found


def missing(candidate: Any, problem: Any) -> list[str]:
    """The features of the problem that a solver, or its class, cannot handle.

    A semilinear problem on a domain is one in time, from the end backwards.
    """
    found = [feature for feature in features(problem) if feature not in candidate.accepts]
    in_time = "time" in candidate.accepts and problem.domain is not None
    return [feature for feature in found if not (feature == "semilinear" and in_time)]


def check_accepts(candidate: Solver, problem: Any, name: str) -> None:
    """InputError, in one sentence, if the solver cannot handle the problem."""
    if lacking := missing(candidate, problem):
        whole_space = (
            "; without domain=... the problem is on the whole space" if problem.domain is None else ""
        )
        meshless = ""
        if "high dimension" in lacking and problem.domain is not None:
            meshless = f"; its domain, a {type(problem.domain).__name__}, has no mesh"
            shapes = SHAPES.get(problem.domain.dim)
            meshless += f": take {shapes} of geometry, which has one" if shapes else ""
        raise InputError(
            f"solver {candidate.name!r} does not take {name}: it has {' and '.join(repr(m) for m in lacking)}, "
            f"the solver takes {', '.join(map(repr, sorted(candidate.accepts)))}{whole_space}{meshless}"
        )
