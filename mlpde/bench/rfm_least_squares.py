"""Least squares of random features: every method's time, memory and error; iterations and time as subdomains multiply.

Poisson's equation on the unit square or cube, u = prod_i sin(2 x_i + 0.4) + exp(mean x_i), tanh, R = 1.  Processor
seconds of the solve, one thread.
"""

from __future__ import annotations

import math
import subprocess
import sys
import time
from typing import Any, NamedTuple

import numpy as np

from mlpde.bench import print_table

# (method, seconds, error) of prototypes on 10400 x 3200, another machine
PUBLISHED = {
    "dense": (12.1, 4.5e-9),
    "block_qr": (0.61, 4.3e-9),
    "mixed_qr": (0.45, 4.3e-9),
    "cholesky": (0.55, 4.3e-9),
}
RATIO = 3.0  # collocation points inside for each feature
GROWTH_METHODS = ("block_qr", "cholesky", "two_level")


class Solve(NamedTuple):
    """One solve: processor seconds, relative error in the largest norm, and the diagnostics."""

    seconds: float
    error: float
    info: dict[str, Any]


def exact(x: Any) -> Any:
    """u (n,) at points (n, d)."""
    return np.sin(2 * x + 0.4).prod(axis=1) + np.exp(x.mean(axis=1))


def rows(cells: int, count: int, dim: int, inner: int) -> tuple[Any, list[Any]]:
    """Features of cells^dim subdomains, and the rows of inner^dim points in each and about as dense ones outside."""
    import torch

    from mlpde.formulation.residual import Term
    from mlpde.representation.collocation import assemble
    from mlpde.representation.partition_of_unity import PartitionOfUnity
    from mlpde.representation.random_features import RandomFeatures

    features = RandomFeatures.draw(PartitionOfUnity.grid((0,) * dim, (1,) * dim, (cells,) * dim), count)
    axis = (np.arange(cells * inner) + 0.5) / (cells * inner)
    inside = np.stack(np.meshgrid(*[axis] * dim, indexing="ij"), -1).reshape(-1, dim)
    face = np.stack(np.meshgrid(*[axis] * (dim - 1), indexing="ij"), -1).reshape(-1, dim - 1)
    edge = np.concatenate([np.insert(face, i, side, axis=1) for i in range(dim) for side in (0.0, 1.0)])
    laplacian = -4 * dim * np.sin(2 * inside + 0.4).prod(axis=1) + np.exp(inside.mean(axis=1)) / dim
    groups: list[Any] = []
    for points, alphas, value in (
        (inside, [(i, i) for i in range(dim)], laplacian),
        (edge, [()], exact(edge)),
    ):
        where = torch.from_numpy(points)
        terms = [Term(0, 0, alpha, torch.ones(len(points), dtype=torch.float64)) for alpha in alphas]
        groups += assemble(features, where, terms, -torch.from_numpy(value)[:, None], 1)
    return features, groups


def solve(features: Any, groups: list[Any], method: Any) -> Solve:
    """One solve and its error on points of its own."""
    import torch

    from mlpde.optimize.least_squares import solve_blocks
    from mlpde.representation.coarse_functions import coarse_functions

    grid, start = features.partition, time.process_time()
    x, info = solve_blocks(
        groups,
        [features.features] * grid.subdomains,
        method=method,
        centres=grid.centres,
        coarse=lambda: coarse_functions(features, 1),
    )
    seconds = time.process_time() - start
    points = np.random.default_rng(1).uniform(size=(4000, grid.dim))
    found = features.evaluate(torch.from_numpy(points), features.coefficients(x), [()])[()][:, 0].numpy()
    error = np.abs(found - exact(points)).max() / np.abs(exact(points)).max()
    return Solve(seconds, float(error), info)


def memory(cells: int, count: int, inner: int, method: str) -> None:
    """Print what one solve adds to the peak of a fresh process that holds the rows, the whole peak, and the rest."""
    import resource

    features, groups = rows(cells, count, 2, inner)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    done = solve(features, groups, method)
    peak = done.info["peak_memory_mb"]
    print(done.info["rows"], done.info["columns"], done.seconds, peak - before, peak, done.error)


def main() -> None:
    """Print the tables."""
    small = rows(2, 20, 2, 10)
    for method in PUBLISHED:
        solve(*small, method)  # loads the libraries
    features, groups = rows(4, 200, 2, 25)
    found = {method: solve(features, groups, method) for method in PUBLISHED}
    referee = found["dense"]
    print_table(
        "10400 x 3200: 4^2 subdomains, J = 200 (one draw; asked: 15 times faster than gelsd, error at most 1.2 times)",
        ["method", "seconds", "prototype", "faster", "error", "error / gelsd", "iterations"],
        [
            [
                *(name, s.seconds, PUBLISHED[name][0], referee.seconds / s.seconds),
                *(s.error, s.error / referee.error, s.info.get("iterations", "")),
            ]
            for name, s in found.items()
        ],
    )
    table = []
    for method in ("block_qr", "mixed_qr", "cholesky", "two_level"):
        code = f"import mlpde.bench.rfm_least_squares as m; m.memory(16, 100, 18, {method!r})"
        printed = subprocess.check_output([sys.executable, "-c", code], text=True).split()
        table.append([method, *printed[:2], *map(float, printed[2:])])
    print_table(
        "84k x 25.6k: 16^2 subdomains, J = 100, one draw, each in a process of its own (asked: 1 GB)",
        ["method", "rows", "columns", "seconds", "MB added", "MB in all", "error"],
        table,
    )
    growth(2, 50, (4, 8, 16, 32))
    growth(3, 150, (2, 3, 4, 5))


def growth(dim: int, count: int, grids: tuple[int, ...]) -> None:
    """Time against the number of subdomains: direct methods up to the last but one grid, two levels on all."""
    inner = math.ceil((RATIO * count) ** (1 / dim))
    table: list[list[Any]] = []
    seconds: dict[str, list[float]] = {method: [] for method in GROWTH_METHODS}
    for cells in grids:
        features, groups = rows(cells, count, dim, inner)
        for method in GROWTH_METHODS if cells < grids[-1] else GROWTH_METHODS[-1:]:
            done = solve(features, groups, method)
            seconds[method].append(done.seconds)
            facts = done.info
            table.append(
                [f"{cells}^{dim}", facts["columns"], facts["method"], done.seconds]
                + [facts.get("iterations", ""), done.error]
            )
    print_table(
        f"growth in {dim}-D, J = {count}, one draw (asked: two-level iterations constant within 20 % from 8^2 to 32^2)",
        ["subdomains", "columns", "method", "seconds", "iterations", "error"],
        table,
    )
    for method, times in seconds.items():
        sizes = [cells**dim for cells in grids[: len(times)]]
        slope = np.polyfit(np.log(sizes[-3:]), np.log(times[-3:]), 1)[0]
        print(f"{method}: seconds ~ subdomains^{slope:.2f} over the last three grids")
    print()
