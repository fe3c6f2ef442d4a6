"""solve: one problem, one solver, timed and recorded."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlpde import __version__
from mlpde.errors import InputError
from mlpde.machine import versions
from mlpde.monitor import Display, Monitor
from mlpde.parallel import on_root
from mlpde.problem import Case, Eigenproblem, Problem, SemilinearParabolic
from mlpde.settings import is_whole
from mlpde.solution import Solution
from mlpde.solvers import Solver, check_accepts

CHECKPOINT = "checkpoint.safetensors"


def as_case(problem: Any) -> Case:
    """A bare problem as a case named "problem"."""
    if isinstance(problem, Case):
        return problem
    if isinstance(problem, Problem | Eigenproblem | SemilinearParabolic):
        return Case("problem", problem)
    raise InputError(f"a Problem or a Case is expected, not {problem!r}")


def run(case: Case, solver: Solver, seed: int, monitor: Monitor) -> Solution:
    """The solver's solution with cost, seed, history and versions in `info`.

    seconds (wall clock) and cpu_seconds are those of `solver.solve`, unless the solver counts its own work apart (FEM
    leaves its error estimate out), with those of the runs that it continues.  Under MPI a solver that is not `parallel`
    works on rank 0, and all ranks get the solution.
    """
    check_accepts(solver, case.problem, case.name)
    if not is_whole(seed, 0) or seed >= 2**63:
        raise InputError(f"the seed must be an integer from 0 on, below 2^63, not {seed!r}")
    if isinstance(case.problem, Problem):
        from mlpde.formulation.functional import check_measured

        check_measured(case)
    timed = _timed if getattr(solver, "parallel", False) else on_root(_timed)
    return replace(timed(case, solver, int(seed), monitor), case=case)


def _timed(case: Case, solver: Solver, seed: int, monitor: Monitor) -> Solution:
    """The solution without its case, whose functions cannot be sent to another rank."""
    wall, cpu = time.perf_counter(), time.process_time()
    if isinstance(case.problem, SemilinearParabolic) and "semilinear" not in solver.accepts:
        found = _forward(case.problem, solver, seed, monitor)
    else:
        found = solver.solve(case.problem, seed=seed, monitor=monitor)
    measured = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    record = {"seed": seed, "history": monitor.history, "warnings": []}
    used = {"versions": versions() | found.info.get("versions", {})}
    info = {**measured, **record, **found.info, **used}
    info |= {what: info[what] + before for what, before in monitor.earlier.items()}
    if isinstance(case.problem, Problem):
        from mlpde.formulation.overdetermined import overruled_sentences

        info["warnings"] = [*overruled_sentences(case.problem), *info["warnings"]]
    return replace(found, case=None, info=info)


def _forward(problem: SemilinearParabolic, solver: Solver, seed: int, monitor: Monitor) -> Solution:
    """By a solver for problems in time, from T backwards."""
    from mlpde.backward import Backward
    from mlpde.formulation.semilinear import initial_value_problem

    found = solver.solve(initial_value_problem(problem), seed=seed, monitor=monitor)
    model = Backward(found.model, float(problem.horizon))
    return replace(found, model=model, info=found.info | {"default_time": 0.0})


def solve(
    problem: Problem | Case | Any,
    solver: Solver,
    *,
    seed: int = 0,
    out: str | Path | None = None,
    resume: bool = False,
    display: Display | None = None,
    command: str = "",
) -> Solution:
    """Solve a problem or a case.

    out: a folder for the solution, metrics.json, report and fields; a checkpoint lies there while the solver works,
    and resume=True goes on from it.  display: called with every step of an iterative solver.
    command: recorded in the report.
    Raises InputError if the solver does not take the problem.
    """
    case = as_case(problem)
    if out is None:
        return run(case, solver, seed, Monitor(display=display))
    from mlpde.results import check_folder, write_solution

    folder = check_folder(out)
    identity = {
        "case": case.name,
        "case file": case.digest[:12],
        "configuration": repr(solver),
        "seed": seed,
        "version": __version__,
    }
    solution = run(case, solver, seed, Monitor(folder / CHECKPOINT, identity, resume, display))
    write_solution(folder, solution, command)
    return solution
