"""What the search gains by dividing single subdomains where the equations hold worst."""

from __future__ import annotations

from typing import Any

from mlpde.bench import print_table

CASES = ("nist_peak", "nist_wave_front")
SEEDS = range(2)


def row(name: str, seed: int) -> list[Any]:
    """Residuals of the best fit on a grid and on divided subdomains; the latter's errors and size."""
    from mlpde.case_files import load
    from mlpde.exact import exact_solution
    from mlpde.solvers.rfm import RFM

    case = load(name)
    solution = RFM().solve(case.problem, seed=seed)
    info = solution.info
    grid = min(step["residual"] for step in info["history"] if "subdomains" not in step)
    error = solution.error(exact_solution(case))["u"]["l2"]
    estimate = info["estimated_error"]["u"]["l2"]
    size = [info["subdomains"], info["divided"], info["unknowns"]]
    return [name, seed, grid, info["residual"], error, estimate, *size, info["cpu_seconds"]]


def main() -> None:
    """Print the table."""
    print_table(
        "RFM(): at most 10000 unknowns, on grids and with subdomains divided",
        [
            *("case", "seed", "residual, grids", "residual, divided", "L2 error", "estimated"),
            *("subdomains", "divided", "unknowns", "CPU s"),
        ],
        (row(name, seed) for name in CASES for seed in SEEDS),
    )
