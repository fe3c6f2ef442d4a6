"""BSDE() on the seven published problems, and on the HJB equation as its nonlinearity grows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cases.hjb_lq import FAMILY, hjb
from mlpde.bench import print_table
from mlpde.bench._bsde_problems import PROBLEMS, nonlinearity_gap, relative_errors, rms, runs
from mlpde.formatting import number
from mlpde.problem import SemilinearParabolic
from mlpde.referees.hopf_cole import hopf_cole
from mlpde.solvers import solver

SEEDS = range(100, 105)
HEADER = ["problem", "u(0, x0)", "published", "gap %", "rms error %", "worst %", "CPU s", "set-up CPU s"]


def row(
    name: str, problem: SemilinearParabolic, true: float, published: str, seeds: Iterable[int]
) -> list[str]:
    """Errors over the seeds, medians of the seconds."""
    found = runs(solver("bsde"), problem, seeds)
    errors = relative_errors(found, true)
    seconds, setup = (
        sorted(times)[len(found) // 2] for times in zip(*((r.seconds, r.setup) for r in found), strict=True)
    )
    figures = (nonlinearity_gap(problem, true), rms(errors), max(errors), seconds, setup)
    return [name, number(true, 9), published, *map(number, figures)]


def published() -> Iterator[list[str]]:
    """The seven problems."""
    for one in PROBLEMS:
        yield row(one.name, one.problem(), one.true(), one.published, SEEDS)


def family() -> Iterator[list[str]]:
    """The HJB equation at growing lam."""
    for lam in FAMILY:
        problem = hjb(float(lam))
        yield row(f"lam = {lam}", problem, hopf_cole(problem).value, f"{FAMILY[lam]}", SEEDS)


def main() -> None:
    """Print the tables."""
    print_table(f"BSDE(), {len(SEEDS)} seeds: u(0, x0) of the published problems", HEADER, published())
    print_table(f"BSDE(), {len(SEEDS)} seeds: HJB-LQ as its nonlinearity grows", HEADER, family())
