"""Fields, and the conditions on them: Dirichlet, periodic.  Each is checked when it is made, and against its problem.

A wrong name, shape or number of arguments raises InputError with one sentence.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlpde.errors import InputError, unknown
from mlpde.language import as_expression, is_function

FAMILIES = ("Lagrange", "Nedelec")


@dataclass(frozen=True)
class Field:
    """An unknown: `Field("u")` scalar, `Field("u", shape=(2,))` vector.

    mean_zero: the field is fixed up to a constant, its mean is zero (a pressure).
    family: "Lagrange", or "Nedelec" (Dirichlet then means the tangential trace; only FEM takes it).
    """

    name: str
    shape: tuple[int, ...] = ()
    mean_zero: bool = False
    family: str = "Lagrange"

    def __post_init__(self) -> None:
        shape = (self.shape,) if isinstance(self.shape, int) else tuple(self.shape)
        object.__setattr__(self, "shape", shape)
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise InputError(f"a field's name must be an identifier such as 'u', not {self.name!r}")
        if not all(isinstance(n, int) and n > 0 for n in shape) or len(shape) > 2:
            raise InputError(
                f"field {self.name!r}: shape must be () or one or two positive integers, not {shape}"
            )
        if self.family not in FAMILIES:
            raise unknown(f"family of field {self.name!r}:", self.family, FAMILIES)
        if self.mean_zero and shape:
            raise InputError(f"field {self.name!r}: mean_zero is for scalar fields")

    @property
    def size(self) -> int:
        """Number of scalar components."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Dirichlet:
    """u = value on a boundary, a tuple of boundaries, or "all"; or at a point: `Dirichlet(at=(0, 0), value=0.0)`.

    value: number, tuple, or a function of x (and t) that returns a UFL expression or tuple; 0 fits any shape.
    field: the field's name, needed if there are several.  component: one component of a vector field.
    """

    boundary: str | tuple[str, ...] | None = None
    value: Any = 0.0
    field: str | None = None
    component: int | None = None
    at: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if (self.boundary is None) == (self.at is None):
            raise InputError("Dirichlet needs a boundary name or at=(...), one of them")
        if self.at is not None:
            object.__setattr__(self, "at", coordinates(self.at, "Dirichlet(at=...)"))
        if isinstance(self.boundary, list):
            object.__setattr__(self, "boundary", tuple(self.boundary))
        if self.boundary is not None and not all(isinstance(name, str) for name in as_tuple(self.boundary)):
            raise InputError(
                f"Dirichlet needs the name of a boundary, or a tuple of names, not {self.boundary!r}"
            )

    @property
    def label(self) -> str:
        """How messages call this condition."""
        return f"Dirichlet(at={self.at})" if self.boundary is None else f"Dirichlet({self.boundary!r})"

    def boundaries(self, domain: Any) -> tuple[str, ...]:
        """The names this condition holds on ("all" resolved)."""
        if self.boundary is None:
            return ()
        return tuple(domain.boundaries) if self.boundary == "all" else as_tuple(self.boundary)


@dataclass(frozen=True)
class Periodic:
    """u on `first` equals u on `second`, which is `first` translated."""

    first: str
    second: str


def check_fields(problem: Any) -> None:
    object.__setattr__(problem, "fields", as_tuple(problem.fields))
    if not problem.fields or not all(isinstance(f, Field) for f in problem.fields):
        raise InputError(f'fields must be Field("u") or a list of them, not {problem.fields!r}')
    dim = getattr(problem.domain, "dim", 0)
    if any(f.family == "Nedelec" for f in problem.fields):
        object.__setattr__(problem, "fields", tuple(_edge_field(f, dim) for f in problem.fields))
    names = [f.name for f in problem.fields]
    if len(set(names)) < len(names):
        raise InputError(f"two fields have the same name: {names}")


def _edge_field(field: Field, dim: int) -> Field:
    """A Nedelec field is a vector of the space's dimension, whether it says so or not."""
    if field.family != "Nedelec":
        return field
    if dim not in (2, 3) or field.shape not in ((), (dim,)):
        raise InputError(
            f"field {field.name!r}: a Nedelec field is a vector, of 2 components in 2-D and 3 in 3-D"
        )
    return replace(field, shape=(dim,))


def check_domain(domain: Any) -> None:
    if not all(hasattr(domain, attribute) for attribute in ("dim", "regions", "boundaries")):
        raise InputError(f"domain must be a geometry.Domain, Box or Ball, not {domain!r}")


def check_dirichlet(problem: Any) -> None:
    fields, domain = {f.name: f for f in problem.fields}, problem.domain
    seen: set[tuple] = set()
    for condition in problem.dirichlet:
        if not isinstance(condition, Dirichlet):
            raise InputError(f'dirichlet must hold Dirichlet("boundary", value), not {condition!r}')
        for name in condition.boundaries(domain):
            if name not in domain.boundaries:
                raise unknown("boundary", name, domain.boundaries)
        if condition.at is not None and len(condition.at) != domain.dim:
            raise InputError(f"{condition.label} needs {domain.dim} coordinates")
        if condition.field is None and len(fields) > 1:
            raise InputError(
                f"{condition.label} must name its field: field=... is one of {', '.join(map(repr, fields))}"
            )
        if condition.field is not None and condition.field not in fields:
            raise unknown("field", condition.field, fields)
        target = problem.fields[0] if condition.field is None else fields[condition.field]
        components: Sequence[int] = range(target.size)
        if condition.component is not None:
            if condition.component not in components:
                raise InputError(
                    f"{condition.label}: component must be one of 0 ... {target.size - 1}, the components of field "
                    f"{target.name!r}, not {condition.component!r}"
                )
            components = (condition.component,)
        check_datum(
            condition.value,
            target.shape if condition.component is None else (),
            f"the value of {condition.label} for field {target.name!r}",
            in_time=getattr(problem, "time", None) is not None,
        )
        for where in condition.boundaries(domain) or (condition.at,):
            for component in components:
                if (where, target.name, component) in seen:
                    raise InputError(
                        f"two Dirichlet conditions for field {target.name!r} on {where!r}: keep one of them"
                    )
                seen.add((where, target.name, component))


def check_periodic(problem: Any) -> None:
    boundaries, seen = problem.domain.boundaries, set()
    constrained = {name for condition in problem.dirichlet for name in condition.boundaries(problem.domain)}
    for pair in problem.periodic:
        if not isinstance(pair, Periodic):
            raise InputError(f'periodic must hold Periodic("left", "right"), not {pair!r}')
        for name in (pair.first, pair.second):
            if name not in boundaries:
                raise unknown("boundary", name, boundaries)
            if name in seen:
                raise InputError(
                    f"boundary {name!r} stands twice in periodic=...: it can equal one other only"
                )
            if name in constrained:
                raise InputError(
                    f"boundary {name!r} is periodic and has a Dirichlet condition: keep one of them"
                )
            seen.add(name)


def check_datum(value: Any, shape: tuple[int, ...], what: str, in_time: bool) -> None:
    """A datum must be a function of x (or of x, t), or an expression of the given shape."""
    if is_function(value):
        arity(value, (1, 2) if in_time else (1,), what, "x) or (x, t" if in_time else "x")
    else:
        as_expression(value, shape, what)


def arity(function: Callable, counts: tuple[int, ...], what: str, arguments: str) -> None:
    """InputError unless `function` can be called with one of `counts` positional arguments."""
    if not callable(function):
        raise InputError(f"{what} must be a function of ({arguments}), not {function!r}")
    try:
        signature = inspect.signature(function)
    except ValueError:  # a built-in function does not say
        return
    for count in counts:
        try:
            signature.bind(*range(count))
            return
        except TypeError:
            pass
    raise InputError(f"{what}{signature} must take the arguments ({arguments})")


def as_tuple(value: Any) -> tuple:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def coordinates(value: Any, what: str) -> tuple[float, ...]:
    try:
        return tuple(float(c) for c in np.atleast_1d(value))
    except (ValueError, TypeError) as error:
        raise InputError(f"{what} must be a number or a tuple of numbers, not {value!r}") from error
