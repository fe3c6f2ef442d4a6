"""What small subdomains around a sharp peak are worth: a quadtree by hand beside uniform partitions.

The windows of large subdomains fall as steeply as the finest cells want: where no points lie on these ramps, the
least squares do not see them, and the fit is worthless.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from mlpde.bench import print_table

FEATURES, SCALE, POINTS = 100, 3.0, 4
ACROSS = 8  # points on the ramps in each direction of a finest cell
PEAK = np.array([0.5, 0.5])


def quadtree(levels: int) -> Any:
    """The unit square in 4 x 4 cells, those that touch the peak quartered again until 2^levels cells fill a side.

    A subdomain of several cells of the finest grid has the sum of their hats as its window.
    """
    from mlpde.representation.partition_of_unity import PartitionOfUnity

    n = 2**levels
    owner = np.zeros((n, n), dtype=int)
    boxes: list[tuple[np.ndarray, np.ndarray]] = []

    def divide(corner: tuple[int, int], size: int) -> None:
        lower = np.array(corner) / n
        touches = (np.abs(lower + size / n / 2 - PEAK) <= size / n * (1 + 1e-9)).all()
        if size > n // 4 or (size > 1 and touches):
            half = size // 2
            for i in (0, half):
                for j in (0, half):
                    divide((corner[0] + i, corner[1] + j), half)
        else:
            owner[corner[0] : corner[0] + size, corner[1] : corner[1] + size] = len(boxes)
            boxes.append((lower, lower + size / n))

    divide((0, 0), n)
    low, high = (np.array(part) for part in zip(*boxes, strict=True))
    grid = PartitionOfUnity.grid((0, 0), (1, 1), (n, n))
    return replace(
        grid, owner=owner.ravel(), heir=owner.ravel(), centres=(low + high) / 2, radii=(high - low) / 2
    )


def on_ramps(partition: Any) -> np.ndarray:
    """Points (n, 2) of a lattice of 8 x 8 in each finest cell, those where several windows overlap."""
    import torch

    n = partition.cells[0] * ACROSS
    steps = (np.arange(n) + 0.5) / n
    points = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    covers = partition.covers(torch.from_numpy(points))
    return points[np.concatenate([c.rows.numpy() for c in covers if len(c.subdomains) > 1])]


def fitted(case: Any, reference: Any, partition: Any, ramps: bool) -> list[Any]:
    """Subdomains, unknowns, relative L2 error and CPU seconds of a fit with as many points in every subdomain.

    ramps: and points on all ramps of the windows.
    """
    import torch

    from mlpde.formulation.residual import strong_form
    from mlpde.formulation.sampling import collocate
    from mlpde.representation.fitting import Ansatz, fit
    from mlpde.representation.models import RandomFeatureModel
    from mlpde.representation.random_features import RandomFeatures
    from mlpde.solution import Solution

    start = time.process_time()
    problem = case.problem
    features = RandomFeatures.draw(partition, FEATURES, SCALE, "sin", polynomials=True)
    steps = (np.arange(q := int(np.ceil((POINTS * FEATURES) ** 0.5))) + 0.5) / q * 2 - 1
    unit = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    inside = (partition.centres[:, None] + partition.radii[:, None] * unit).reshape(-1, 2)
    if ramps:
        inside = np.concatenate([inside, on_ramps(partition)])
    found = fit(Ansatz((features,)), collocate(strong_form(problem), problem.domain, inside), 1)
    model = RandomFeatureModel(features, found.coefficients[0], torch.zeros(1, dtype=torch.float64))
    solution = Solution("rfm", "", problem.fields, model, problem.domain.mesh(), {}, problem)
    seconds = time.process_time() - start
    return [partition.subdomains, found.unknowns, solution.error(reference)["u"]["l2"], seconds]


def main() -> None:
    """Print the table."""
    from mlpde.case_files import load
    from mlpde.exact import exact_solution
    from mlpde.representation.partition_of_unity import PartitionOfUnity

    case = load("nist_peak")
    reference = exact_solution(case)
    rows: list[list[Any]] = []
    for n in (4, 6, 8, 10):
        uniform = PartitionOfUnity.grid((0, 0), (1, 1), (n, n))
        rows.append([f"uniform, {n} x {n}", *fitted(case, reference, uniform, ramps=False)])
    for levels in (3, 4, 5):
        for ramps in (False, True):
            label = f"quadtree, cells down to 1/{2**levels}{', points on the ramps' if ramps else ''}"
            rows.append([label, *fitted(case, reference, quadtree(levels), ramps)])
    print_table(
        f"a peak exp(-1000 r^2): {FEATURES} features a subdomain, sin, R = {SCALE:g}, seed 0",
        ["partition", "subdomains", "unknowns", "L2 error", "CPU s"],
        rows,
    )
