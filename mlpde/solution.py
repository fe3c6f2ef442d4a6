"""Solution: what every solver returns, a function of space (and time) with a record of how it was found.

Points are (n, d), in time with `t` beside them; values (n, *shape), gradients (n, *shape, d).  The representation is a
Model: finite elements, random features, a network, the exact solution.  A Solution only adds names, shapes, the domain
(nan outside) and the comparison with another one.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlpde.errors import InputError, unknown
from mlpde.modes import alignment
from mlpde.problem import Case, Field, SemilinearParabolic
from mlpde.relative_errors import errors_of_fields, errors_of_outputs
from mlpde.saved_solution import load, save

QUADRATURE_DEGREE = 6  # of the errors, in space

Array = NDArray[np.float64]
Derivative = tuple[
    int, ...
]  # () value, (i,) first, (i, j) with i <= j second; directions 0..d-1 space, d time


class Model(Protocol):
    """A representation: all scalar components m = 0..M-1 (fields in order, each flattened in C order) at once."""

    kind: ClassVar[str]

    def jets(self, points: Array, derivatives: Iterable[Derivative]) -> Mapping[Derivative, Array]:
        """The derivatives asked for, each (n, M), at points (n, D) with D = d, or d + 1 in time."""
        ...

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Arrays and JSON settings from which `from_state` restores the model."""
        ...

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray], settings: Mapping[str, Any]) -> Model: ...


class Samples(NamedTuple):
    """A function on its own quadrature points: points (n, d), weights (n,), values (n, M), gradients (n, M, d).

    Of eigenmodes: values (n, modes, M), gradients (n, modes, M, d).
    """

    points: Array
    weights: Array
    values: Array
    gradients: Array


@dataclass(frozen=True)
class Solution:
    """A function of space (and time) that a solver found.

    solver: its name in `mlpde.solvers.SOLVERS`.  config: repr of the solver.
    mesh: decides what is inside; None: everything is, or what `problem.domain.contains` says.
    info: JSON-able record: seconds, cpu_seconds, unknowns, seed, history (list of dicts), versions, warnings.
    case: the Case or Problem that was solved, None in a loaded solution.
    """

    solver: str
    config: str
    fields: tuple[Field, ...]
    model: Model
    mesh: Any = None
    info: dict[str, Any] = attribute(default_factory=dict)
    case: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(self.fields))
        object.__setattr__(self, "info", {**_facts(self.problem, self.mesh), **self.info})

    def __repr__(self) -> str:
        names = ", ".join(f.name for f in self.fields)
        return f"Solution({names} by {self.config}, {self.info.get('unknowns', '?')} unknowns, mesh={self.mesh!r})"

    @property
    def problem(self) -> Any:
        """The problem that was solved; None in a loaded solution."""
        return self.case.problem if isinstance(self.case, Case) else self.case

    @property
    def dim(self) -> int:
        """Number of space coordinates d."""
        return self.info["dim"]

    @property
    def time(self) -> tuple[float, float] | None:
        """(start, end), or None for a steady problem."""
        return tuple(self.info["time"]) if self.info.get("time") else None

    def evaluate(self, points: ArrayLike, t: ArrayLike | None = None) -> dict[str, Array]:
        """Values (n, *shape) by field name at points (n, d); nan, with one warning, outside the domain.

        t: a time or n times; by default the final one (of a SemilinearParabolic: 0, where its solution is wanted).
        """
        jet = self._inside_jets(points, t, [()])[()]
        return {f.name: jet[:, columns].reshape(-1, *f.shape) for f, columns in self.columns}

    def __call__(self, points: ArrayLike, t: ArrayLike | None = None) -> Array:
        """Values (n, *shape) of the single field."""
        return self.evaluate(points, t)[self._field(None).name]

    def gradient(self, points: ArrayLike, t: ArrayLike | None = None, field: str | None = None) -> Array:
        """Gradient in space (n, *shape, d) of the single field, or of the one named."""
        target = self._field(field)
        columns = {f.name: c for f, c in self.columns}[target.name]
        directions = [(i,) for i in range(self.dim)]
        jets = self._inside_jets(points, t, directions)
        gradient = np.stack([jets[i][:, columns] for i in directions], axis=-1)
        return gradient.reshape(-1, *target.shape, self.dim)

    @property
    def is_eigen(self) -> bool:
        """True for the solution of an eigenproblem."""
        return hasattr(self.model, "eigenvalues")

    @property
    def eigenvalues(self) -> Array:
        """The eigenvalues, ascending; InputError if the problem was no eigenproblem."""
        if not self.is_eigen:
            raise InputError("the problem that was solved is no eigenproblem: it has no eigenvalues")
        return np.asarray(self.model.eigenvalues)  # type: ignore[attr-defined]

    def __getitem__(self, k: int) -> Solution:
        """Eigenmode k, from 0; evaluated itself, the solution of an eigenproblem is its first mode."""
        if not 0 <= k < len(self.eigenvalues):
            raise InputError(f"mode {k}: the solution has the modes 0 to {len(self.eigenvalues) - 1}")
        return replace(self, model=self.model.mode(k))  # type: ignore[attr-defined]

    def __iter__(self) -> Iterator[Solution]:
        """The eigenmodes, one after the other."""
        return (self[k] for k in range(len(self.eigenvalues)))

    def aligned(self, reference: Solution) -> Solution:
        """The eigenmodes as combinations, within multiple eigenvalues, that are nearest to the reference's in L2."""
        count = min(len(self.eigenvalues), len(reference.eigenvalues))
        points, weights, known, _ = reference.samples
        own = self.model.mode_jets(points, [()])[()]  # type: ignore[attr-defined]
        coefficients = alignment(weights, own[:, :count], known[:, :count], reference.eigenvalues[:count])
        return replace(self, model=self.model.combined(coefficients))  # type: ignore[attr-defined]

    @property
    def eigenvalue_quantities(self) -> dict[str, float]:
        """{"eigenvalue 1": ...}; empty if there are none."""
        return (
            {f"eigenvalue {k + 1}": float(v) for k, v in enumerate(self.eigenvalues)} if self.is_eigen else {}
        )

    def flags(self, points: ArrayLike) -> NDArray[np.int8]:
        """Where each of the points (n, d) lies: 0 inside, 1 extrapolated, 2 outside the domain.

        1: outside the mesh, but within its distance from the exact curved boundary; the value there is that of the
        nearest cell's polynomial.  Without a mesh there is no 1.
        """
        if self.mesh is None:
            return np.where(self.outside(points), 2, 0).astype(np.int8)
        return self.mesh.locate(self._checked(points))[2]

    def outside(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Which of the points (n, d) lie outside the domain."""
        points = self._checked(points)
        where = self.mesh if self.mesh is not None else getattr(self.problem, "domain", None)
        return np.zeros(len(points), dtype=bool) if where is None else ~where.contains(points)

    def outputs(self, points: ArrayLike, t: ArrayLike | None = None) -> dict[str, Array]:
        """The case's outputs (a stress, a flux) at points (n, d); nan outside the domain.  t: as in `evaluate`."""
        points = self._checked(points)
        outside = self.outside(points)
        return {name: _hidden(value, outside) for name, value in self.pointwise_outputs(points, t).items()}

    def values(self, points: ArrayLike, times: Sequence[float | None]) -> list[dict[str, Array]]:
        """Fields and outputs by name at points (n, d), at each of the times, None for the default one; nan outside.

        As `evaluate` and `outputs`, but which points lie inside is asked once, and no warning is given.
        """
        points = self._checked(points)
        outside, found = self.outside(points), []
        for t in times:
            jet = self.jets(points, [()], t)[()]
            one = {f.name: jet[:, columns].reshape(-1, *f.shape) for f, columns in self.columns}
            one |= self.pointwise_outputs(points, t)
            found.append({name: _hidden(value, outside) for name, value in one.items()})
        return found

    def pointwise_outputs(self, points: Array, t: ArrayLike | None = None) -> dict[str, Array]:
        from mlpde.formulation import functional

        points = self._in_time(points, t)
        return {
            name: np.array(functional.pointwise(output, self.problem, points, self.model.jets))
            for name, output in getattr(self.case, "outputs", {}).items()
        }

    @cached_property
    def quantities(self) -> dict[str, Any]:
        """The case's quantities by name, at the default time; of a SemilinearParabolic also y0, the value at (0, x0).

        Numbers; what a solver knows with an interval is {"value", "ci95", "bias", "lower", "upper"}.
        """
        own = dict(self.info.get("quantities", {}))
        if not isinstance(self.case, Case):
            return own
        if isinstance(self.problem, SemilinearParabolic) and "y0" not in own:
            own["y0"] = float(self.jets([self.problem.x0], [()])[()][0, 0])
        if not self.case.quantities:
            return self.eigenvalue_quantities | own
        from mlpde.formulation import functional

        where = (
            self.mesh if self.mesh is not None else self.problem.domain
        )  # of an eigenproblem: of its first mode
        return (
            self.eigenvalue_quantities
            | own
            | {
                name: functional.integrate(
                    quantity, self.problem, self.model.jets, where, self.info.get("default_time")
                )
                for name, quantity in self.case.quantities.items()
            }
        )

    def jets(self, points: ArrayLike, derivatives: Iterable[Derivative], t: ArrayLike | None = None) -> Any:
        """Derivatives (n, M) of all components at points (n, d), without the inside test."""
        return self.model.jets(self._in_time(self._checked(points), t), list(derivatives))

    def error(self, reference: Solution) -> dict[str, dict[str, Any]]:
        """Relative errors by field name, on the reference's quadrature points.

        Of eigenmodes: the worst of them, compared as subspaces (`aligned`).

        l2 = |u - r| / |r| in L2; h1 the same in the full H1 norm; max = max |u - r| / max |r|; vectors are
        measured in the Euclidean norm, mean_zero fields are shifted to mean zero first.  In time these hold at the
        default time, and l2_time is in L2(0, T; L2).  y0 is the error at (0, x0) of a SemilinearParabolic, on
        the whole space, and of a model that holds near paths from x0 alone, the only one.  A zero reference gives
        absolute errors, with "absolute": True.
        """
        return errors_of_fields(self, reference)

    def output_errors(self, reference: Solution) -> dict[str, dict[str, Any]]:
        """Relative l2 and max errors of the case's outputs, on the reference's quadrature points, as in `error`."""
        return errors_of_outputs(self, reference)

    @cached_property
    def samples(self) -> Samples:
        """The values on the quadrature points, kept: many solutions are compared with one reference.

        Without a mesh these are the fixed Sobol points of a Box or a Ball.
        """
        where = self.mesh if self.mesh is not None else getattr(self.problem, "domain", None)
        if where is None:
            raise InputError(
                f"the solution by {self.solver} has no mesh and its problem is not known: it cannot be the reference "
                "of an error"
            )
        return self.sampled(*where.quadrature(QUADRATURE_DEGREE))

    def save(self, directory: str | Path) -> Path:
        """Write the solution into `directory` (replaced as a whole if it holds a solution already)."""
        return save(self, Path(directory))

    @classmethod
    def load(cls, directory: str | Path) -> Solution:
        """Restore a saved solution: everything but its case.  No code is executed."""
        return cls(**load(Path(directory)))

    def export(
        self, path: str | Path, times: float | Sequence[float] | None = None, mesh: Any = None
    ) -> Path:
        """Write fields and outputs for ParaView, at the nodes of a mesh; `path` ends with .vtu or .pvd.

        .vtu: one time, by default the default time.  .pvd: a series of .vtu files in a folder of the same name, by
        default at 21 even times from start to end.
        mesh: by default the solution's own.  Raises InputError if there is none, or the problem has no time to show.
        """
        from mlpde.series import export

        return export(self, Path(path), times, mesh)

    def plot(self) -> Any:
        """A matplotlib figure of the fields at the default time."""
        from mlpde.plotting import solution_figure

        return solution_figure(self)

    @cached_property
    def columns(self) -> tuple[tuple[Field, slice], ...]:
        ends = np.cumsum([f.size for f in self.fields])
        return tuple((f, slice(int(e) - f.size, int(e))) for f, e in zip(self.fields, ends, strict=True))

    def _field(self, name: str | None) -> Field:
        if name is None and len(self.fields) > 1:
            raise InputError(f"name the field: the solution has {', '.join(f.name for f in self.fields)}")
        for f in self.fields:
            if name in (None, f.name):
                return f
        raise unknown("field", name, [f.name for f in self.fields])

    def _checked(self, points: ArrayLike) -> Array:
        points = _real("points", points)
        if points.ndim != 2 or points.shape[1] != self.dim:
            raise InputError(f"points must have the shape (n, {self.dim}), not {points.shape}")
        return points

    def _in_time(self, points: Array, t: ArrayLike | None) -> Array:
        if self.time is None:
            if t is not None:
                raise InputError("t is given, but the problem has no time")
            return points
        times = _real("t", self.info["default_time"] if t is None else t)
        start, end = self.time
        if times.shape not in ((), (len(points),)) or not np.all((times >= start) & (times <= end)):
            given = f"{times:g}" if times.ndim == 0 else f"an array of the shape {times.shape}"
            raise InputError(
                f"t must be one time or {len(points)} times, between {start:g} and {end:g}, not {given}"
            )
        return np.column_stack([points, np.broadcast_to(times, len(points))])

    def _inside_jets(self, points: ArrayLike, t: ArrayLike | None, derivatives: Sequence[Derivative]) -> Any:
        points = self._checked(points)
        outside = self.outside(points)
        if outside.any():
            warnings.warn(
                f"{outside.sum()} of {len(points)} points lie outside the domain: nan there", stacklevel=3
            )
        jets = self.jets(points, derivatives, t)
        return {key: _hidden(value, outside) for key, value in jets.items()}

    def sampled(self, points: Array, weights: Array) -> Samples:
        # no inside test: these are points of the reference's mesh, on a curved boundary perhaps not of this one's
        directions = [(i,) for i in range(self.dim)]
        if self.is_eigen:
            jets = self.model.mode_jets(points, [(), *directions])  # type: ignore[attr-defined]
        else:
            jets = self.jets(points, [(), *directions])
        return Samples(
            points, weights, np.asarray(jets[()]), np.stack([jets[i] for i in directions], axis=-1)
        )


def _hidden(values: Array, where: NDArray[np.bool_]) -> Array:
    """The values (n, ...) with nan at the places (n,)."""
    return np.where(where.reshape(-1, *[1] * (values.ndim - 1)), np.nan, values)


def _facts(problem: Any, mesh: Any) -> dict[str, Any]:
    """The facts about the problem that a saved solution needs: dimension and time."""
    if problem is None:
        return {} if mesh is None else {"dim": mesh.dim}
    time = getattr(problem, "time", None)
    if not time:
        return {"dim": problem.dim}
    backward = isinstance(problem, SemilinearParabolic)
    return {
        "dim": problem.dim,
        "time": [float(t) for t in time],
        "default_time": float(time[0 if backward else 1]),
    }


def _real(what: str, values: ArrayLike) -> Array:
    """Real numbers in double precision."""
    try:
        array = np.asarray(values)
    except ValueError as error:  # lists of different lengths
        raise InputError(f"{what} must be an array of numbers: {error}") from error
    if array.dtype.kind not in "iuf":
        raise InputError(f"{what} must be real numbers, not {array.dtype.name}")
    return array.astype(np.float64, copy=False)
