"""The command, and the checks in the order of its lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from mlpde.doctor import libraries, surroundings
from mlpde.doctor.finding import Finding, examine

QUICK: dict[str, Callable[[], Finding]] = {
    "versions": libraries.check_versions,
    "DOLFINx": libraries.check_dolfinx,
    "MPI": libraries.check_mpi,
    "PETSc": libraries.check_petsc,
    "gmsh": libraries.check_gmsh,
    "C compiler": libraries.check_compiler,
    "cores": surroundings.check_cores,
    "memory": surroundings.check_memory,
    "disk": surroundings.check_disk,
    "cache": surroundings.check_cache,
    "home": surroundings.check_home,
    "Slurm": surroundings.check_slurm,
}
SLOW: dict[str, Callable[[], Finding]] = {
    "torch": libraries.check_torch,
    "FEM": libraries.check_solve,
    "pictures": libraries.check_rendering,
}


def doctor(
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out what takes seconds: torch, a solve, a picture.")
    ] = False,
) -> None:
    """Check that everything mlpde needs works here: one line each, "fine", or the problem and its remedy.

    Exit code 0: all that is needed works (a "note" is something that some uses need); 1: something needed is broken.

    Example: mlpde doctor --quick;  in a job: srun -n 4 mlpde doctor
    """
    broken = False
    for name, check in (QUICK if quick else {**QUICK, **SLOW}).items():
        one = examine(check)
        broken |= one.word == "problem"
        text = "; ".join(part for part in (one.found, one.problem) if part)
        typer.echo(f"{one.word:>8}  {name}: {text}")
    if broken:
        raise typer.Exit(1)
