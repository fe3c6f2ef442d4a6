"""What a sweep runs: cases x solvers x settings x seeds, checked before anything is started."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpde import __version__, case_files
from mlpde.comparison import reference_solver
from mlpde.errors import InputError
from mlpde.files import replacing_file
from mlpde.problem import Case, exact_by_field
from mlpde.solvers import check_accepts, solver

PLAN = "sweep.json"  # in the sweep's folder: what its runs were made from
REFERENCE = "reference"  # label of the runs that solve one
LONGEST = 160  # characters of a run's name: file systems take 255, and temporary names have some more
Settings = Mapping[str, Mapping[str, Sequence[str]]]  # solver -> setting -> the values to try, as texts


@dataclass(frozen=True)
class Run:
    """One `mlpde solve`.

    case: as it was given, a name or a file.  title: the case's own name.  settings: (key, text) pairs.
    label: the solver, and those of its settings that the sweep varies.
    """

    case: str
    title: str
    solver: str
    settings: tuple[tuple[str, str], ...]
    seed: int
    label: str

    @property
    def name(self) -> str:
        """Of its folder and its log: with all settings, so that what lies there under this name is this run."""
        settings = [f"{key}={value}" for key, value in sorted(self.settings)]
        start = "reference" if self.label == REFERENCE else self.solver
        text = f"{self.title}-{' '.join([start, *settings])}-seed{self.seed}"
        if len(text) > LONGEST:
            text = f"{text[:LONGEST]}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        return re.sub(r"[^\w.=+,()-]+", "_", text)

    def arguments(self) -> list[str]:
        """Of `mlpde`, without the folder."""
        settings = [text for key, value in self.settings for text in ("--set", f"{key}={value}")]
        return ["solve", self.case, "--solver", self.solver, *settings, "--seed", str(self.seed)]

    def command(self, folder: Path) -> list[str]:
        """What is started: the run into `folder`, going on from the checkpoint if there is one."""
        return [sys.executable, "-m", "mlpde.cli", *self.arguments(), "--resume", "--out", str(folder)]


@dataclass(frozen=True)
class Plan:
    """references: by the case's name, the run that solves its finite element reference; absent where none is needed."""

    cases: dict[str, Case]
    runs: tuple[Run, ...]
    references: dict[str, Run]
    digests: dict[str, str]

    @property
    def all_runs(self) -> list[Run]:
        """The references first: what they are measured against is then there as early as can be."""
        return [*self.references.values(), *self.runs]


def plan(cases: Sequence[str], solvers: Settings, seeds: Sequence[int]) -> Plan:
    """The runs of every case by every solver with every combination of its settings and every seed.

    Raises InputError for whatever one of the runs would refuse: an unknown case, solver or setting, a value that does
    not fit, a solver that does not take a case, something given twice.
    """
    for what, given in (("case", cases), ("solver", list(solvers)), ("seed", seeds)):
        if not given:
            raise InputError(f"a sweep needs at least one {what}")
        _once(what, given)
    for owner, settings in solvers.items():
        for key, values in settings.items():
            if not values:
                raise InputError(f"{owner}.{key} has no values to try")
    if wrong := [seed for seed in seeds if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0]:
        raise InputError(f"the seeds must be integers from 0 on, not {wrong[0]!r}")
    loaded = {name: case_files.load(name) for name in cases}
    files: dict[str, str] = {}
    for name, case in loaded.items():
        if (other := files.setdefault(case.name, name)) != name:
            raise InputError(f"{other} and {name} are both the case {case.name!r}: rename one")
    runs = []
    for name, case in loaded.items():
        for owner, settings in solvers.items():
            for values in itertools.product(*settings.values()):
                chosen = dict(zip(settings, values, strict=True))
                check_accepts(
                    solver(owner, **(dict(case.solvers.get(owner, {})) | chosen)), case.problem, case.name
                )
                varied = [f"{key}={value}" for key, value in chosen.items() if len(settings[key]) > 1]
                label = " ".join([owner, *varied])
                runs += [Run(name, case.name, owner, tuple(chosen.items()), seed, label) for seed in seeds]
    _once("run", [run.name for run in runs])
    references = {case.name: run for name, case in loaded.items() if (run := _reference(name, case))}
    digests = {case.name: case.digest for case in loaded.values()}
    return Plan({case.name: case for case in loaded.values()}, tuple(runs), references, digests)


def claim(folder: Path, wanted: Plan) -> None:
    """Make the sweep's folder, or find it there: then the sweep goes on, and may have grown or shrunk.

    Raises InputError if the folder holds something else, or runs by another version or of cases that have changed.
    """
    file = folder / PLAN
    if folder.exists() and not folder.is_dir():
        raise InputError(f"the output folder {folder} is a file: give another one")
    record: dict[str, Any] = {"version": __version__, "case files": wanted.digests}
    if folder.exists() and any(not path.name.startswith(f".{PLAN}") for path in folder.iterdir()):
        if not file.exists():
            raise InputError(f"the output folder {folder} holds other files and no sweep: give a new one")
        try:
            held = json.loads(file.read_text())
            version, digests = held["version"], dict(held["case files"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{file} is no plan of a sweep ({error}): give another output folder") from error
        changed = [
            f"case {name!r}" for name, digest in wanted.digests.items() if digests.get(name, digest) != digest
        ]
        if version != __version__:
            changed.append(f"mlpde (now {__version__}, then {version})")
        if changed:
            raise InputError(
                f"the output folder {folder} holds runs from before {' and '.join(changed)} changed: give another one"
            )
        record["case files"] = digests | wanted.digests
    try:
        with replacing_file(file) as temporary:
            temporary.write_text(json.dumps(record, indent=1))
    except OSError as error:
        raise InputError(f"the output folder {folder} cannot be written: {error.strerror}") from error


def _reference(name: str, case: Case) -> Run | None:
    """The finite element reference that `mlpde compare` would solve, where the exact solution is not known."""
    exact = exact_by_field(case.problem)
    if all(f.name in exact for f in case.problem.fields) or not hasattr(case.problem.domain, "mesh"):
        return None
    chosen: Any = reference_solver(case)
    settings = tuple(
        (f.name, _text(value))
        for f in dataclasses.fields(chosen)
        if f.init and (value := getattr(chosen, f.name)) != f.default
    )
    return Run(name, case.name, "fem", settings, 0, REFERENCE)


def _text(value: Any) -> str:
    """A setting as `--set` takes it."""
    if isinstance(value, list | tuple):
        return ("," if any(isinstance(v, str) for v in value) else "x").join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def texts(value: Any) -> tuple[str, ...]:
    """The values to try of a setting in a file: a list has one for each run, a list in it is one tuple."""
    return tuple(map(_text, value)) if isinstance(value, list) else (_text(value),)


def _once(what: str, given: Sequence[Any]) -> None:
    twice = [item for item, count in Counter(given).items() if count > 1]
    if twice:
        raise InputError(f"the {what} {twice[0]!r} is given twice")
