"""What training costs: every neural solver beside FEM and RFM at equal error; CPU-seconds, one thread.

The smooth square, where DeepXDE stands beside them, and the square with four holes.  FEM and RFM are solved at a few
fixed sizes, and the cheapest that meets an error counts; each twice, so that meshes are made
and forms compiled.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from mlpde.bench import print_table
from mlpde.bench._neural_peer import deepxde
from mlpde.bench._neural_tracks import Track, error_at, first_below, timed_errors

SEEDS = (0, 1, 2)
MARKS = (1e-3, 1e-5)
DEGREES = (2, 4)
MESHES = (4.0, 2.0, 1.0, 0.5)  # of the default size
FEATURES = {  # of RFM for each cell, cells in each direction; holes need cells of their own size
    "square_poisson": ((50, 1), (100, 1), (200, 1), (400, 1)),
    "poisson2d_c": ((100, 4), (200, 4), (400, 4)),
}
Asked = tuple[float, float] | None  # error, CPU-seconds
RUNS: dict[str, list[tuple[str, dict[str, Any], Sequence[int], Asked]]] = {  # solver, settings, seeds
    "square_poisson": [
        ("pinn", {}, SEEDS, (1e-8, 8.0)),
        ("pinn", {"conditions": "soft"}, SEEDS, None),
        ("deep_ritz", {}, SEEDS, (1e-6, 4.0)),
        ("wan", {}, SEEDS, (1e-8, 12.0)),
        ("dgm", {"refine": 300}, SEEDS, (1e-4, 60.0)),
    ],
    "poisson2d_c": [
        ("pinn", {}, SEEDS, (5e-5, 40.0)),
        ("deep_ritz", {}, SEEDS[:1], None),
        ("wan", {}, SEEDS[:1], None),
        ("dgm", {"refine": 300}, SEEDS[:1], None),
    ],
}
COLUMNS = (
    *("solver", "seeds", "asked", "median s to it", "worst"),
    *(f"median s to {mark:.0e}" for mark in MARKS),
    *("error at the end", "worst", "CPU s"),
)


def finite_elements(case: Any, reference: Any, degree: int) -> Track:
    """Seconds and errors on a few meshes."""
    size = case.problem.domain.default_size
    return _sizes(
        case, reference, "fem", [{"degree": degree, "size": h * size, "estimate": False} for h in MESHES], 0
    )


def random_features(case: Any, reference: Any, seed: int) -> Track:
    """Seconds and errors of a few sizes, sin features."""
    common = {"activation": "sin", "scale": 3.0}
    sizes = [common | {"features": m, "partition": (cells, cells)} for m, cells in FEATURES[case.name]]
    return _sizes(case, reference, "rfm", sizes, seed)


def _sizes(case: Any, reference: Any, name: str, sizes: list[dict[str, Any]], seed: int) -> Track:
    """Seconds and errors of the second of two equal runs for each size, by the seconds."""
    from mlpde.solvers import solver

    found = []
    for settings in sizes:
        chosen: Any = solver(name, **settings)
        solution = [chosen.solve(case.problem, seed=seed) for _ in range(2)][-1]
        found.append((solution.info["cpu_seconds"], solution.error(reference)["u"]["l2"]))
    return sorted(found)


def row(name: str, tracks: list[Track], asked: Asked = None) -> list[Any]:
    """A row of the table: the runs' seconds to the marks, and where they end."""
    cells: list[Any] = [name, len(tracks), "", "", ""]
    if asked is not None:
        times = [first_below(track, asked[0]) for track in tracks]
        cells[2:] = [f"{asked[0]:.0e} in {asked[1]:g} s", _median(times), max(times)]
    cells += [_median([first_below(track, mark) for track in tracks]) for mark in MARKS]
    errors = [track[-1][1] for track in tracks]
    return [*cells, _median(errors), max(errors), _median([track[-1][0] for track in tracks])]


def table(case: Any, reference: Any) -> tuple[list[list[Any]], dict[str, list[Track]]]:
    """The rows of a case, and the runs of the neural solvers."""
    from mlpde.solvers import solver

    rows = [row(f"fem, degree {degree}", [finite_elements(case, reference, degree)]) for degree in DEGREES]
    rows.append(row("rfm", [random_features(case, reference, seed) for seed in SEEDS]))
    runs = {}
    for name, settings, seeds, asked in RUNS[case.name]:
        label = ", ".join([name, *(f"{key}={value}" for key, value in settings.items())])
        runs[label] = [timed_errors(case, reference, solver(name, **settings), seed) for seed in seeds]
        rows.append(row(label, runs[label], asked))
    return rows, runs


def beside_peer(ours: list[Track], peers: list[Track]) -> list[list[Any]]:
    """The errors at equal time, where ours ends and where the peer ends, and how many times lower ours is."""
    rows = []
    for which, runs in (("where pinn ends", ours), ("where DeepXDE ends", peers)):
        seconds = _median([track[-1][0] for track in runs])
        one, other = ([error_at(track, seconds) for track in tracks] for tracks in (ours, peers))
        ratio = min(other) / max(one)
        rows.append([which, seconds, _median(one), max(one), _median(other), min(other), ">= 1000", ratio])
    return rows


def main() -> None:
    """Print the tables."""
    from mlpde.case_files import load
    from mlpde.exact import exact_solution
    from mlpde.solvers import solver
    from mlpde.solving import solve

    print(f"load average {os.getloadavg()[0]:.1f}")
    square, holes = load("square_poisson"), load("poisson2d_c")
    rows, runs = table(square, exact_solution(square))
    peers = [deepxde(seed) for seed in SEEDS]
    print_table("smooth square", COLUMNS, [*rows, row("DeepXDE", peers)])
    columns = ["CPU-seconds", "", "pinn", "worst", "DeepXDE", "best", "asked", "worst / best, times lower"]
    print_table("errors at equal time", columns, beside_peer(runs["pinn"], peers))
    rows, _ = table(holes, solve(holes, solver("fem", degree=4, tolerance=1e-7)))
    print_table("square with four holes", COLUMNS, rows)


def _median(values: list[float]) -> float:
    return float(np.median(values))
