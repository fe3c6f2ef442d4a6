"""How an energy is minimised: by any of the optimisers, watched on independent points, resumable."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch

from mlpde.errors import InputError
from mlpde.monitor import Monitor
from mlpde.optimize import first_order, natural_gradient, quasi_newton
from mlpde.optimize.result import Result
from mlpde.representation.network_energy import NetworkEnergy

UPDATE = 0.1  # multipliers follow when a step lowers the energy by less than this part of the penalty
WORSE = 10.0  # times the best residual on independent points, in
PATIENCE = 5  # judgements in a row: the run has passed its best
ROUNDS = 10  # of the optimisers that remember: between them the multipliers are updated
JUDGED_EVERY = 100  # steps of the optimisers whose steps are cheap
ITERATIONS = {"natural_gradient": 60, "broyden": 3000, "lbfgs": 5000, "adam": 20_000}
STATES: dict[str, Any] = {
    "natural_gradient": natural_gradient.State,
    "broyden": quasi_newton.State,
    "lbfgs": quasi_newton.State,
    "adam": first_order.State,
}


@dataclass
class Training:
    """One run.

    energy_at(step): the energy, at fresh points where the sampling is random.  few: the same at fewer points, on which
    natural gradients begin, as long as their steps lower the energy at all points.  judge(theta): the residual on
    independent points, nan where there is none; decisive: it may end the run.  multipliers: update them.

    A network that finds energies below the minimum, between the points of a sum, shows it on the independent points:
    the run then ends, with the parameters for which their residual, `judged`, was least.
    """

    energy_at: Callable[[int], NetworkEnergy]
    judge: Callable[[torch.Tensor], float]
    method: str
    iterations: int
    tolerance: float
    learning_rate: float
    multipliers: bool
    decisive: bool
    monitor: Monitor
    few: NetworkEnergy | None = None
    judged: float = math.nan
    best: tuple[float, torch.Tensor] | None = None
    worse: int = 0
    rounds: int = 0  # that are over: on few points, or until an update of the multipliers, it included
    taken_back: int = 0  # steps of Adam

    def run(self, theta: torch.Tensor) -> tuple[torch.Tensor, str]:
        """(parameters, why it ended), from theta (P,) or from the monitor's checkpoint."""
        energy = self.energy_at(0)
        state = self._resumed(energy, theta)
        if state is not None and self._ended():
            result: Any = Result(state, "stopped")
        elif self.method == "natural_gradient":
            result = self._natural_gradient(energy, theta, state)
        elif self.method == "adam":
            result = self._adam(theta, state)
        else:
            result = self._quasi_newton(energy, theta, state)
        self.taken_back = getattr(result.state, "taken_back", 0)
        if self.worse >= PATIENCE and self.best is not None:
            self.judged, theta = self.best
            return theta, "residual on independent points"
        return result.theta, "tolerance" if result.reason == "stopped" else result.reason

    def _natural_gradient(self, energy: NetworkEnergy, theta: torch.Tensor, state: Any) -> Any:
        lowest = theta if state is None else state.theta

        def after_few(s: natural_gradient.State) -> bool:
            nonlocal lowest
            if energy.difference(lowest, s.theta) >= 0.0:
                self.rounds = 1
                return True
            lowest = s.theta
            return self._after(energy, s, s.decrease)

        options: dict[str, Any] = {"max_iterations": self.iterations}
        if self.few is not None and self.rounds == 0:
            begun = natural_gradient.natural_gradient(
                self.few, theta, callback=after_few, state=state, **options
            )
            if self.rounds == 0 and begun.reason != "stagnation":
                return begun
            self.rounds, state = 1, replace(begun.state, theta=lowest)
        return natural_gradient.natural_gradient(
            energy, theta, callback=lambda s: self._after(energy, s, s.decrease), state=state, **options
        )

    def _adam(self, theta: torch.Tensor, state: Any) -> Any:
        step = state.iteration if state else 0

        def function(theta: torch.Tensor) -> tuple[float, torch.Tensor]:
            return self.energy_at(step).loss_and_gradient(theta)

        def after(s: first_order.State) -> bool:
            nonlocal step
            step = s.iteration
            return self._after(None, s)

        return first_order.first_order(
            function,
            theta,
            learning_rate=self.learning_rate,
            schedule="cosine",
            guarded=True,
            max_iterations=self.iterations,
            callback=after,
            state=state,
        )

    def _quasi_newton(self, energy: NetworkEnergy, theta: torch.Tensor, state: Any) -> Any:
        rounds = ROUNDS if self.multipliers and energy.conditions else 1
        result: Any = None
        for k in range(self.rounds, rounds):
            options = {
                "max_iterations": self.iterations * (k + 1) // rounds,
                "callback": lambda s: self._after(energy, s),
                "state": state,
            }
            if self.method == "broyden":
                result = quasi_newton.self_scaled_broyden(
                    energy.loss_and_gradient, theta, difference=energy.difference, **options
                )
            else:
                result = quasi_newton.lbfgs(energy.loss_and_gradient, theta, **options)
            if result.reason == "stopped":
                return result
            state = result.state
            if k + 1 < rounds:
                energy.update_multipliers(result.theta)
                self.rounds = k + 1
        return result

    def _after(self, energy: NetworkEnergy | None, state: Any, decrease: float | None = None) -> bool:
        """After every step: multipliers, judgement, progress, checkpoint; True ends the run."""
        last = state.iteration >= self.iterations
        if decrease is None and state.iteration % JUDGED_EVERY and not last:
            return False
        loss = energy.value(state.theta) if energy is not None else state.loss
        if decrease is not None and energy is not None and self.multipliers:
            if decrease < UPDATE * energy.penalty_value(state.theta):
                energy.update_multipliers(state.theta)
        self.judged = self.judge(state.theta)
        self.monitor.update(state.iteration, self.iterations, loss=loss, residual=self.judged)
        if self.decisive:
            self._compare(state.theta)
        if self.monitor.due:
            self.monitor.checkpoint(*self._packed(energy, state))
        return self._ended()

    def _ended(self) -> bool:
        return self.judged <= self.tolerance or self.worse >= PATIENCE

    def _compare(self, theta: torch.Tensor) -> None:
        if self.best is None or not self.judged > self.best[0]:
            self.best = (self.judged, theta)
        self.worse = self.worse + 1 if self.judged > WORSE * self.best[0] else 0

    def _packed(
        self, energy: NetworkEnergy | None, state: Any
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        arrays: dict[str, np.ndarray] = {}
        settings: dict[str, Any] = {"judged": self.judged, "worse": self.worse, "rounds": self.rounds}
        if self.best is not None:
            settings["best"], arrays["best"] = self.best[0], self.best[1].numpy()
        for f in fields(state):
            value = getattr(state, f.name)
            if isinstance(value, torch.Tensor):
                arrays[f.name] = value.numpy()
            elif isinstance(value, Mapping):
                arrays |= {f"{f.name}.{key}": moment.numpy() for key, moment in value.items()}
            elif value is not None:
                settings[f.name] = value
        for k, condition in enumerate(energy.conditions if energy is not None else ()):
            arrays[f"multipliers.{k}"] = condition.multipliers.numpy()
        return arrays, settings

    def _resumed(self, energy: NetworkEnergy, theta: torch.Tensor) -> Any:
        saved = self.monitor.resume()
        if saved is None:
            return None
        arrays = {name: torch.as_tensor(a) for name, a in saved[0].items()}
        settings: dict[str, Any] = {  # JSON has no nan
            name: math.nan if value is None else value for name, value in saved[1].items()
        }
        self.judged, self.worse, self.rounds = (settings.pop(name) for name in ("judged", "worse", "rounds"))
        if "best" in arrays:
            self.best = (settings.pop("best"), arrays.pop("best"))
        if arrays["theta"].shape != theta.shape:
            raise InputError("the checkpoint is of a network of another size: start anew without --resume")
        for k, condition in enumerate(energy.conditions):
            condition.multipliers = arrays.pop(f"multipliers.{k}", condition.multipliers)
        moments = {name[8:]: arrays.pop(name) for name in list(arrays) if name.startswith("moments.")}
        return STATES[self.method](**settings, **arrays, **({"moments": moments} if moments else {}))
