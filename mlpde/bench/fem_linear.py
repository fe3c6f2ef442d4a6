"""FEM: iterations, time and memory in 3-D; nonlinear problems along the load; the cavity at Re = 1000."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import ufl

from mlpde.bench import print_table

BRACKET_SIZES = (6.3, 3.66, 2.34)  # mm: about 50,000, 200,000 and 600,000 unknowns
LARGEST_GROWTH = 1.3  # of the iterations
LARGEST_MEMORY = 8.0  # GB
CAVITY = ((0.07, 0.004, 2), (0.04, 0.002, 3), (0.025, 0.0005, 3))  # size, size at the lid's corners, degree
CAVITY_ASKED = 1e-4


def bracket() -> Iterator[list[Any]]:
    """Rows of unknowns, method, iterations, their growth, CPU seconds, peak memory in GB; a process for each."""
    first = None
    for size in BRACKET_SIZES:
        code = f"import mlpde.bench.fem_linear as m; m.one_bracket({size})"
        line = subprocess.run(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        row = json.loads(line.splitlines()[-1])
        first = first or row["iterations"]
        growth = row["iterations"] / first
        yield [
            row["unknowns"],
            row["method"],
            row["iterations"],
            growth,
            row["cpu_seconds"],
            row["gigabytes"],
        ]


def one_bracket(size: float) -> None:
    """Print one row as JSON: of the solution without its estimate, and of the whole process's memory."""
    from mlpde.case_files import load

    info = _solve(load("bracket_3d"), size=size, estimate=False).info
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    facts = {key: info[key] for key in ("unknowns", "cpu_seconds")}
    print(json.dumps(facts | info["linear_solver"] | {"gigabytes": kilobytes / 1e6}))


def cavity() -> Iterator[list[Any]]:
    """Rows of unknowns, degree, quantity, published, measured, relative difference, asked."""
    from cases.lid_driven_cavity import cavity

    for size, corner, degree in CAVITY:
        case = cavity(1000, _graded_square(size, corner))
        solution = _solve(case, degree=degree, estimate=False)
        for quantity, (value, _) in case.published.items():
            found = solution.quantities[quantity]
            unknowns = solution.info["unknowns"]
            yield [
                unknowns,
                degree,
                quantity,
                f"{value:.7f}",
                f"{found:.7f}",
                abs(found / value - 1),
                CAVITY_ASKED,
            ]


def _graded_square(size: float, corner: float) -> Any:
    """The unit square with cells of `size`, and of size `corner` at the two where the lid's velocity jumps."""
    from geometry import Domain, rectangle

    def build(model: Any) -> None:
        rectangle().build(model)
        fields = model.mesh.field
        distance, graded = fields.add("Distance"), fields.add("MathEval")
        lid = [tag for _, tag in model.getEntitiesInBoundingBox(-1, 0.9, -1, 2, 2, 1, dim=0)]
        fields.setNumbers(distance, "PointsList", lid)
        fields.setString(graded, "F", f"Min({size}, {corner} + 0.25 * F{distance})")
        fields.setAsBackgroundMesh(graded)

    return Domain(2, build, size)


def continuation() -> Iterator[list[Any]]:
    """Rows of problem, unknowns, loads that were solved for, Newton steps in all, last residual, CPU seconds."""
    from cases.forms import neo_hookean_energy
    from cases.lid_driven_cavity import cavity
    from geometry import cuboid, disk
    from mlpde import Dirichlet, Field, Problem

    for reynolds, size in ((1000, 1 / 16), (1000, 1 / 32), (1000, 1 / 64), (5000, 1 / 32)):
        yield _along_the_load(f"cavity, Re = {reynolds}", cavity(reynolds).problem, size)
    for length in (0.5, 0.4, 3.0):
        block = Problem(
            domain=cuboid(),
            fields=Field("u", shape=(3,)),
            energy=lambda u, omega: neo_hookean_energy(u, 1.0, 1.0) * omega.dx,
            dirichlet=[Dirichlet("left", 0.0), Dirichlet("right", (length - 1, 0.0, 0.0))],
        )
        yield _along_the_load(f"neo-Hookean block, length 1 -> {length}", block, 0.4)
    for p in (4, 8):

        def p_laplace(u: Any, v: Any, omega: Any, p: int = p) -> Any:
            slope = ufl.grad(u)
            return (ufl.dot(slope, slope) ** ((p - 2) / 2) * ufl.dot(slope, ufl.grad(v)) - v) * omega.dx

        disk_problem = Problem(disk(), Field("u"), weak_form=p_laplace, dirichlet=Dirichlet("circle", 0.0))
        yield _along_the_load(f"p-Laplace on the disk, p = {p}", disk_problem, 0.1)


def _along_the_load(name: str, problem: Any, size: float) -> list[Any]:
    from mlpde.solvers import solver
    from mlpde.solving import solve

    info = solve(problem, solver("fem", size=size, estimate=False)).info
    history = info["history"]
    loads = dict.fromkeys(row["load"] for row in history if "load" in row)
    steps = len(history) - max(len(loads), 1)
    said = ", ".join(f"{load:.3g}" for load in loads) or "the whole at once"
    return [name, info["unknowns"], said, steps, history[-1]["residual"], info["cpu_seconds"]]


def main() -> None:
    """Print the tables."""
    columns = ["unknowns", "method", "iterations", "growth", "CPU seconds", "peak GB"]
    asked = f"asked: growth at most {LARGEST_GROWTH}, {LARGEST_MEMORY:g} GB"
    print_table(f"3-D bracket, elasticity, P2 on curved tetrahedra ({asked})", columns, bracket())
    columns = ["unknowns", "degree", "quantity", "published", "measured", "relative difference", "asked"]
    print_table("lid-driven cavity at Re = 1000, beside a spectral reference", columns, cavity())
    columns = ["problem", "unknowns", "loads", "Newton steps", "last residual", "CPU seconds"]
    print_table("nonlinear problems, from zero", columns, continuation())


def _solve(case: Any, **settings: Any) -> Any:
    from mlpde.solvers import solver
    from mlpde.solving import solve

    return solve(case, solver("fem", **{**case.solvers.get("fem", {}), **settings}))
