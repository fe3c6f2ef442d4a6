"""The published problems of high dimension, what is true of them, and runs of a solver over seeds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from scipy.stats import norm, qmc

from cases.allen_cahn_100d import allen_cahn
from cases.burgers_50d import burgers
from cases.default_risk import default_risk
from cases.hjb_lq import hjb
from cases.quadratic_gradient import quadratic_gradient
from cases.reaction_diffusion import reaction_diffusion
from cases.two_rates import two_rates
from mlpde.formulation.stochastic import ForwardBackwardSDE
from mlpde.problem import SemilinearParabolic
from mlpde.referees.hopf_cole import hopf_cole
from mlpde.referees.radial import radial

SOBOL = 15  # 2^15 points of E g, each with its opposite


@dataclass(frozen=True)
class Published:
    """problem() and true(), u(0, x0); published: what the literature has, and how."""

    name: str
    problem: Callable[[], SemilinearParabolic]
    true: Callable[[], float]
    published: str


PROBLEMS = [
    Published("HJB-LQ", hjb, lambda: hopf_cole(hjb()).value, "4.5901"),
    Published("Allen-Cahn", allen_cahn, lambda: radial(allen_cahn(), 1e-7).value, "0.0528"),
    Published("default risk", default_risk, lambda: 57.290, "57.300"),
    Published("two rates", two_rates, lambda: 21.299, "21.299"),
    Published("Burgers type", burgers, lambda: 0.5, "0.5"),
    Published("quadratic gradient", quadratic_gradient, lambda: math.sin(1.0), "sin 1"),
    Published("reaction-diffusion", reaction_diffusion, lambda: 1.6, "1.6"),
]


@dataclass(frozen=True)
class Run:
    """One solve: quantities["y0"], CPU seconds without the UFL set-up, and those of the set-up."""

    y0: dict[str, Any]
    seconds: float
    setup: float


def run(solver: Any, problem: SemilinearParabolic, seed: int) -> Run:
    """One solve, timed."""
    start = time.process_time()
    info = solver.solve(problem, seed=seed).info
    setup = info["compile_seconds"]
    return Run(info["quantities"]["y0"], time.process_time() - start - setup, setup)


def runs(solver: Any, problem: SemilinearParabolic, seeds: Iterable[int]) -> list[Run]:
    """One run a seed; what is loaded at first use is loaded before."""
    _warm(solver)
    return [run(solver, problem, seed) for seed in seeds]


@cache
def _warm(solver: Any) -> None:
    solver.solve(hjb(1.0, 2), seed=0)


def relative_errors(found: Iterable[Run], true: float) -> list[float]:
    """|y0 - true| / |true|, in per cent."""
    return [100 * abs(one.y0["value"] - true) / abs(true) for one in found]


def rms(values: Iterable[float]) -> float:
    """The root of the mean square."""
    values = list(values)
    return math.sqrt(sum(v**2 for v in values) / len(values))


def nonlinearity_gap(problem: SemilinearParabolic, true: float) -> float:
    """|E g(X_T) - u| / |u|, in per cent: how far off one is who leaves the driver out.

    By scrambled Sobol points, antithetic, and one step of the exact law.
    """
    sde = ForwardBackwardSDE(problem)
    points = qmc.Sobol(sde.dim, seed=0).random_base2(SOBOL)
    dw = math.sqrt(sde.horizon) * torch.from_numpy(norm.ppf(points))
    x0 = sde.x0.expand(len(dw), -1)
    mean = float(sum(sde.terminal(sde.step(0.0, sde.horizon, x0, w)).mean() for w in (dw, -dw))) / 2
    return 100 * abs(mean - true) / abs(true)
