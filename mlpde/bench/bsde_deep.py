"""DeepBSDE at its published settings, its time beside a plain transcription, and multilevel Picard."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from mlpde.bench import print_table
from mlpde.bench._bsde_by_hand import ByHand, Plain, default_risk, hjb
from mlpde.bench._bsde_problems import PROBLEMS, Published, nonlinearity_gap, relative_errors, rms, runs
from mlpde.formatting import number
from mlpde.formulation.stochastic import ForwardBackwardSDE
from mlpde.solvers import solver
from mlpde.solvers.deep_bsde import DeepBSDE, Training

BY_NAME = {one.name: one for one in PROBLEMS}
# the published settings; the mean error that is asked, in per cent, and over how many seeds
ASKED: list[tuple[str, DeepBSDE, ByHand, float, int]] = [
    ("HJB-LQ", DeepBSDE(start=(0.0, 1.0)), hjb(), 0.2, 5),
    (
        "default risk",
        DeepBSDE(time_steps=40, iterations=6000, learning_rate=8e-3, start=(40.0, 50.0)),
        default_risk(),
        0.5,
        1,
    ),
]
PICARD = ("Allen-Cahn", "default risk", "two rates", "reaction-diffusion")
LEVELS, PICARD_SEEDS = (3, 4, 5), range(100, 103)
ROUNDS, STEPS, BATCH = 5, 10, 64  # of the timing, taken in turn


def deep_row(name: str, settings: DeepBSDE, asked: float, seeds: int) -> list[str]:
    """Mean error, as the papers state it, and the worst; median of the seconds."""
    one = BY_NAME[name]
    problem, true = one.problem(), one.true()
    found = runs(settings, problem, range(seeds))
    errors = relative_errors(found, true)
    seconds = sorted(r.seconds for r in found)[seeds // 2]
    figures = (nonlinearity_gap(problem, true), asked, sum(errors) / seeds, max(errors), seconds)
    return [name, str(seeds), number(true, 9), *map(number, figures)]


def times(ways: list[Callable[[], Any]], rounds: int = ROUNDS, steps: int = STEPS) -> list[float]:
    """CPU milliseconds of one step of each way: the least over rounds in which they take turns."""
    for way in ways:
        way()
    least = [float("inf")] * len(ways)
    for _ in range(rounds):
        for k, way in enumerate(ways):
            start = time.process_time()
            for _ in range(steps):
                way()
            least[k] = min(least[k], 1e3 * (time.process_time() - start) / steps)
    return least


def ratio_row(name: str, settings: DeepBSDE, by_hand: ByHand) -> list[str]:
    """A step of training: plain torch, DeepBSDE, and with one network for all steps."""
    torch.manual_seed(0)
    sde = ForwardBackwardSDE(BY_NAME[name].problem(), torch.float32)
    shared = DeepBSDE(time_steps=settings.time_steps, network="shared")
    plain = Plain(by_hand, 1.0, settings.learning_rate)
    ways = [
        lambda: plain.advance(BATCH),
        Training(settings, sde, 0).advance,
        Training(shared, sde, 0).advance,
    ]
    found = times(ways)
    return [name, *map(number, found), number(found[1] / found[0])]


def picard_row(one: Published, levels: int) -> list[str]:
    """Errors over three seeds."""
    problem, true = one.problem(), one.true()
    found = runs(solver("multilevel_picard", levels=levels), problem, PICARD_SEEDS)
    errors = relative_errors(found, true)
    intervals = [100 * (r.y0["ci95"] + r.y0["bias"]) / abs(true) for r in found]
    figures = (rms(errors), max(errors), sorted(intervals)[1], sorted(r.seconds for r in found)[1])
    return [one.name, str(levels), *map(number, figures)]


def main() -> None:
    """Print the tables."""
    print_table(
        f"A step of Deep BSDE, batch {BATCH}: CPU milliseconds",
        ["problem", "plain torch", "DeepBSDE", 'network="shared"', "DeepBSDE / plain"],
        [ratio_row(name, settings, by_hand) for name, settings, by_hand, *_ in ASKED],
    )
    print_table(
        "Multilevel Picard, M = n, three seeds",
        ["problem", "n", "rms error %", "worst %", "median (ci95 + bias) %", "CPU s"],
        [picard_row(BY_NAME[name], levels) for name in PICARD for levels in LEVELS],
    )
    print_table(
        "DeepBSDE at the published settings",
        ["problem", "seeds", "u(0, x0)", "gap %", "asked %", "mean error %", "worst %", "CPU s"],
        [deep_row(name, settings, asked, seeds) for name, settings, _, asked, seeds in ASKED],
    )
