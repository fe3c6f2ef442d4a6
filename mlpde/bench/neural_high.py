"""DGM and PINN without a mesh: published figures, set-up in a hundred dimensions, what a Laplacian costs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
import ufl

from geometry import Box
from mlpde import Case, Dirichlet, Field, Problem
from mlpde.bench import print_table
from mlpde.formatting import number
from mlpde.formulation.residual import strong_form
from mlpde.formulation.torch_expression import laplacian
from mlpde.language import total
from mlpde.representation.laplacians import estimated_jets
from mlpde.representation.networks import MLP
from mlpde.solvers import solver

SEEDS = range(3)
RUNS: list[tuple[str, str, dict[str, Any], float]] = [  # case, solver, settings, asked: relative L2 error
    ("laplace_10d", "dgm", {}, 4e-3),
    ("laplace_10d", "pinn", {"iterations": 60}, 4e-3),
    ("neumann_5d", "dgm", {}, 1.3e-2),
    ("neumann_10d", "dgm", {}, 1.9e-2),
    ("wan_5d", "dgm", {"refine": 200}, 1e-2),
    ("parabolic_10d", "dgm", {"refine": 200}, math.nan),
]
DIMENSIONS = (5, 20, 100)
POINTS = 256


def measured(
    name: str, method: str, settings: dict[str, Any], seeds: Iterable[int]
) -> tuple[list[float], list[float], int]:
    """Errors (L2, relative) and CPU seconds of the seeds, and the number of parameters."""
    from mlpde.case_files import load
    from mlpde.exact import exact_solution
    from mlpde.solving import solve

    case, errors, seconds, unknowns = load(name), [], [], 0
    reference = exact_solution(case)
    for seed in seeds:
        found = solve(case, solver(method, **settings), seed=seed)
        errors.append(max(error["l2"] for error in found.error(reference).values()))
        seconds.append(found.info["cpu_seconds"])
        unknowns = found.info["unknowns"]
    return sorted(errors), sorted(seconds), unknowns


def hundred(dim: int) -> Case:
    """A nonlinear diffusion whose coefficient depends on all coordinates."""

    def weak_form(u: Any, v: Any, omega: Any) -> Any:
        k = 1 + total(omega.x) ** 2 / dim + u**2
        return (k * ufl.inner(ufl.grad(u), ufl.grad(v)) - v) * omega.dx

    boundary = Dirichlet("all", lambda x: total(x))
    return Case("diffusion", Problem(Box(dim), Field("u"), weak_form=weak_form, dirichlet=boundary))


def _seconds(work: Callable[[], Any], least: float = 0.5) -> float:
    """CPU seconds of one call, the first one left out."""
    work()
    start, count = time.process_time(), 0
    while time.process_time() - start < least:
        work()
        count += 1
    return (time.process_time() - start) / count


def dimension_row(dim: int) -> list[str]:
    """Set-up of the strong form, and a value with gradient of mean (Lap u)^2 by each method, a 2 x 32 network."""
    start = time.process_time()
    strong_form(hundred(dim).problem)
    row = [str(dim), number(time.process_time() - start)]
    network = MLP(dim, 1, (0.0,) * dim, (1.0,) * dim, width=32, depth=2)
    x = torch.as_tensor(Box(dim).interior(POINTS))
    generator = torch.Generator().manual_seed(0)
    second = [(i, i) for i in range(dim)]

    def step(jets: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[], Any]:
        def work() -> Any:
            theta = network.initial(0).requires_grad_()
            return torch.autograd.grad(jets(theta).square().mean(), theta)

        return work

    def by(method: Any) -> Callable[[torch.Tensor], torch.Tensor]:
        alpha = laplacian(dim)
        return lambda theta: estimated_jets(network, theta, x, [alpha], dim, method, generator)[alpha]

    def one_by_one(theta: torch.Tensor) -> torch.Tensor:
        found = network.jets(theta, x, second)
        return torch.stack([found[alpha] for alpha in second]).sum(0)

    ways = [one_by_one, by("exact"), by("random_directions"), by("monte_carlo")]
    return row + [f"{1e3 * _seconds(step(way)):.3g}" for way in ways]


def main() -> None:
    """Print the tables."""
    print_table(
        "Set-up (CPU seconds), and a step with gradient (CPU milliseconds, 256 points, 2 x 32 network)",
        ["d", "set-up", "all u_ii", "exact Laplacian", "random directions", "Monte Carlo"],
        [dimension_row(dim) for dim in DIMENSIONS],
    )
    rows = []
    for name, method, settings, asked in RUNS:
        seeds = SEEDS[:1] if math.isnan(asked) else SEEDS  # one where nothing is asked
        errors, seconds, unknowns = measured(name, method, settings, seeds)
        middle = len(errors) // 2
        rows.append(
            [
                name,
                method,
                number(unknowns),
                "–" if math.isnan(asked) else number(asked),
                number(errors[middle]),
                number(errors[-1]),
                number(seconds[middle]),
            ]
        )
    header = ["case", "solver", "parameters", "asked", "median error", "worst", "median CPU s"]
    print_table("Relative L2 errors, three seeds where a figure is asked, else one", header, rows)
