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

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlpde.conditions import (
    Dirichlet,
    Field,
    arity,
    as_tuple,
    check_datum,
    check_dirichlet,
    check_domain,
    check_fields,
    check_periodic,
    coordinates,
)
from mlpde.errors import InputError, unknown
from mlpde.language import BOUNDED_DIMENSION, At, is_function


@dataclass(frozen=True)
class Problem:
    """A boundary value problem (steady, or in time), given by a weak form, an energy, or both.

    domain: `geometry.Domain`, `Box` or `Ball`.  fields: a Field or a list.
    weak_form(u, v, omega): linear in the test function v; with several fields `((u, p), (v, q), omega)`.
    energy(u, omega): its stationary point is the solution.
    dirichlet, periodic: conditions; everything else is natural.
    exact(x) (with time: exact(x, t)): the exact solution, or a dict of them by field name.
    time=(t0, t1), initial: a value or a function of x, or a pair (u0, v0) of them for an equation of second order in
    time; with several fields a dict by name.
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
        check_fields(self)
        check_domain(self.domain)
        object.__setattr__(self, "dirichlet", as_tuple(self.dirichlet))
        object.__setattr__(self, "periodic", as_tuple(self.periodic))
        if self.weak_form is None and self.energy is None:
            raise InputError("Problem needs weak_form=..., energy=..., or both")
        if self.weak_form is not None:
            arity(self.weak_form, (3,), "weak_form", "u, v, omega")
        if self.energy is not None:
            arity(self.energy, (2,), "energy", "u, omega")
        _check_time(self)
        check_dirichlet(self)
        check_periodic(self)
        _check_exact(self)

    @property
    def dim(self) -> int:
        """Number of space coordinates."""
        return self.domain.dim


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
        check_fields(self)
        check_domain(self.domain)
        object.__setattr__(self, "dirichlet", as_tuple(self.dirichlet))
        object.__setattr__(self, "periodic", as_tuple(self.periodic))
        arity(self.stiffness, (3,), "stiffness", "u, v, omega")
        arity(self.mass, (3,), "mass", "u, v, omega")
        if not isinstance(self.count, int) or self.count < 1:
            raise InputError(f"count must be a positive integer, not {self.count!r}")
        check_dirichlet(self)
        check_periodic(self)
        for condition in self.dirichlet:
            if is_function(condition.value) or np.any(np.asarray(condition.value) != 0):
                raise InputError(f"{condition.label}: an eigenproblem takes the value 0 only")

    @property
    def dim(self) -> int:
        """Number of space coordinates."""
        return self.domain.dim


@dataclass(frozen=True)
class SemilinearParabolic:
    """u_t + mu.grad u + 1/2 tr(sigma sigma^T grad grad u) + f(t, x, u, z) = 0, z = sigma^T grad u, u(T, .) = g.

    The equation holds on R^dim.
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
        if not isinstance(self.dim, int) or isinstance(self.dim, bool) or self.dim < 1:
            raise InputError(f"dim must be a positive integer, not {self.dim!r}")
        if not isinstance(self.horizon, int | float) or not 0 < self.horizon < math.inf:
            raise InputError(f"horizon must be a positive number, not {self.horizon!r}")
        x0 = coordinates(self.x0, "x0")
        if len(x0) not in (1, self.dim):
            raise InputError(
                f"x0 has {len(x0)} coordinates: one number, or dim = {self.dim} of them, are expected"
            )
        if not all(map(math.isfinite, x0)):
            raise InputError(f"x0 must be finite, not {self.x0!r}")
        object.__setattr__(self, "x0", x0 * self.dim if len(x0) == 1 else x0)
        object.__setattr__(self, "dirichlet", as_tuple(self.dirichlet))
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
            check_domain(self.domain)
            if self.dim > BOUNDED_DIMENSION or self.domain.dim != self.dim:
                raise InputError(
                    f"a mesh domain of dimension {self.domain.dim} does not fit dim = {self.dim}: "
                    f"they must be equal and at most {BOUNDED_DIMENSION}"
                )
            check_dirichlet(self)
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
    published: `{"quantity": (value, "source")}`, shown as a row of the report; the value at (0, x0) of a
    SemilinearParabolic is the quantity "y0".
    solvers: settings by solver name, `{"pinn": {"width": 24}}`, taken where the command line says nothing.
    digest: of the file that it was loaded from, not of what that imports: a run goes on only with the same.
    """

    name: str
    problem: Any
    quantities: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Callable] = field(default_factory=dict)
    published: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    solvers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    source: str = ""
    digest: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.problem, Problem | Eigenproblem | SemilinearParabolic):
            raise InputError(
                f"Case({self.name!r}): problem must be a Problem, Eigenproblem or SemilinearParabolic, "
                f"not {self.problem!r}"
            )
        if not isinstance(self.name, str) or not self.name or "/" in self.name:
            raise InputError(f"a case's name must be a text that can name a folder, not {self.name!r}")
        for kind in ("quantities", "outputs", "published", "solvers"):
            if not isinstance(getattr(self, kind), Mapping):
                raise InputError(
                    f"Case({self.name!r}): {kind} must be a dict by name, not {getattr(self, kind)!r}"
                )
        for name, quantity in self.quantities.items():
            function = quantity.expression if isinstance(quantity, At) else quantity
            arity(function, (2,), f"quantity {name!r}", "u, omega")
            if isinstance(quantity, At) and len(quantity.point) != self.problem.dim:
                raise InputError(
                    f"quantity {name!r}: the point {quantity.point} needs {self.problem.dim} coordinates"
                )
        if self.problem.domain is None and (self.quantities or self.outputs):
            raise InputError(
                f"Case({self.name!r}): quantities and outputs need a domain, this problem is on the whole space: "
                "its value at (0, x0) is reported by itself, as y0"
            )
        for name, output in self.outputs.items():
            arity(output, (2,), f"output {name!r}", "u, omega")
        for name, value in self.published.items():
            if not (isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], int | float)):
                raise InputError(f'published[{name!r}] must be (number, "source"), not {value!r}')
        for name, settings in self.solvers.items():
            if not isinstance(settings, Mapping):
                raise InputError(
                    f'solvers[{name!r}] must be settings such as {{"width": 24}}, not {settings!r}'
                )


def field_of(problem: Any, condition: Dirichlet) -> Field:
    """The field that a Dirichlet condition constrains."""
    return next(f for f in problem.fields if condition.field in (None, f.name))


def component_names(fields: Sequence[Field]) -> list[str]:
    """A name for each scalar component: "u" or "u[0]", "u[1]"."""
    return [f.name if not f.shape else f"{f.name}[{i}]" for f in fields for i in range(f.size)]


def exact_by_field(problem: Any) -> dict[str, Callable]:
    """The exact solutions that are known, by field name."""
    exact = getattr(problem, "exact", None) or {}
    return dict(exact) if isinstance(exact, Mapping) else {problem.fields[0].name: exact}


def initial_values(problem: Any, target: Field) -> tuple[Any, ...]:
    """What `problem.initial` says about a field: (u0,), or (u0, v0) with its rate; () if it says nothing."""
    initial = problem.initial
    if isinstance(initial, Mapping):
        if target.name not in initial:
            return ()
        initial = initial[target.name]
    pair = isinstance(initial, tuple) and len(initial) == 2
    if pair and (any(map(is_function, initial)) or _rank(initial) == len(target.shape) + 1):
        return initial
    return (initial,)


def _rank(value: Any) -> int:
    if isinstance(value, tuple | list):
        return 1 + max((_rank(v) for v in value), default=0)
    return len(getattr(value, "ufl_shape", ()))


def _check_time(problem: Problem) -> None:
    names = [f.name for f in problem.fields]
    if problem.time is None:
        if problem.initial is not None:
            raise InputError("initial=... needs time=(start, end)")
        return
    if not (
        isinstance(problem.time, tuple | list)
        and len(problem.time) == 2
        and all(isinstance(t, int | float) for t in problem.time)
        and problem.time[0] < problem.time[1]
    ):
        raise InputError(f"time must be (start, end) with start < end, not {problem.time!r}")
    if not all(map(math.isfinite, problem.time)):
        raise InputError(f"time must start and end: {problem.time!r} is not finite")
    object.__setattr__(problem, "time", (float(problem.time[0]), float(problem.time[1])))
    if problem.initial is None:
        raise InputError("a problem in time needs initial=...: the value of the fields at the start")
    if isinstance(problem.initial, Mapping):
        for name in problem.initial:
            if name not in names:
                raise unknown("field in initial", name, names)
    elif len(names) > 1:
        raise InputError(f"with several fields initial must be a dict by field name, of {', '.join(names)}")
    for f in problem.fields:
        for value in initial_values(problem, f):
            check_datum(value, f.shape, f"the initial value of field {f.name!r}", in_time=True)


def _check_exact(problem: Problem) -> None:
    names = [f.name for f in problem.fields]
    if problem.exact is not None and not isinstance(problem.exact, Mapping) and len(names) > 1:
        raise InputError(f"with several fields exact must be a dict by field name, of {', '.join(names)}")
    exact = problem.exact if isinstance(problem.exact, Mapping) else {names[0]: problem.exact}
    for name, function in exact.items():
        if name not in names:
            raise unknown("field in exact", name, names)
        if function is not None:
            arity(function, (2,) if problem.time else (1,), "exact", "x, t" if problem.time else "x")
    object.__setattr__(problem, "exact", {k: v for k, v in exact.items() if v is not None})
