"""The output folder of a run: metrics.json, report, pictures, fields for ParaView, saved solutions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from geometry.cache import cache_folder
from mlpde.comparison import Comparison, metrics_of
from mlpde.errors import InputError
from mlpde.exact import exact_solution
from mlpde.fields import REFERENCE, Fields, sample
from mlpde.files import refused, replacing
from mlpde.parallel import on_root
from mlpde.problem import SemilinearParabolic, exact_by_field
from mlpde.report import write_report
from mlpde.series import Series, frame_times, sample_series
from mlpde.slices import ray, slices
from mlpde.solution import Solution
from mlpde.solving import CHECKPOINT

SLICES = "slices"  # folder of the fields on lines and planes, where there is no mesh


@on_root
def check_folder(out: str | Path) -> Path:
    """The folder, if results may be written there; asked before anything is computed.

    Raises InputError if it cannot be written, or holds something that is no earlier result.
    """
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"the output folder {folder} is a file: give another one")
    held = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if held and "metrics.json" not in held and held != {CHECKPOINT}:
        raise InputError(
            f"the output folder {folder} holds other files: give a new one, or an earlier result's"
        )
    if why := refused(folder.absolute().parent):
        raise InputError(f"the output folder {folder} cannot be written: {why}")
    return folder


@on_root
def check_cache() -> None:
    """InputError where compiled forms and meshes cannot be kept; asked before anything is computed."""
    folder = cache_folder().parents[1]  # FFCx's lies beside that of the meshes
    if why := refused(folder):
        raise InputError(
            f"the cache {folder} cannot be written: {why}; set XDG_CACHE_HOME to a folder that can be written"
        )


@on_root
def write_comparison(folder: Path, comparison: Comparison) -> None:
    """Everything about a comparison; the folder appears, or is replaced, as a whole."""
    reference = comparison.reference
    shown = {} if reference is None else {REFERENCE: reference}
    for label in comparison.solutions:
        typical = comparison.typical(label)
        shown[label] = typical.aligned(reference) if reference and typical.is_eigen else typical
    with replacing(folder) as temporary:
        _write(temporary, comparison.metrics, shown)
        if reference is not None and reference.solver != "exact":
            reference.save(temporary / "solutions" / REFERENCE)
        for label, several in comparison.solutions.items():
            for solution in several:
                solution.save(temporary / "solutions" / f"{label}-seed{solution.info['seed']}")


@on_root
def write_solution(folder: Path, solution: Solution, command: str = "") -> None:
    """The same for one solution; its errors are known only if the exact solution is."""
    exact = exact_by_field(solution.problem)
    known = all(f.name in exact for f in solution.fields)
    reference = exact_solution(solution.case) if known else None
    metrics = metrics_of(solution.case, reference, {solution.solver: (solution,)}, command)
    shown = {REFERENCE: reference} if reference is not None else {}
    with replacing(folder) as temporary:
        _write(temporary, metrics, shown | {solution.solver: solution})
        solution.save(temporary / "solutions" / f"{solution.solver}-seed{solution.info['seed']}")


@on_root
def read_metrics(folder: Path) -> dict[str, Any]:
    """The metrics.json of an output folder."""
    if not (folder / "metrics.json").is_file():
        raise InputError(f"{folder} is not an output folder of mlpde: it has no metrics.json")
    return json.loads((folder / "metrics.json").read_text())


@on_root
def rebuild_report(folder: Path) -> None:
    """Write report and pictures of an output folder again, from its metrics.json and fields."""
    metrics = read_metrics(folder)
    fields, series = folder / "fields.vtu", folder / "fields.pvd"
    write_report(
        folder,
        metrics,
        Fields.read(fields) if fields.exists() else None,
        Series.read(series) if series.exists() else None,
        {path.stem: Fields.read(path) for path in sorted((folder / SLICES).glob("*.vtu"))},
    )


def _write(folder: Path, metrics: dict[str, Any], shown: dict[str, Solution]) -> None:
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1, allow_nan=False))
    first = next(iter(shown.values()))
    fields = None if first.mesh is None else sample(shown, first.mesh)
    series = None
    if fields is not None:
        fields.write(folder / "fields.vtu")
    if first.mesh is not None and first.time and all(s.time for s in shown.values()):
        series = sample_series(shown, first.mesh, frame_times(first.time))
        series.write(folder / "fields.pvd")
    domain = getattr(first.problem, "domain", None)
    cuts = slices(shown, domain) if first.mesh is None and domain is not None else {}
    if isinstance(first.problem, SemilinearParabolic) and domain is None:
        along = ray(shown, first.problem)
        cuts = {} if along is None else {"ray": along}
    for name, cut in cuts.items():
        cut.write(folder / SLICES / f"{name}.vtu")
    write_report(folder, metrics, fields, series, cuts)
