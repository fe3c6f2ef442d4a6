"""BSDE: semilinear parabolic problems in high dimension, by regression along sample paths instead of networks.

The linear level E g(X_T) by Sobol points; least squares backward in time; then y0 = u(0, x0) by Newton-Feynman-Kac on
fresh paths, whose error is quadratic in that of the regression; for strong drivers -(a / 2) |z|^2 by tempering.  Where
the features miss too much, a network is trained for the residual, and Newton-Feynman-Kac taken about both.
Beside the statistical interval stands a bias indicator from independent sources: two time grids, one more iterate, the
two estimators, and what the regression leaves of the variance; of tempering, what more moves change
beyond chance.  Sources: see `representation/backward_regression.py`; Pardoux and Peng 1990,
doi:10.1016/0167-6911(90)90082-6; E, Han, Jentzen 2017, doi:10.1007/s40304-017-0117-6 for the problems.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import torch

from mlpde.errors import InputError
from mlpde.formulation.control_bounds import Bounds, two_pieces
from mlpde.formulation.feynman_kac import NORMAL_95, Estimate, Linear, antithetic, linear_level
from mlpde.formulation.stochastic import ForwardBackwardSDE
from mlpde.formulation.tempering import quadratic
from mlpde.monitor import Monitor
from mlpde.optimize.device import available
from mlpde.problem import SemilinearParabolic
from mlpde.representation.extreme_values import ExtremeValue
from mlpde.representation.newton_rounds import State, newton_rounds, restored, saved, with_network
from mlpde.representation.regression_bounds import regression_bounds
from mlpde.representation.regression_features import (
    SMOOTHING,
    Psi,
    RegressionFeatures,
    needed_smoothing,
    smoothed_terminal,
)
from mlpde.representation.regression_model import BackwardRegression
from mlpde.representation.tempered_model import TemperedExpectation
from mlpde.settings import chosen, whole
from mlpde.solution import Model, Solution

PATHS = 4096
PATHS_PER_DIMENSION = 4
LINEAR_POINTS = 4096  # of each of the Sobol replicates, where there are no more paths than by default
NORMAL_90 = 1.645  # of a one-sided bound of 95 %


@dataclass(frozen=True)
class BSDE:
    """Backward least squares and Newton-Feynman-Kac.

    steps: of the first time grid, a multiple of 4; doubled, up to max_steps, until the error in time is below the
    statistical one.  paths: of each regression and each estimate, even; None: 4096, or 4 for each dimension; the points
    of the linear level grow with them.
    iterations: at most so many rounds of Newton's method on the last grid.
    smoothing: increments over which g is averaged to make a feature (where g depends on the largest or the least
    component alone, over all of them), 0: g at the mean flow; None: where that is no use.
    features: further ones, a function of (t, x) in UFL, a scalar or a vector.
    network: train one for the residual where features miss so much of u that the error is more than statistical; y0 is
    then about both, while evaluate() stays with the regression.
    precision, device: of the paths; sums are in double precision.
    """

    steps: int = 8
    max_steps: int = 64
    paths: int | None = None
    iterations: int = 4
    smoothing: int | None = None
    features: Callable | None = field(default=None, repr=False)  # its repr changes from run to run
    network: bool = True
    precision: Literal["single", "double"] = "single"
    device: str = "cpu"

    name: ClassVar[str] = "bsde"
    accepts: ClassVar[frozenset[str]] = frozenset({"semilinear", "high dimension"})
    parallel: ClassVar[bool] = (
        True  # on ranks all do the same: a solution holds functions that cannot be sent
    )

    def __post_init__(self) -> None:
        whole(self, 4, "steps", "max_steps")
        whole(self, 1, "iterations")
        chosen(self, "precision")
        if self.steps % 4:
            raise InputError(f"bsde.steps must be a multiple of 4, not {self.steps}")
        if self.max_steps < self.steps:
            raise InputError(f"bsde.max_steps must be at least steps = {self.steps}, not {self.max_steps}")
        if self.features is not None and not callable(self.features):
            raise InputError(
                f"bsde.features must be a function of (t, x) in UFL, from Python or the case, not {self.features!r}"
            )
        for setting, least in (("paths", 4), ("smoothing", 0)):
            if (value := getattr(self, setting)) is not None:
                whole(self, least, setting)
                if value % 2:
                    raise InputError(f"bsde.{setting} must be even, for antithetic pairs, not {value}")

    def solve(
        self, problem: SemilinearParabolic, *, seed: int = 0, monitor: Monitor | None = None
    ) -> Solution:
        """y0 with interval and bias in info["quantities"], and u(t, x) where paths from x0 go (tempering: anywhere).

        Raises InputError where the problem does not fit, see `ForwardBackwardSDE`, or the iteration diverges.
        """
        monitor = monitor or Monitor()
        start = time.process_time()
        dtype = torch.float32 if self.precision == "single" else torch.float64
        sde = ForwardBackwardSDE(problem, dtype, available(self.device))
        own = None if self.features is None else _own(sde, self.features)
        wall, cpu = time.perf_counter(), time.process_time()
        usual = max(PATHS, PATHS_PER_DIMENSION * problem.dim)
        paths = self.paths or usual
        doublings = max(math.floor(math.log2(paths / usual)), 0)  # Sobol points are even in powers of two
        monitor.doing("linear level", 0)
        linear = linear_level(sde, LINEAR_POINTS * 2**doublings, self.steps, seed)
        state = self._rounds(sde, own, linear, paths, seed, monitor)
        if self.network:
            state = with_network(state, linear, paths, seed, monitor.doing)
        assert state.estimate is not None
        model = _model(sde, state, state.estimate, seed)
        regression = model.regression if isinstance(model, BackwardRegression) else None
        bounds = regression_bounds(regression, _generator(sde, seed)) if regression else None
        info = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu,
            "compile_seconds": cpu - start,
            "unknowns": regression.coefficients.numel() if regression else 0,
            "seed": seed,
            "history": monitor.history,
            "quantities": {"y0": _quantity(state, bounds)},
            **_statistics(sde, state, state.estimate, linear),
            "warnings": self._warnings(state, state.estimate),
        }
        return Solution(self.name, repr(self), problem.fields, model, None, info, problem)

    def _rounds(
        self, sde: ForwardBackwardSDE, own: Any, linear: Linear, paths: int, seed: int, monitor: Monitor
    ) -> State:
        """The last state; with smoothed features where the iteration diverges without, if they may be chosen."""

        def features_of(smoothing: int) -> RegressionFeatures:
            psi: Psi | None = None
            if smoothing:
                generator = _generator(sde, seed)
                psi = ExtremeValue.of(sde, generator) or smoothed_terminal(
                    sde, antithetic(generator, smoothing, sde.x0)
                )
            return RegressionFeatures(sde, psi, own)

        stored = monitor.resume()
        if stored:
            state = restored(*stored, features_of(stored[1]["smoothing"]))
        else:
            needed = self.smoothing
            if needed is None:
                needed = needed_smoothing(sde, _generator(sde, seed))
                if not needed and two_pieces(sde):  # their bounds want the best psi
                    needed = SMOOTHING
            state = State(self.steps, needed)
        while True:
            features = features_of(state.smoothing)
            rounds = newton_rounds(
                features, linear, paths, self.max_steps, self.iterations, seed, state, monitor.doing
            )
            for state in rounds:
                figures: dict[str, Any] = {"part": state.part, "steps": state.steps}
                if state.estimate is not None:
                    figures |= {"y0": state.estimate.value, "ci95": state.estimate.ci95, "bias": state.bias}
                monitor.update(state.round, None, **figures)
                if monitor.due:
                    monitor.checkpoint(*saved(state))
            if state.estimate is not None:
                return state
            if self.smoothing is not None or state.smoothing:
                raise InputError(
                    "bsde: the iteration diverges, however slowly the driver is put in: more paths=..., steps=... or "
                    "features=... may help, unless u is infinite before T"
                )
            state = State(self.steps, SMOOTHING, state.round, tempering=state.tempering)

    def _warnings(self, state: State, estimate: Estimate) -> list[str]:
        found = []
        if state.diverged:
            found.append(
                "the iteration diverges for the whole driver, however slowly it is put in: y0 is that of the best "
                "round; more paths or features may help, unless u is infinite before T"
            )
        if state.bias > estimate.ci95:
            found.append(
                f"the bias indicator {state.bias:.1e} is above the statistical error {estimate.ci95:.1e}: "
                f"{_source(state)}"
            )
        return found


def _model(sde: ForwardBackwardSDE, state: State, estimate: Estimate, seed: int) -> Model:
    """u(t, x) by what y0 is by, with that y0."""
    a = quadratic(sde)
    if state.tempering == "used" and a is not None:
        return TemperedExpectation(sde, a, seed, estimate.value, estimate.z0)
    assert state.regression is not None
    return BackwardRegression(replace(state.regression, y0=estimate.value))


def _generator(sde: ForwardBackwardSDE, seed: int) -> torch.Generator:
    return torch.Generator(sde.x0.device).manual_seed(seed)


def _source(state: State) -> str:
    """Which of the indicators is the largest, and what helps."""
    assert state.estimate is not None
    if state.tempering == "used":
        return "tempering has not found all of the rare paths"
    reasons = {
        "the time grid is too coarse (max_steps=...)": state.estimate.in_time,
        "the features leave too much of the variance (features=..., smoothing=...)": state.remainder,
        "regression and Newton-Feynman-Kac disagree (paths=..., features=...)": state.apart,
        "Newton's method has not settled (iterations=..., paths=...)": state.settled,
    }
    return max(reasons, key=lambda reason: reasons[reason])


def _own(sde: ForwardBackwardSDE, features: Callable) -> Callable[[float, torch.Tensor], torch.Tensor]:
    """The user's features with values (n, k)."""
    compiled = sde.compiled(features, None, "features")
    if len(compiled.shape) > 1:
        raise InputError(f"features have shape {compiled.shape}: a scalar or a vector is expected")
    return lambda t, x: compiled(t, x).reshape(len(x), -1)


def _quantity(state: State, bounds: Bounds | None) -> dict[str, float | None]:
    """y0 with its interval, the bias indicator, and the bounds: both, or the one that the driver's curvature gives."""
    estimate = state.estimate
    assert estimate is not None
    reach = (NORMAL_90 / NORMAL_95) * estimate.ci95 + estimate.in_time
    return {
        "value": estimate.value,
        "ci95": estimate.ci95,
        "bias": state.bias,
        "lower": bounds.lower if bounds else estimate.value - reach if state.sign > 0 else None,
        "upper": bounds.upper if bounds else estimate.value + reach if state.sign < 0 else None,
    }


def _statistics(sde: ForwardBackwardSDE, state: State, estimate: Estimate, linear: Linear) -> dict[str, Any]:
    """E g and how far it is from u; the gradient at x0 where sigma there has an inverse."""
    found: dict[str, Any] = {
        "linear": {"value": linear.value, "ci95": NORMAL_95 * linear.error},
        "nonlinearity_gap": abs(linear.value - estimate.value) / abs(estimate.value)
        if estimate.value
        else None,
        "steps": state.steps,
        "rounds": state.round,
        "residual_network": state.network,
        "y0_by": "tempering" if state.tempering == "used" else "Newton-Feynman-Kac",
        "law": sde.law,
        "z0": {"value": estimate.z0.tolist(), "ci95": (NORMAL_95 * estimate.z0_error).tolist()},
        "indicators": {
            "in_time": estimate.in_time,
            "remainder": state.remainder,
            "apart": state.apart,
            "change": state.settled,
        },
    }
    return found
