"""Deep Ritz beside its published figures: smooth square, slit square, harmonic oscillator; CPU-seconds, one thread."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any

import numpy as np

from mlpde.bench import print_table

SEEDS = (0, 1, 2)
PUBLISHED_STEPS = 15_000
PUBLISHED = ((3, 591, 0.79), (4, 811, 0.72), (5, 1031, 0.65), (6, 1251, 0.57))  # blocks, parameters, per cent
OSCILLATOR = (
    (1, 10, 0.16, 0.1),
    (5, 10, 1.6, 0.5),
    (10, 12, 12.6, 2.0),
)  # d, width, published and asked per cent


def timed_errors(case: Any, reference: Any, solver: Any, seed: int) -> list[tuple[float, float]]:
    """(CPU seconds, relative L2 error) after every judged step, the measuring not counted."""
    import torch

    from mlpde.energy_training import Training
    from mlpde.monitor import Monitor

    samples, found, spent, start = reference.samples, [], 0.0, time.process_time()
    points = torch.as_tensor(samples.points)
    after = Training._after

    def watched(self: Training, energy: Any, state: Any, decrease: float | None = None) -> bool:
        nonlocal spent
        done = after(self, energy, state, decrease)
        before = time.process_time()
        with torch.no_grad():
            u = energy.network.jets(state.theta, points, [()])[()].numpy()
        square = (
            samples.weights
            @ ((u - samples.values) ** 2).sum(1)
            / (samples.weights @ (samples.values**2).sum(1))
        )
        found.append((before - start - spent, float(np.sqrt(square))))
        spent += time.process_time() - before
        return done

    Training._after = watched  # type: ignore[method-assign]
    try:
        solver.solve(case.problem, seed=seed, monitor=Monitor())
    finally:
        Training._after = after  # type: ignore[method-assign]
    return found


def square() -> None:
    """Seconds to 1e-6 on the smooth square."""
    from mlpde.case_files import load
    from mlpde.exact import exact_solution
    from mlpde.solvers.deep_ritz import DeepRitz

    case = load("square_poisson")
    rows = []
    for solver in (DeepRitz(), DeepRitz(conditions="multipliers")):
        tracks = [timed_errors(case, exact_solution(case), solver, seed) for seed in SEEDS]
        times = [next((t for t, e in track if e <= 1e-6), np.inf) for track in tracks]
        ends = [track[-1][1] for track in tracks]
        asked = "<= 4 s" if solver.conditions is None else ""
        rows.append(
            [
                repr(solver.conditions),
                asked,
                float(np.median(times)),
                max(times),
                float(np.median(ends)),
                max(ends),
            ]
        )
    columns = ["conditions", "asked", "s to 1e-6", "worst", "error at the end", "worst"]
    print_table("smooth square, Deep Ritz", columns, rows)


def slit() -> None:
    """u = r^(1/2) sin(theta / 2) on the slit square by the published algorithm, and ours."""
    from mlpde.case_files import load
    from mlpde.exact import exact_solution
    from mlpde.solvers.deep_ritz import DeepRitz

    case = load("slit_square_root")
    reference = exact_solution(case)
    published = DeepRitz(
        network="residual",
        width=10,
        activation="cubic",
        geometry_inputs=False,
        conditions="penalty",
        penalty=2000.0,
        sampling="random",
        optimizer="adam",
        iterations=PUBLISHED_STEPS,
    )
    rows: list[list[Any]] = []
    for blocks, _, per_cent in PUBLISHED:
        rows.append([*_row(replace(published, depth=blocks), case, reference, (0,)), f"{per_cent} %"])
    rows.append([*_row(DeepRitz(), case, reference, SEEDS), "<= 0.01 % asked"])
    columns = ["algorithm", "parameters", "median, per cent", "worst", "CPU s", "published"]
    print_table("slit square, relative L2 error", columns, rows)


def _row(solver: Any, case: Any, reference: Any, seeds: tuple[int, ...]) -> list[Any]:
    name = "ours" if solver.network == "mlp" else f"published, {solver.depth} blocks"
    try:
        found = [solver.solve(case.problem, seed=seed) for seed in seeds]
    except FloatingPointError as error:
        return [name, "", str(error), "", ""]
    errors = [100 * s.error(reference)["u"]["l2"] for s in found]
    seconds = float(np.median([s.info["cpu_seconds"] for s in found]))
    return [name, found[0].info["unknowns"], float(np.median(errors)), max(errors), seconds]


def oscillator() -> None:
    """The least eigenvalue of the harmonic oscillator in d dimensions, against d."""
    from cases.oscillator_eigenvalue import oscillator as case_of
    from mlpde.solvers.deep_ritz import DeepRitz

    rows = []
    for dim, width, published, asked in OSCILLATOR:
        solution = DeepRitz(width=width).solve(case_of(dim).problem, seed=0)
        error = 100 * abs(float(solution.eigenvalues[0]) / dim - 1)
        rows.append([dim, solution.info["unknowns"], published, asked, error, solution.info["cpu_seconds"]])
    columns = ["d", "parameters", "published, per cent", "asked", "ours", "CPU s"]
    print_table("harmonic oscillator, least eigenvalue against d", columns, rows)


def main() -> None:
    """Print the tables."""
    print(f"load average {os.getloadavg()[0]:.1f}")
    square()
    oscillator()
    slit()
