"""What is to be solved: fields, conditions, problems and cases.  No solver, no discretisation.

    weak form   F(u; v) = 0 for all v          Problem(domain, fields, weak_form=...)
    energy      E(u) -> min                    Problem(domain, fields, energy=...)
    eigenvalue  a(u, v) = lambda m(u, v)       Eigenproblem(domain, fields, stiffness=a, mass=m)
    parabolic   u_t + mu.grad u + 1/2 tr(sigma sigma^T grad grad u) + f(t, x, u, z) = 0,  z = sigma^T grad u,
                u(T, .) = g                    SemilinearParabolic(dim, horizon, x0, driver=f, terminal=g, ...)

All functions are written in UFL.  Every object is frozen and checked when it is made: a wrong name, shape or number of
arguments raises InputError with one sentence.  What needs the symbolic form (linearity in the test function, ...) is
checked by `mlpde.formulation`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlpde.errors import InputError, unknown
from mlpde.language import BOUNDED_DIMENSION, At

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

    value: number, tuple, or a function of x (and t) that returns a UFL expression or tuple.
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
            object.__setattr__(self, "at", tuple(float(c) for c in self.at))
        if isinstance(self.boundary, list):
            object.__setattr__(self, "boundary", tuple(self.boundary))

    def boundaries(self, domain: Any) -> tuple[str, ...]:
        """The names this condition holds on ("all" resolved)."""
        if self.boundary is None:
            return ()
        if self.boundary == "all":
            return tuple(domain.boundaries)
        return (self.boundary,) if isinstance(self.boundary, str) else self.boundary


@dataclass(frozen=True)
class Periodic:
    """u on `first` equals u on `second`, which is `first` translated."""

    first: str
    second: str


def arity(function: Callable, counts: tuple[int, ...], what: str, arguments: str) -> None:
    """InputError unless `function` can be called with one of `counts` positional arguments."""
    if not callable(function):
        raise InputError(f"{what} must be a function of ({arguments}), not {function!r}")
    signature = inspect.signature(function)
    for count in counts:
        try:
            signature.bind(*range(count))
            return
        except TypeError:
            pass
    raise InputError(f"{what}{signature} must take the arguments ({arguments})")


def _tuple(value: Any) -> tuple:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _check_fields(problem: Any) -> None:
    object.__setattr__(problem, "fields", _tuple(problem.fields))
    if not problem.fields or not all(isinstance(f, Field) for f in problem.fields):
        raise InputError(f'fields must be Field("u") or a list of them, not {problem.fields!r}')
    names = [f.name for f in problem.fields]
    if len(set(names)) < len(names):
        raise InputError(f"two fields have the same name: {names}")


def _check_conditions(problem: Any, dirichlet: Sequence[Dirichlet], periodic: Sequence[Periodic]) -> None:
    fields, domain = {f.name: f for f in problem.fields}, problem.domain
    for attribute in ("dim", "regions", "boundaries"):
        if not hasattr(domain, attribute):
            raise InputError(f"domain must be a geometry.Domain, Box or Ball, not {domain!r}")
    seen: set[tuple] = set()
    for condition in dirichlet:
        if not isinstance(condition, Dirichlet):
            raise InputError(f'dirichlet must hold Dirichlet("boundary", value), not {condition!r}')
        for name in condition.boundaries(domain):
            if name not in domain.boundaries:
                raise unknown("boundary", name, domain.boundaries)
        if condition.at is not None and len(condition.at) != domain.dim:
            raise InputError(f"Dirichlet(at={condition.at}) needs {domain.dim} coordinates")
        if condition.field is None and len(fields) > 1:
            raise InputError(f"{condition} must name its field: there are {sorted(fields)}")
        if condition.field is not None and condition.field not in fields:
            raise unknown("field", condition.field, fields)
        target = field_of(problem, condition)
        if condition.component is not None and not 0 <= condition.component < max(target.size, 1):
            raise InputError(f"{condition}: field {target.name!r} has components 0 ... {target.size - 1}")
        if callable(condition.value):
            counts = (1, 2) if getattr(problem, "time", None) else (1,)
            arity(
                condition.value,
                counts,
                f"the value of Dirichlet({condition.boundary!r})",
                "x" + ", t" * (len(counts) - 1),
            )
        for name in condition.boundaries(domain):
            key = (name, target.name, condition.component)
            if key in seen:
                raise InputError(f"two Dirichlet conditions for field {target.name!r} on boundary {name!r}")
            seen.add(key)
    for pair in periodic:
        for name in (pair.first, pair.second):
            if name not in domain.boundaries:
                raise unknown("boundary", name, domain.boundaries)


def field_of(problem: Any, condition: Dirichlet) -> Field:
    """The field that a Dirichlet condition constrains."""
    return next(f for f in problem.fields if condition.field in (None, f.name))


@dataclass(frozen=True)
class Problem:
    """A boundary value problem (steady, or in time), given by a weak form, an energy, or both.

    domain: `geometry.Domain`, `Box` or `Ball`.  fields: a Field or a list.
    weak_form(u, v, omega): linear in the test function v; with several fields `((u, p), (v, q), omega)`.
    energy(u, omega): its stationary point is the solution.
    dirichlet, periodic: conditions; everything else is natural.
    exact(x) (with time: exact(x, t)): the exact solution, or a dict of them by field name.
    time=(t0, t1), initial(x): a value, or a pair (u0, v0) for an equation of second order in time; with several fields
    a dict by name.
    """

    domain: Any
    fields: Any
    weak_form: Callable | None = None
    energy: Callable | None = None
    dirichlet: Any = ()
    periodic: Any = ()
    exact: Any = None
    time: tuple[float, float] | None = None
    initial: Any = None

    def __post_init__(self) -> None:
        _check_fields(self)
        object.__setattr__(self, "dirichlet", _tuple(self.dirichlet))
        object.__setattr__(self, "periodic", _tuple(self.periodic))
        if self.weak_form is None and self.energy is None:
            raise InputError("Problem needs weak_form=..., energy=..., or both")
        if self.weak_form is not None:
            arity(self.weak_form, (3,), "weak_form", "u, v, omega")
        if self.energy is not None:
            arity(self.energy, (2,), "energy", "u, omega")
        if self.time is not None:
            if len(_tuple(self.time)) != 2 or not self.time[0] < self.time[1]:
                raise InputError(f"time must be (start, end) with start < end, not {self.time}")
            if self.initial is None:
                raise InputError("a problem in time needs initial=...: the value of the fields at the start")
        elif self.initial is not None:
            raise InputError("initial=... needs time=(start, end)")
        _check_conditions(self, self.dirichlet, self.periodic)
        exact = self.exact if isinstance(self.exact, Mapping) else {self.fields[0].name: self.exact}
        for name, function in exact.items():
            if name not in [f.name for f in self.fields]:
                raise unknown("field in exact", name, [f.name for f in self.fields])
            if function is not None:
                arity(function, (2,) if self.time else (1,), "exact", "x, t" if self.time else "x")
        object.__setattr__(self, "exact", {k: v for k, v in exact.items() if v is not None})


@dataclass(frozen=True)
class Eigenproblem:
    """stiffness(u, v) = lambda mass(u, v): the `count` eigenvalues nearest to `target` (None: the smallest)."""

    domain: Any
    fields: Any
    stiffness: Callable
    mass: Callable
    dirichlet: Any = ()
    periodic: Any = ()
    count: int = 5
    target: float | None = None

    def __post_init__(self) -> None:
        _check_fields(self)
        object.__setattr__(self, "dirichlet", _tuple(self.dirichlet))
        object.__setattr__(self, "periodic", _tuple(self.periodic))
        arity(self.stiffness, (3,), "stiffness", "u, v, omega")
        arity(self.mass, (3,), "mass", "u, v, omega")
        if not isinstance(self.count, int) or self.count < 1:
            raise InputError(f"count must be a positive integer, not {self.count!r}")
        _check_conditions(self, self.dirichlet, self.periodic)
        for condition in self.dirichlet:
            if callable(condition.value) or any(c != 0 for c in _tuple(condition.value)):
                raise InputError(
                    f"an eigenproblem takes homogeneous Dirichlet conditions, not {condition.value!r}"
                )


@dataclass(frozen=True)
class SemilinearParabolic:
    """u_t + mu.grad u + 1/2 tr(sigma sigma^T grad grad u) + f(t, x, u, z) = 0, z = sigma^T grad u, u(T, .) = g, on R^dim.

    horizon: T.  x0: the point (a number or `dim` numbers) where u(0, x0) is wanted.
    drift(t, x) -> (dim,), default 0.  diffusion(t, x) -> scalar, vector (diagonal) or matrix, default 1.
    driver(t, x, y, z) -> f.  terminal(x) -> g.  exact(x, t): u where it is known.
    domain, dirichlet: truncate space for mesh solvers (dim <= 3); `dirichlet` as in Problem, field "u".
    """

    dim: int
    horizon: float
    x0: Any
    driver: Callable
    terminal: Callable
    drift: Callable | None = None
    diffusion: Callable | None = None
    exact: Callable | None = None
    domain: Any = None
    dirichlet: Any = ()
    fields: tuple[Field, ...] = field(default=(Field("u"),), init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.dim, int) or self.dim < 1:
            raise InputError(f"dim must be a positive integer, not {self.dim!r}")
        if not self.horizon > 0:
            raise InputError(f"horizon must be positive, not {self.horizon!r}")
        x0 = tuple(float(c) for c in _tuple(self.x0))
        if len(x0) not in (1, self.dim):
            raise InputError(f"x0 has {len(x0)} coordinates; dim is {self.dim}")
        object.__setattr__(self, "x0", x0 * self.dim if len(x0) == 1 else x0)
        object.__setattr__(self, "dirichlet", _tuple(self.dirichlet))
        arity(self.driver, (4,), "driver", "t, x, y, z")
        arity(self.terminal, (1,), "terminal", "x")
        for name, function, arguments in (
            ("drift", self.drift, "t, x"),
            ("diffusion", self.diffusion, "t, x"),
            ("exact", self.exact, "x, t"),
        ):
            if function is not None:
                arity(function, (2,), name, arguments)
        if self.domain is not None:
            if self.dim > BOUNDED_DIMENSION or self.domain.dim != self.dim:
                raise InputError(
                    f"a mesh domain of dimension {self.domain.dim} does not fit dim = {self.dim}: "
                    f"they must be equal and at most {BOUNDED_DIMENSION}"
                )
            _check_conditions(self, self.dirichlet, ())
        elif self.dirichlet:
            raise InputError("dirichlet=... needs domain=...: without one the problem is on the whole space")

    @property
    def time(self) -> tuple[float, float]:
        """(0, horizon)."""
        return (0.0, self.horizon)


@dataclass(frozen=True)
class Case:
    """A problem with what to measure and where its numbers come from.

    quantities: integrals `lambda u, omega: ... * omega.dx` or point values `At(point, lambda u, omega: ...)`.
    outputs: pointwise fields `lambda u, omega: ...` (a stress, a flux): compared, plotted, exported.
    published: `{"quantity": (value, "source")}`, shown as a row of the report.
    solvers: settings by solver name, `{"pinn": {"width": 24}}`, taken where the command line says nothing.
    """

    name: str
    problem: Any
    quantities: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Callable] = field(default_factory=dict)
    published: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    solvers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.problem, Problem | Eigenproblem | SemilinearParabolic):
            raise InputError(
                f"Case({self.name!r}): problem must be a Problem, Eigenproblem or SemilinearParabolic"
            )
        for name, quantity in self.quantities.items():
            function = quantity.expression if isinstance(quantity, At) else quantity
            arity(function, (2,), f"quantity {name!r}", "u, omega")
            if isinstance(quantity, At) and len(_tuple(quantity.point)) != self.problem.domain.dim:
                raise InputError(
                    f"quantity {name!r}: the point {quantity.point} needs {self.problem.domain.dim} coordinates"
                )
        for name, output in self.outputs.items():
            arity(output, (2,), f"output {name!r}", "u, omega")
        for name, value in self.published.items():
            if not (isinstance(value, tuple) and len(value) == 2):
                raise InputError(f'published[{name!r}] must be (value, "source"), not {value!r}')
