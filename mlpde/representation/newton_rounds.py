"""From a cold start to y0: rounds of regression and Newton-Feynman-Kac, with continuation and refinement in time.

A round fits u backward under the drift that the last round's f_z gives, and follows fresh paths about the fit.  Where
this diverges, the driver part * f is solved for a growing part of it, each time from the last one's fit; if that
diverges too, by smaller increments.  Where the error in time is above the other ones, the next round has twice as many
steps.  Where the driver is purely quadratic and the first fit with all of it does not settle, or none is found,
tempering is tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from mlpde.formulation.driver_curvature import driver_curvature
from mlpde.formulation.feynman_kac import NORMAL_95, Estimate, Linear, newton_feynman_kac
from mlpde.formulation.stochastic import ForwardBackwardSDE
from mlpde.formulation.tempering import quadratic, tempered
from mlpde.representation.backward_regression import fit_backward
from mlpde.representation.regression_features import Regression, RegressionFeatures
from mlpde.representation.regression_model import arrays_of, regression_of
from mlpde.representation.residual_network import corrected

LEAST_INCREMENT = 1 / 8  # of the part of the driver
USELESS = 1.05  # a regression that leaves more of the variance than none at all, but for noise, has diverged
# a network is trained where the linearisation leaves out more statistical errors, and the features more of the variance
MISSED, UNEXPLAINED = 2.0, 0.25
Tell = Callable[[str, int], None]  # what is being done, rounds done before
LAST_ROUND = 100  # seeds are numbered by it


@dataclass(frozen=True)
class State:
    """What is known after `round` rounds.

    smoothing: increments of the features.  part: of the driver that is solved for so far; increment: to the next part.
    fits: rounds with all of the driver.  change: of y0 against the round before.  remainder, sign: see
    `driver_curvature`.  apart: how far y0 by regression is away beyond both statistical errors.
    diverged: no increment was small enough, this is the best of the rounds.
    best: of the rounds with all of the driver, the one with the least `width`.
    tempering: of `formulation/tempering.py`; where it was "used" the estimate is its, and apart is what it says; there
    may be no regression.
    network: the estimate is about the regression and a network for its residual, see `with_network`.
    """

    steps: int
    smoothing: int
    round: int = 0
    part: float = 0.0
    increment: float = 1.0
    fits: int = 0
    regression: Regression | None = None
    estimate: Estimate | None = None
    change: float = math.inf
    remainder: float = math.inf
    sign: int = 0
    apart: float = 0.0
    finished: bool = False
    diverged: bool = False
    best: State | None = None
    tempering: Literal["", "tried", "used"] = ""
    network: bool = False

    @property
    def bias(self) -> float:
        """Indicator of what the interval does not know: the largest of the independent ones."""
        in_time = self.estimate.in_time if self.estimate else math.inf
        return max(self.remainder, self.apart, in_time, self.settled)

    @property
    def settled(self) -> float:
        """`change`, 0 where there was no round before to tell it."""
        return self.change if math.isfinite(self.change) else 0.0

    @property
    def width(self) -> float:
        """Half of the interval that statistics and bias give."""
        return self.estimate.ci95 + self.bias if self.estimate else math.inf


def newton_rounds(
    features: RegressionFeatures,
    linear: Linear,
    paths: int,
    most_steps: int,
    iterations: int,
    seed: int,
    state: State,
    tell: Tell,
) -> Iterator[State]:
    """The states after each round, until one is finished.

    iterations: rounds with all of the driver, before the grid is refined because they do not settle.
    Where even small parts of the driver diverge, and tempering does not fit, the last state has no estimate.
    """
    sde = features.sde
    while not state.finished:
        generator = torch.Generator(sde.x0.device).manual_seed(seed * LAST_ROUND + state.round)
        part = min(1.0, state.part + state.increment)
        tell(f"regression on {state.steps} steps", state.round)
        fit = fit_backward(features, state.steps, paths, generator, state.regression, part)
        solved = math.isfinite(fit.regression.y0) and fit.variance_ratio < USELESS
        estimate = None
        if solved and part == 1.0:
            known = fit.regression.value_and_gradient
            tell(f"Newton-Feynman-Kac on {state.steps} steps", state.round)
            estimate = newton_feynman_kac(sde, known, state.steps, paths, generator, linear)
            solved = estimate.finite and estimate.ratio < USELESS
        state = replace(state, round=state.round + 1)
        if solved and estimate is None:
            state = replace(state, part=part, regression=fit.regression)
        elif solved and estimate is not None:
            curvature = driver_curvature(sde, known, state.steps, estimate.residual, generator)
            errors = math.hypot(estimate.ci95, NORMAL_95 * fit.standard_error)
            state = replace(
                state,
                part=1.0,
                fits=state.fits + 1,
                regression=fit.regression,
                change=abs(estimate.value - state.estimate.value) if state.estimate else math.inf,
                estimate=estimate,
                remainder=curvature.remainder,
                sign=curvature.sign,
                apart=max(abs(fit.regression.y0 - estimate.value) - errors, 0.0),
            )
            if state.best is None or state.width < state.best.width:
                state = replace(state, best=replace(state, best=None))
            state = _next(state, estimate, "z" in sde.driver_uses, most_steps, iterations)
            if not (state.finished or state.tempering):
                state = _tempered(state, sde, seed)
        else:
            half = State(
                state.steps,
                state.smoothing,
                state.round,
                increment=state.increment / 2,
                best=state.best,
                tempering=state.tempering,
            )
            state, best = half, state.best
            if state.increment < LEAST_INCREMENT:
                state = replace(best or state, round=state.round, finished=True, diverged=True)
                if state.estimate is None and not state.tempering:
                    state = _tempered(state, sde, seed)
        yield state


def _next(state: State, estimate: Estimate, newton: bool, most_steps: int, iterations: int) -> State:
    """Finished, or with more steps, or for one more round of Newton's method (newton: f_z is not zero)."""
    finer = 2 * state.steps <= most_steps
    if finer and estimate.in_time > max(estimate.ci95, state.remainder):
        return replace(state, steps=2 * state.steps)
    off = max(state.remainder, state.apart, state.settled) > estimate.ci95
    if not (newton and off):
        return replace(state, finished=True)
    if state.fits < iterations:
        return state
    if finer and state.settled > estimate.ci95:  # a coarse grid can keep it from settling
        return replace(state, steps=2 * state.steps, fits=0)
    return replace(state, finished=True)


def _tempered(state: State, sde: ForwardBackwardSDE, seed: int) -> State:
    """Finished by the estimate of tempering, if that fits the driver and is narrower than what the state has."""
    state, a = replace(state, tempering="tried"), quadratic(sde)
    found = None if a is None else tempered(sde, a, seed)
    if a is None or found is None or not found.ci95 + found.apart < state.width:
        return state
    left = state.estimate or Estimate(0.0, 0.0, 0.0, 0.0, 0.0, found.z0, found.z0_error)
    return replace(
        state,
        part=1.0,
        estimate=left._replace(
            value=found.value, ci95=found.ci95, in_time=0.0, z0=found.z0, z0_error=found.z0_error
        ),
        change=0.0,
        remainder=0.0,
        sign=-1 if a > 0 else 1,
        apart=found.apart,
        finished=True,
        diverged=False,
        tempering="used",
    )


def with_network(state: State, linear: Linear, paths: int, seed: int, tell: Tell) -> State:
    """A finished state with the estimate about its regression and a network for what the features miss.

    The same state where the features explain most of the variance, where the linearisation leaves out little beside the
    statistical error, and where the network does not help.
    """
    if state.tempering == "used":
        return state
    assert state.estimate is not None and state.regression is not None
    little = state.remainder <= MISSED * state.estimate.ci95
    if little or state.estimate.ratio <= UNEXPLAINED:
        return state
    sde = state.regression.features.sde
    tell("network for what the features miss", state.round)
    generator = torch.Generator(sde.x0.device).manual_seed(seed * LAST_ROUND + LAST_ROUND - 1)
    known = corrected(sde, state.regression.value_and_gradient, state.steps, paths, generator)
    estimate = newton_feynman_kac(sde, known, state.steps, paths, generator, linear)
    curvature = driver_curvature(sde, known, state.steps, estimate.residual, generator)
    better = replace(
        state, estimate=estimate, remainder=curvature.remainder, sign=curvature.sign, network=True
    )
    return better if estimate.finite and better.width < state.width else state


def saved(state: State) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays and settings of a state, its best one included."""
    settings = {k: v for k, v in vars(state).items() if k not in ("regression", "estimate", "best")}
    arrays: dict[str, Any] = {}
    if state.regression is not None:
        arrays |= arrays_of(state.regression)
    if state.estimate is not None:
        numbers = state.estimate._asdict()
        arrays |= {name: numbers.pop(name).cpu().numpy() for name in ("z0", "z0_error")}
        settings["estimate"] = numbers
    if state.best is not None:
        more, settings["best"] = saved(state.best)
        arrays |= {f"best.{name}": value for name, value in more.items()}
    return arrays, settings


def restored(arrays: Mapping[str, Any], settings: Mapping[str, Any], features: RegressionFeatures) -> State:
    """The state that `saved` described."""
    numbers = {k: v for k, v in settings.items() if k not in ("estimate", "best")}
    simple: dict[str, Any] = {
        k: math.inf if v is None else v for k, v in numbers.items()
    }  # JSON has no infinity
    regression = regression_of(arrays, features) if "y0" in arrays else None
    estimate = best = None
    if "estimate" in settings:
        like = features.sde.x0
        tensors: dict[str, Any] = {
            name: torch.as_tensor(arrays[name]).to(like) for name in ("z0", "z0_error")
        }
        estimate = Estimate(**settings["estimate"], **tensors)
    if "best" in settings:
        own = {k.removeprefix("best."): v for k, v in arrays.items() if k.startswith("best.")}
        best = restored(own, settings["best"], features)
    return State(**simple, regression=regression, estimate=estimate, best=best)
