"""What came out of a sweep: the metrics of its runs by case, measured against the case's reference."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlpde.comparison import reference_row, solution_row
from mlpde.exact import exact_solution
from mlpde.files import plain, replacing_file
from mlpde.problem import Case, exact_by_field
from mlpde.results import read_metrics
from mlpde.solution import Solution
from mlpde.sweep.local import RUNS, is_done, log_of
from mlpde.sweep.plan import Plan, Run

FIRST = ("case", "solver", "label", "seed")  # columns of runs.csv, there without any run as well
MEASURES = ("l2", "h1", "max", "l2_time")


def collect(folder: Path, plan: Plan, codes: Mapping[Run, int], command: str) -> dict[str, Any]:
    """The content of the sweep's metrics.json: {"cases": {name: as in a comparison's}, "failed": [...], "runs": n}.

    A case of which no run is done is left out.  codes: exit codes of all runs that were missing.
    """
    found = {name: _of_case(folder, plan, name, command) for name in plan.cases}
    missing = [(run, log_of(folder, run)) for run in plan.all_runs if not is_done(folder, run)]
    failed = [
        {"run": run.name, "why": _why(codes[run], log), "log": str(log.relative_to(folder))}
        for run, log in missing
    ]
    return {
        "command": command,
        "runs": len(plan.runs),
        "failed": failed,
        "cases": {name: one for name, one in found.items() if one},
    }


def _of_case(folder: Path, plan: Plan, name: str, command: str) -> dict[str, Any] | None:
    done = [run for run in plan.runs if run.title == name and is_done(folder, run)]
    if not done:
        return None
    case, every = plan.cases[name], [read_metrics(folder / RUNS / run.name) for run in done]
    rows = [
        one["solutions"][0]
        | {"label": run.label, "settings": dict(run.settings), "folder": f"{RUNS}/{run.name}"}
        | {"machine": one["machine"]}
        for run, one in zip(done, every, strict=True)
    ]
    metrics = {**every[0], "command": command}
    solved = plan.references.get(name)
    if solved is not None and is_done(folder, solved):
        reference = _solution(folder, solved, case)
        if exact_by_field(case.problem):  # of some of the fields
            reference = exact_solution(case, reference)
        metrics["reference"] = reference_row(reference)
        for row, run in zip(rows, done, strict=True):
            row |= solution_row(run.label, _solution(folder, run, case), reference)
    return plain(metrics | {"solutions": rows})


def _solution(folder: Path, run: Run, case: Case) -> Solution:
    place = folder / RUNS / run.name / "solutions" / f"{run.solver}-seed{run.seed}"
    return replace(Solution.load(place), case=case)


def _why(code: int, log: Path) -> str:
    """With the log's last line, if it has one: the sentence of a refused input, or of an exception."""
    if code < 0:
        return "killed, and killed again"
    lines = log.read_text(errors="replace").strip().splitlines() if log.is_file() else []
    return ", ".join([f"exit code {code}", *lines[-1:]])


def write(folder: Path, metrics: Mapping[str, Any]) -> None:
    """metrics.json, and runs.csv with one line a run and field."""
    with replacing_file(folder / "metrics.json") as temporary:
        temporary.write_text(json.dumps(metrics, indent=1, allow_nan=False))
    lines = list(_lines(metrics))
    with replacing_file(folder / "runs.csv") as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys([*FIRST, *(key for line in lines for key in line)])))
        writer.writeheader()
        writer.writerows(lines)


def _lines(metrics: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, case in metrics["cases"].items():
        for row in case["solutions"]:
            line = {"case": name, **{key: row[key] for key in FIRST[1:]}}
            line |= {f"{row['solver']}.{key}": value for key, value in row["settings"].items()}
            line |= {key: row[key] for key in ("unknowns", "seconds", "cpu_seconds")}
            line |= {"gflops": row["machine"]["gflops"], "folder": row["folder"]}
            for field, errors in row["errors"].items() or [("", {})]:
                yield line | {"field": field} | {m: errors[m] for m in MEASURES if m in errors}
