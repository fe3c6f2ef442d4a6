"""How often value +- (ci95 + bias) of BSDE() holds the truth, and how wide it is."""

from __future__ import annotations

from collections.abc import Iterable

from mlpde.bench import print_table
from mlpde.bench._bsde_problems import PROBLEMS, Published, rms, runs
from mlpde.formatting import number
from mlpde.solvers import solver

SEEDS = range(200, 240)
NAMES = (
    "HJB-LQ",
    "Allen-Cahn",
    "Burgers type",
    "quadratic gradient",
)  # the truth is known to more digits than asked


def row(one: Published, seeds: Iterable[int]) -> list[str]:
    """Coverage with and without the bias; the median half-width beside the rms error."""
    true = one.true()
    found = [r.y0 for r in runs(solver("bsde"), one.problem(), seeds)]
    errors = [abs(y0["value"] - true) for y0 in found]
    widths = sorted(y0["ci95"] + y0["bias"] for y0 in found)
    covered = [
        sum(e <= y0["ci95"] + share * y0["bias"] for e, y0 in zip(errors, found, strict=True)) / len(found)
        for share in (1, 0)
    ]
    median, size = widths[len(widths) // 2], rms(errors)
    return [one.name, *(f"{100 * c:.0f} %" for c in covered), *map(number, (median, size, median / size))]


def main() -> None:
    """Print the table."""
    header = ["problem", "covered by ci95 + bias", "by ci95", "median half-width", "rms error", "ratio"]
    rows = [row(one, SEEDS) for one in PROBLEMS if one.name in NAMES]
    print_table(f"Intervals of BSDE(), {len(SEEDS)} seeds", header, rows)
