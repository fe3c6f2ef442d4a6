"""PINN on the plate with pipes and on the backward-facing step: what the inputs from the geometry are worth."""

from __future__ import annotations

from typing import Any

from mlpde.bench import print_table

# name, settings, asked
RUNS: tuple[tuple[str, dict[str, Any], str], ...] = (
    (
        "heat2d_cg",
        {"width": 20, "depth": 3, "points": 1600, "inputs": ("layers",), "iterations": 110},
        "<= 1e-3",
    ),
    ("heat2d_cg", {"width": 16, "depth": 2, "points": 1000, "inputs": ("layers",)}, ""),
    ("heat2d_cg", {"width": 16, "depth": 2, "points": 1000, "inputs": ()}, ""),
    ("ns2d_backstep", {}, "<= 5e-3"),
    ("ns2d_backstep", {"inputs": ()}, ""),
)
REFERENCE = 1e-3  # tolerance of FEM: adaptive, which serves both


def main() -> None:
    """Print the table."""
    from mlpde.case_files import load
    from mlpde.solvers import solver
    from mlpde.solving import solve

    cases = {name: load(name) for name, *_ in RUNS}
    references = {name: solve(case, solver("fem", tolerance=REFERENCE)) for name, case in cases.items()}
    rows = []
    for name, settings, asked in RUNS:
        solution = solve(cases[name], solver("pinn", **settings))
        what = f"{name}, {', '.join(f'{k}={v}' for k, v in settings.items()) or 'defaults'}"
        for field, error in solution.error(references[name]).items():
            rows.append(
                [
                    what,
                    field,
                    asked,
                    error["l2"],
                    error.get("l2_time", ""),
                    solution.info["residual"],
                    solution.info["unknowns"],
                    solution.info["cpu_seconds"],
                ]
            )
    print_table(
        "PINN on two geometries",
        ["what", "field", "asked", "L2 (at the end)", "L2(0, T; L2)", "residual", "parameters", "CPU s"],
        rows,
    )


if __name__ == "__main__":
    main()
