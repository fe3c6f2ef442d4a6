"""Bounds of the open problem of two rates; pictures: the optimal cost against lam, the error against the paths."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from cases.allen_cahn_100d import allen_cahn
from cases.hjb_lq import FAMILY, hjb
from cases.two_rates import two_rates
from mlpde.bench import print_table
from mlpde.bench._bsde_problems import PROBLEMS, relative_errors, rms, runs
from mlpde.formatting import number
from mlpde.plotting import frame, save
from mlpde.referees.hopf_cole import hopf_cole
from mlpde.scales import PALETTE, STYLE
from mlpde.solvers import solver

FOLDER = Path("runs/bench/bsde")
LITERATURE = 21.299  # of two rates
SEEDS = range(100, 105)
PATHS = (1024, 2048, 4096, 8192, 16384)


def bounds() -> Iterator[list[str]]:
    """One row a seed."""
    for seed in SEEDS:
        (found,) = runs(solver("bsde"), two_rates(), [seed])
        lower, upper = found.y0["lower"], found.y0["upper"]
        place = "below" if lower > LITERATURE else "above" if upper < LITERATURE else "between"
        gap = 100 * (upper - lower) / lower
        yield [
            str(seed),
            *(number(v, 6) for v in (lower, found.y0["value"], upper)),
            number(gap),
            f"{LITERATURE} lies {place}",
            number(found.seconds),
        ]


def paths() -> Iterator[list[str]]:
    """Errors against the number of paths, in per cent."""
    true = {one.name: one.true for one in PROBLEMS}
    for name, problem in (("HJB-LQ", hjb()), ("Allen-Cahn", allen_cahn())):
        value = true[name]()
        for count in PATHS:
            found = runs(solver("bsde", paths=count), problem, SEEDS)
            errors = relative_errors(found, value)
            half = sorted(100 * r.y0["ci95"] / abs(value) for r in found)[len(found) // 2]
            seconds = sorted(r.seconds for r in found)[len(found) // 2]
            yield [name, str(count), *map(number, (rms(errors), half, seconds))]


def draw_family(path: Path) -> Path:
    """u(0, x0), the optimal cost, against lam: the exact curve, and BSDE() with its intervals."""
    lams = sorted(FAMILY)
    exact = [hopf_cole(hjb(float(lam))).value for lam in lams]
    found = [runs(solver("bsde"), hjb(float(lam)), [SEEDS[0]])[0].y0 for lam in lams]
    figure = Figure(figsize=(4.5, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(lams, exact, color=PALETTE["reference"], linewidth=2.6, alpha=0.35, label="Hopf and Cole")
    axes.errorbar(
        lams,
        [y0["value"] for y0 in found],
        [y0["ci95"] + y0["bias"] for y0 in found],
        fmt="o",
        color=PALETTE["pinn"],
        markersize=4,
        capsize=3,
        label="BSDE(), interval widened by the bias indicator",
    )
    axes.set(xlabel="lam", ylabel="u(0, x0)")
    axes.legend(frameon=False, fontsize=8)
    frame(axes)
    return save(figure, path)


def draw_paths(rows: list[list[str]], path: Path) -> Path:
    """rms errors against the paths, and a line of slope -1/2."""
    figure = Figure(figsize=(4.5, 3.2), layout="constrained")
    axes = figure.subplots()
    for name in dict.fromkeys(row[0] for row in rows):
        points = [(int(row[1]), float(row[2])) for row in rows if row[0] == name]
        axes.loglog(*zip(*points, strict=True), "o-", markersize=4, label=name)
    first = float(rows[0][2])
    axes.loglog(PATHS, [first * (PATHS[0] / n) ** 0.5 for n in PATHS], "k:", label="slope -1/2")
    axes.set(xlabel="paths", ylabel="rms error in %")
    axes.legend(frameon=False, fontsize=8)
    frame(axes)
    return save(figure, path)


def main() -> None:
    """Print the tables, draw the pictures."""
    print_table(
        "Two rates: bounds that hold with 97.5 % each",
        ["seed", "lower", "y0", "upper", "apart %", "literature", "CPU s"],
        bounds(),
    )
    rows = list(paths())
    print_table(
        "Convergence in the paths, five seeds", ["problem", "paths", "rms error %", "ci95 %", "CPU s"], rows
    )
    with matplotlib.rc_context(STYLE):
        print(draw_family(FOLDER / "lam.png"), draw_paths(rows, FOLDER / "paths.png"))
