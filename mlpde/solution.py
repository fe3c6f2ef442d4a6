"""Solution: what every solver returns, a function of space (and time) with a record of how it was found.

Points are (n, d), in time with `t` beside them; values (n, *shape), gradients (n, *shape, d).  The representation is a
Model: finite elements, random features, a network, the exact solution.  A Solution only adds names, shapes, the domain
(nan outside) and the comparison with another one.
"""

from __future__ import annotations

import importlib
import json
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from dataclasses import field as attribute
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlpde.errors import InputError, unknown
from mlpde.files import plain, replacing
from mlpde.modes import alignment
from mlpde.problem import Case, Field, SemilinearParabolic
from mlpde.start_report import value_of

MODELS = {
    "fem": "reference_fem.function:FiniteElementFunction",
    "fem_in_time": "reference_fem.time_function:FiniteElementHistory",
    "fem_modes": "reference_fem.modes:FiniteElementModes",
    "random_features": "mlpde.representation.models:RandomFeatureModel",
    "random_features_in_blocks": "mlpde.representation.models:TimeBlocks",
    "random_features_by_region": "mlpde.representation.models:Regionwise",
    "mean_free": "mlpde.representation.models:MeanFree",
    "network": "mlpde.representation.models:NetworkModel",
    "backward": "mlpde.backward:Backward",
    "backward_regression": "mlpde.representation.regression_model:BackwardRegression",
    "value_at_start": "mlpde.representation.start_value:ValueAtStart",
    "network_modes": "mlpde.representation.network_modes:NetworkModes",
}
FORMAT = 1  # of a saved solution; another one is refused
QUADRATURE_DEGREE = 6  # of the errors, in space
TIME_NODES = 8  # of the errors in L2(0, T): Gauss-Legendre

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
        return {f.name: jet[:, columns].reshape(-1, *f.shape) for f, columns in self._columns}

    def __call__(self, points: ArrayLike, t: ArrayLike | None = None) -> Array:
        """Values (n, *shape) of the single field."""
        return self.evaluate(points, t)[self._field(None).name]

    def gradient(self, points: ArrayLike, t: ArrayLike | None = None, field: str | None = None) -> Array:
        """Gradient in space (n, *shape, d) of the single field, or of the one named."""
        target = self._field(field)
        columns = {f.name: c for f, c in self._columns}[target.name]
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
        return {name: _hidden(value, outside) for name, value in self._outputs(points, t).items()}

    def values(self, points: ArrayLike, times: Sequence[float | None]) -> list[dict[str, Array]]:
        """Fields and outputs by name at points (n, d), at each of the times, None for the default one; nan outside.

        As `evaluate` and `outputs`, but which points lie inside is asked once, and no warning is given.
        """
        points = self._checked(points)
        outside, found = self.outside(points), []
        for t in times:
            jet = self.jets(points, [()], t)[()]
            one = {f.name: jet[:, columns].reshape(-1, *f.shape) for f, columns in self._columns}
            one |= self._outputs(points, t)
            found.append({name: _hidden(value, outside) for name, value in one.items()})
        return found

    def _outputs(self, points: Array, t: ArrayLike | None = None) -> dict[str, Array]:
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
        if [(f.name, f.shape) for f in self.fields] != [(f.name, f.shape) for f in reference.fields]:
            raise InputError(
                f"the solution by {self.solver} has the fields {[f.name for f in self.fields]}, the reference by "
                f"{reference.solver} has {[f.name for f in reference.fields]} (or other shapes)"
            )
        if self.is_eigen:
            return self._mode_errors(reference)
        start = self._error_at_start(reference)
        whole_space = isinstance(reference.problem, SemilinearParabolic) and reference.problem.domain is None
        if whole_space or getattr(self.model, "local", False):
            return {self.fields[0].name: start}
        known = reference.samples
        own = self._sample(known.points, known.weights)
        errors: dict[str, dict[str, Any]] = {}
        for f, columns in self._columns:
            difference = own.values[:, columns] - known.values[:, columns]
            size = known.values[:, columns]
            if f.mean_zero:
                difference, size = (v - known.weights @ v / known.weights.sum() for v in (difference, size))
            slope = own.gradients[:, columns] - known.gradients[:, columns]
            errors[f.name] = _relative(known.weights, difference, size, slope, known.gradients[:, columns])
        if self.time and reference.time:
            for name, value in self._errors_over_time(reference).items():
                errors[name]["l2_time"] = value
        if not start.get("absolute"):  # which would be said of the others too
            errors[self.fields[0].name] |= start
        return errors

    def _error_at_start(self, reference: Solution) -> dict[str, Any]:
        """{"y0": error}; empty unless both know the value at (0, x0)."""
        own, known = (value_of(one.quantities.get("y0")) for one in (self, reference))
        if own is None or known is None or not isinstance(self.problem, SemilinearParabolic):
            return {}
        return {"y0": abs(own - known) / abs(known)} if known else {"y0": abs(own), "absolute": True}

    def output_errors(self, reference: Solution) -> dict[str, dict[str, Any]]:
        """Relative l2 and max errors of the case's outputs, on the reference's quadrature points, as in `error`."""
        if self.is_eigen or not getattr(reference.case, "outputs", {}):
            return {}  # the sign of a mode, and so that of an output, is arbitrary
        points, weights = reference.samples.points, reference.samples.weights
        own, known = self._outputs(points), reference._outputs(points)
        flat = {name: [v.reshape(len(points), -1) for v in (own[name], known[name])] for name in known}
        return {name: _relative(weights, value - size, size) for name, (value, size) in flat.items()}

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
        return self._sample(*where.quadrature(QUADRATURE_DEGREE))

    def save(self, directory: str | Path) -> Path:
        """Write the solution into `directory` (replaced as a whole if it holds a solution already)."""
        from safetensors.numpy import save_file

        directory = Path(directory)
        if directory.exists() and not (directory / "solution.json").exists() and any(directory.iterdir()):
            raise InputError(f"{directory} exists and is not a saved solution: give another folder")
        arrays, settings = self.model.state()
        arrays = {f"model.{name}": value for name, value in arrays.items()}
        if self.mesh is not None:
            arrays |= {f"mesh.{name}": value for name, value in self.mesh.arrays().items()}
        info = self.info | ({"quantities": self.quantities} if isinstance(self.case, Case) else {})
        record = {
            "format": FORMAT,
            "solver": self.solver,
            "config": self.config,
            "fields": [asdict(f) for f in self.fields],
            "model": {"kind": self.model.kind, "settings": settings},
            "info": plain(info),
        }
        with replacing(directory) as temporary:
            contiguous = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
            save_file(contiguous, temporary / "solution.safetensors")
            (temporary / "solution.json").write_text(json.dumps(record, indent=1))
        return directory

    @classmethod
    def load(cls, directory: str | Path) -> Solution:
        """Restore a saved solution: everything but its case.  No code is executed."""
        from safetensors.numpy import load_file

        directory = Path(directory)
        if not (directory / "solution.json").is_file():
            raise InputError(f"{directory} is not a saved solution: it has no solution.json")
        record = json.loads((directory / "solution.json").read_text())
        if record.get("format") != FORMAT:
            raise InputError(
                f"{directory} has the format {record.get('format')}, this version reads {FORMAT}: solve it again"
            )
        arrays = load_file(directory / "solution.safetensors")
        parts: dict[str, dict[str, NDArray]] = {"model": {}, "mesh": {}}
        for name, value in arrays.items():
            part, key = name.split(".", 1)
            parts[part][key] = value
        mesh = None
        if parts["mesh"]:
            from geometry import Mesh

            mesh = Mesh.from_arrays(parts["mesh"])
        model = model_class(record["model"]["kind"]).from_state(parts["model"], record["model"]["settings"])
        fields = tuple(Field(**(f | {"shape": tuple(f["shape"])})) for f in record["fields"])
        return cls(record["solver"], record["config"], fields, model, mesh, record["info"])

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
    def _columns(self) -> tuple[tuple[Field, slice], ...]:
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
        points = np.asarray(points, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != self.dim:
            raise InputError(f"points must have the shape (n, {self.dim}), not {points.shape}")
        return points

    def _in_time(self, points: Array, t: ArrayLike | None) -> Array:
        if self.time is None:
            if t is not None:
                raise InputError("t is given, but the problem has no time")
            return points
        times = np.asarray(self.info["default_time"] if t is None else t, dtype=np.float64)
        start, end = self.time
        if times.shape not in ((), (len(points),)) or not np.all((times >= start) & (times <= end)):
            raise InputError(f"t must be one time or {len(points)} times, between {start:g} and {end:g}")
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

    def _sample(self, points: Array, weights: Array) -> Samples:
        # no inside test: these are points of the reference's mesh, on a curved boundary perhaps not of this one's
        directions = [(i,) for i in range(self.dim)]
        if self.is_eigen:
            jets = self.model.mode_jets(points, [(), *directions])  # type: ignore[attr-defined]
        else:
            jets = self.jets(points, [(), *directions])
        return Samples(
            points, weights, np.asarray(jets[()]), np.stack([jets[i] for i in directions], axis=-1)
        )

    def _mode_errors(self, reference: Solution) -> dict[str, dict[str, Any]]:
        """As `error`: the worst of all modes, after `aligned`."""
        known, one = reference.samples, self.aligned(reference)
        own = one._sample(known.points, known.weights)
        worst: dict[str, dict[str, Any]] = {}
        for f, columns in self._columns:
            errors = []
            for k in range(len(one.eigenvalues)):
                e, size = own.values[:, k, columns] - known.values[:, k, columns], known.values[:, k, columns]
                slope = own.gradients[:, k, columns] - known.gradients[:, k, columns]
                errors.append(_relative(known.weights, e, size, slope, known.gradients[:, k, columns]))
            worst[f.name] = {
                measure: max(error[measure] for error in errors) for measure in ("l2", "max", "h1")
            }
        return worst

    def _errors_over_time(self, reference: Solution) -> dict[str, float]:
        start, end = reference.time or (0.0, 0.0)
        nodes, weights = np.polynomial.legendre.leggauss(TIME_NODES)
        points, volumes, *_ = reference.samples
        squares = {f.name: np.zeros(2) for f in self.fields}
        for t, weight in zip((start + end) / 2 + (end - start) / 2 * nodes, weights, strict=True):
            own, known = (s.jets(points, [()], t)[()] for s in (self, reference))
            for f, columns in self._columns:
                pair = [own[:, columns] - known[:, columns], known[:, columns]]
                if f.mean_zero:
                    pair = [v - volumes @ v / volumes.sum() for v in pair]
                squares[f.name] += weight * np.array([volumes @ np.sum(v**2, axis=1) for v in pair])
        return {name: math.sqrt(e / s if s > 0 else e) for name, (e, s) in squares.items()}


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


def _relative(
    weights: Array, e: Array, r: Array, grad_e: Array | None = None, grad_r: Array | None = None
) -> dict[str, Any]:
    """l2, max, with gradients (n, M, d) h1, of the error e (n, M) relative to r, or absolute where r is zero."""

    def measures(values: Array, gradients: Array | None) -> dict[str, float]:
        squares = np.sum(values**2, axis=1)
        found = {"l2": math.sqrt(weights @ squares), "max": math.sqrt(squares.max())}
        if gradients is not None:
            found["h1"] = math.sqrt(weights @ (squares + np.sum(gradients**2, axis=(1, 2))))
        return found

    absolute, size = measures(e, grad_e), measures(r, grad_r)
    if size["l2"] == 0:
        return {**absolute, "absolute": True}
    return {key: absolute[key] / size[key] for key in absolute}


def model_class(kind: str) -> Any:
    """The class of MODELS; InputError for a kind that there is not."""
    if kind not in MODELS:
        raise unknown("kind of solution", kind, MODELS)
    module, name = MODELS[kind].split(":")
    return getattr(importlib.import_module(module), name)
