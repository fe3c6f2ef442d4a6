"""FEM in time: orders of the schemes, the gain of a kept factorisation, estimated beside true errors, heat2d_cg."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from mlpde.bench import print_table

EXACT = ("heat_square", "membrane", "hjb_2d")
ORDERS = (("heat_square", "bdf2"), ("heat_square", "theta"), ("membrane", "theta"), ("hjb_2d", "bdf2"))
STEPS = (20, 40, 80)
KEPT_STEPS = 50
FEW_STEPS = 4
NOTHING = 1e-14


def orders() -> Iterator[list[Any]]:
    """Rows of case, scheme, steps, L2 error at the default time and in L2(0, T), and their orders."""
    from mlpde.exact import exact_solution

    for name, scheme in ORDERS:
        case = _case(name)
        reference, previous = exact_solution(case), None
        for steps in STEPS:
            found = _solve(case, degree=4, steps=steps, scheme=scheme, estimate=False)
            (error,) = found.error(reference).values()
            row = [error["l2"], error["l2_time"]]
            rates = (
                [f"{np.log2(b / a):.2f}" for a, b in zip(row, previous, strict=True)]
                if previous
                else ["", ""]
            )
            yield [name, scheme, steps, row[0], rates[0], row[1], rates[1]]
            previous = row


def kept(sizes: tuple[float, ...] = (0.03, 0.015)) -> Iterator[list[Any]]:
    """Rows of unknowns, CPU seconds of 50 steps with the factors kept, and with new ones in each step, and their ratio.

    The steps come after a few that prepare and start the run.  A coefficient that changes in time by next to nothing
    makes the solver refactor.
    """
    case = _case("heat_square")
    steady = case.problem.weak_form

    def changing(u: Any, v: Any, omega: Any) -> Any:
        return (1 + NOTHING * omega.t) * steady(u, v, omega)

    cases = (case, replace(case, problem=replace(case.problem, weak_form=changing)))
    for size in sizes:
        seconds = []
        for one in cases:
            _solve(one, size=size, steps=FEW_STEPS, estimate=False)  # makes the mesh and compiles
            short, long = (
                _solve(one, size=size, steps=n, estimate=False).info
                for n in (FEW_STEPS, FEW_STEPS + KEPT_STEPS)
            )
            seconds.append(long["cpu_seconds"] - short["cpu_seconds"])
        yield [short["unknowns"], *seconds, seconds[1] / seconds[0]]


def estimates() -> Iterator[list[Any]]:
    """Rows of case, tolerance, steps, estimated and true errors at the default time, ratios, and CPU seconds."""
    from mlpde.exact import exact_solution

    for name in EXACT:
        case = _case(name)
        reference = exact_solution(case)
        for tolerance in (1e-3, 1e-4, 1e-5):
            found = _solve(case, degree=3, tolerance=tolerance)
            ((own, true),) = zip(
                found.info["estimated_error"].values(), found.error(reference).values(), strict=True
            )
            ratios = [own[measure] / true[measure] for measure in ("l2", "h1", "l2_time")]
            cpu = found.info["cpu_seconds"], found.info["estimate"]["cpu_seconds"]
            yield [name, tolerance, found.info["steps"], own["l2"], true["l2"], *ratios, *cpu]


def self_convergence() -> Iterator[list[Any]]:
    """Rows of case, settings, unknowns, steps, estimated errors, quantities in the case's order, CPU seconds."""
    for name in ("heat2d_cg", "heated_fins"):
        case = _case(name)
        for degree, factor in ((2, 1.0), (3, 1.0), (3, 0.5)):
            size = factor * case.problem.domain.default_size
            found = _solve(case, degree=degree, size=size, tolerance=1e-4, estimate=factor == 1.0)
            own = found.info.get("estimated_error", {}).get("u", {})
            yield [
                name,
                degree,
                f"{size:.4g}",
                found.info["unknowns"],
                found.info["steps"],
                own.get("l2", ""),
                own.get("l2_time", ""),
                "  ".join(f"{value:.7g}" for value in found.quantities.values()),
                found.info["cpu_seconds"],
            ]


def _case(name: str) -> Any:
    from mlpde.case_files import load

    return load(name)


def _solve(case: Any, **settings: Any) -> Any:
    from mlpde.solvers import solver
    from mlpde.solving import solve

    return solve(case, solver("fem", **settings))


def main() -> None:
    """Print the tables."""
    print_table(
        "Order in time (degree 4)",
        ["case", "scheme", "steps", "L2 at the end", "order", "L2(0, T)", "order"],
        orders(),
    )
    print_table(
        f"{KEPT_STEPS} steps, CPU seconds (asked: ratio at least 4)",
        ["unknowns", "factors kept", "refactored", "ratio"],
        kept(),
    )
    print_table(
        "Estimated over true error in time (asked: L2 0.5 to 2, H1 0.3 to 3)",
        [
            "case",
            "tolerance",
            "steps",
            "estimated L2",
            "true L2",
            "L2",
            "H1",
            "L2(0, T)",
            "CPU s",
            "of estimate",
        ],
        estimates(),
    )
    print_table(
        "Self-convergence",
        ["case", "degree", "size", "unknowns", "steps", "est. L2", "est. L2(0, T)", "quantities", "CPU s"],
        self_convergence(),
    )


if __name__ == "__main__":
    main()
