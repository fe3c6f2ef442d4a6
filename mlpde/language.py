"""The words a case may use beside UFL's own: named measures (`omega.dx`, `omega.ds`), `dt`, reductions over components.

A weak form receives `omega` and writes `omega.x`, `omega.n`, `omega.t`, `omega.dx("region")`, `omega.ds("boundary")`.
The same function is called with an abstract `omega` (for the solvers that work pointwise) and with one that is bound to
a DOLFINx mesh, so it must not depend on anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import ufl
from ufl.algorithms.analysis import extract_coefficients, extract_type
from ufl.classes import IndexSum, MultiIndex, Variable, Zero
from ufl.core.expr import Expr

from mlpde.errors import InputError, unknown

BOUNDED_DIMENSION = 3  # above it no mesh exists, and no div(flux) is expanded symbolically


@dataclass(frozen=True)
class NamedMeasure:
    """A UFL measure whose subdomains are called by the names of gmsh's physical groups.

    `dx` alone integrates over everything; `dx("steel")` over a region, `ds("left", "right")` over the union of named
    boundaries, `ds("all")` over all; `degree=` fixes the quadrature degree.  An unknown name raises InputError.
    """

    measure: ufl.Measure
    tags: Mapping[str, int]
    kind: str  # "region" or "boundary": for the error's sentence

    def __call__(self, *names: str, degree: int | None = None) -> NamedMeasure:
        keywords: dict[str, Any] = {} if degree is None else {"metadata": {"quadrature_degree": degree}}
        if names == ("all",) and "all" not in self.tags:
            names = ()
        for name in names:
            if name not in self.tags:
                raise unknown(self.kind, name, self.tags)
        if names:
            tags = tuple(self.tags[name] for name in names)
            keywords["subdomain_id"] = tags if len(tags) > 1 else tags[0]
        return NamedMeasure(self.measure.reconstruct(**keywords), self.tags, self.kind)

    def __rmul__(self, integrand: Any) -> ufl.Form:
        return integrand * self.measure

    def __add__(self, other: Any) -> Any:
        return self.measure + getattr(other, "measure", other)

    def __radd__(self, other: Any) -> Any:  # dx("a") + dx("b") is a sum of UFL's, and a third one joins it
        return other + self.measure


@dataclass(frozen=True)
class Omega:
    """The domain as a weak form sees it: coordinates, outward normal, time and measures.

    `x` (d,) spatial coordinate, `n` (d,) outward unit normal on boundaries, `t` scalar time, None in a steady problem.
    """

    x: Expr
    n: Expr
    dx: NamedMeasure
    ds: NamedMeasure
    t: Expr | None = None


def time_variable(constant: ufl.Constant) -> Variable:
    """`omega.t` for a UFL or DOLFINx scalar constant: a variable that `dt` recognises."""
    constant.is_time = True
    return ufl.variable(constant)


def is_time(node: Expr) -> bool:
    """True for the variable `omega.t`."""
    return isinstance(node, Variable) and getattr(node.ufl_operands[0], "is_time", False)


def dt(expression: Expr) -> Expr:
    """Time derivative: towards the rate of every unknown, plus the explicit dependence on `omega.t`.

    `dt(u)` is the rate of `u`; `dt(dt(u))` its second rate; `dt(u**3 * omega.t)` follows the chain rule.
    Raises InputError when the problem has no time, or for a third derivative in time.
    """
    expression = ufl.as_ufl(expression)
    coefficients = extract_coefficients(expression)
    rates = [c for c in coefficients if getattr(c, "rate", None) is not None]
    if expression in rates:
        return expression.rate
    if any(getattr(c, "is_highest_rate", False) for c in coefficients):
        raise InputError("dt(...) of a second time derivative: at most dt(dt(u)) can be solved for")
    times = [v for v in extract_type(expression, Variable) if is_time(v)]
    if not rates and not times:
        if coefficients:
            raise InputError(
                "dt(...) needs a problem with time: give Problem(..., time=(0.0, T), initial=...)"
            )
        return 0 * expression
    parts = [ufl.derivative(expression, c, c.rate) for c in rates] + [
        ufl.diff(expression, v) for v in times[:1]
    ]
    return sum(parts[1:], parts[0])


def _tree(operator: Callable[[Any, Any], Any], items: Sequence[Any]) -> Any:
    # balanced: UFL's own recursion fails at some 300 nested operands
    if len(items) == 1:
        return items[0]
    half = len(items) // 2
    return operator(_tree(operator, items[:half]), _tree(operator, items[half:]))


def _components(vector: Expr, word: str) -> list[Expr]:
    vector = ufl.as_ufl(vector)
    if len(vector.ufl_shape) != 1:
        raise InputError(f"{word}(...) reduces the components of a vector, not of shape {vector.ufl_shape}")
    return [vector[i] for i in range(vector.ufl_shape[0])]


def smallest(vector: Expr) -> Expr:
    """min_i vector[i], in any dimension."""
    return _tree(ufl.min_value, _components(vector, "smallest"))


def largest(vector: Expr) -> Expr:
    """max_i vector[i], in any dimension."""
    return _tree(ufl.max_value, _components(vector, "largest"))


def total(vector: Expr) -> Expr:
    """sum_i vector[i], in any dimension."""
    _components(vector, "total")
    index = ufl.Index()
    return IndexSum(ufl.as_ufl(vector)[index], MultiIndex((index,)))


@dataclass(frozen=True)
class At:
    """A quantity at one point: `At((0, a), lambda u, omega: sigma(u)[0, 0])`."""

    point: tuple[float, ...]
    expression: Callable

    def __post_init__(self) -> None:
        if isinstance(self.point, int | float):
            object.__setattr__(self, "point", (self.point,))


def is_function(value: Any) -> bool:
    """True for a function of the user's, such as `lambda x: ...`; UFL expressions are callable too, and none."""
    return callable(value) and not isinstance(value, Expr)


def as_expression(value: Any, shape: tuple[int, ...], what: str) -> Expr:
    """A number, (nested) tuple, numpy array or UFL expression as a UFL expression of `shape`; 0 stands for any shape.

    Raises InputError if it has another shape, or is none of these.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    try:
        expression = ufl.as_tensor(value) if isinstance(value, tuple | list) else ufl.as_ufl(value)
    except (ValueError, TypeError) as error:
        raise InputError(f"{what} is {value!r}: a number, a tuple or a UFL expression is expected") from error
    if isinstance(value, int | float) and value == 0:
        return Zero(tuple(shape))
    if expression.ufl_shape != tuple(shape):
        raise InputError(f"{what} has shape {expression.ufl_shape}, not {tuple(shape)} as it must")
    return expression
