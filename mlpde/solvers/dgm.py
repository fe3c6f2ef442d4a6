"""Deep Galerkin method: the squared strong residual of a gated network at fresh random points in every step.

Sirignano and Spiliopoulos, J. Comput. Phys. 375, 2018, doi:10.1016/j.jcp.2018.08.029 (arXiv 1708.07469).  Adam's steps
at fresh points only begin the work: a quasi-Newton method goes on with a larger sample, which is drawn anew now and
then, and every equation is weighted by its size.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from mlpde.errors import InputError
from mlpde.formulation.determined import check_determined
from mlpde.formulation.residual import PointwiseRows, strong_form
from mlpde.formulation.sampling import Located, collocate, relative_residual
from mlpde.formulation.space_time import SpaceTime
from mlpde.formulation.torch_expression import Alpha, Jets
from mlpde.formulation.weighting import sizes
from mlpde.monitor import Monitor
from mlpde.optimize import first_order, quasi_newton
from mlpde.representation.models import NetworkModel, mean_free
from mlpde.representation.network import Network
from mlpde.representation.networks import MLP, GatedNetwork
from mlpde.representation.squared_residual import SquaredResidual
from mlpde.settings import chosen, positive, whole
from mlpde.solution import Solution
from mlpde.warm_start import initial

NETWORKS: Mapping[str, type[Network]] = {"gated": GatedNetwork, "mlp": MLP}
HELD_OUT = 1000  # independent points that judge a solution
SEED_STRIDE = 1_000_000  # samples between two seeds: shorter runs share no points
JUDGED_EVERY = {"adam": 50, "quasi_newton": 10}  # steps
LARGEST_MATRIX = 3000  # parameters for the full matrix of self-scaled Broyden; above, L-BFGS
SAMPLE = 4  # points of the quasi-Newton steps for each one of Adam's


@dataclass(frozen=True)
class DGM:
    """Network trained on the strong residual at random points; conditions are penalised.

    network, width, depth, activation: gated layers as published, or a multilayer perceptron.
    points: fresh ones inside in each of Adam's steps, as many on the boundary.  steps, learning_rate: Adam's.
    refine: quasi-Newton steps afterwards, on a sample that is new every `resample` steps.
    laplacian: "random_directions" and "monte_carlo" estimate it, which pays in many dimensions; they are for Adam's
    steps (above three dimensions, where the residual has the Laplacian alone).
    weights: "automatic" divides equations by their sizes, "one" takes them as they are.
    tolerance: the run ends when the residual on independent points is below.
    start: the folder of a saved solution by a network with the same layers and inputs, whose parameters it begins with.

    The published algorithm: DGM(width=50, depth=3, weights="one", refine=0, laplacian="monte_carlo", steps=100000).
    """

    network: Literal["gated", "mlp"] = "gated"
    width: int = 16
    depth: int = 1
    activation: Literal["tanh", "sin", "sigmoid"] = "tanh"
    points: int = 500
    steps: int = 300
    learning_rate: float = 5e-3
    refine: int = 500
    resample: int = 100
    laplacian: Literal["exact", "random_directions", "monte_carlo"] = "exact"
    weights: Literal["automatic", "one"] = "automatic"
    tolerance: float = 1e-6
    start: str | None = None

    name: ClassVar[str] = "dgm"
    accepts: ClassVar[frozenset[str]] = frozenset(
        {"steady", "time", "several fields", "point condition", "high dimension"}
    )

    def __post_init__(self) -> None:
        whole(self, 1, "width", "depth", "points", "resample")
        whole(self, 0, "steps", "refine")
        positive(self, "learning_rate")
        positive(self, "tolerance", zero=True)
        chosen(self, "network", "activation", "laplacian", "weights")
        if not (self.steps or self.refine):
            raise InputError("dgm.steps and dgm.refine are both 0: nothing would be trained")
        if self.laplacian != "exact" and self.refine:
            raise InputError(
                f"dgm.laplacian={self.laplacian!r} is a new estimate in every step, which no quasi-Newton method "
                "minimises: set dgm.refine=0, or take the exact Laplacian"
            )

    def solve(self, problem: Any, *, seed: int = 0, monitor: Monitor | None = None) -> Solution:
        """Train on a problem, steady or in time; FloatingPointError with the step named if the loss is not finite."""
        monitor = monitor or Monitor()
        wall, cpu = time.perf_counter(), time.process_time()
        domain = problem.domain if problem.time is None else SpaceTime(problem.domain, *problem.time)
        form = strong_form(problem)
        check_determined(problem, form)
        lower, upper = (tuple(map(float, corner)) for corner in domain.bounding_box)
        network = NETWORKS[self.network](
            domain.dim, form.components, lower, upper, self.width, self.depth, self.activation
        )
        first = SEED_STRIDE * (seed + 1) % 2**62  # seed of the run's first sample, within torch's range

        def sample(n: int, rule: str, number: int) -> list[Located]:
            return collocate(form, domain, domain.interior(n, rule=rule, seed=number), seed=number)

        judges = sample(HELD_OUT, "uniform", first)
        theta = initial(self.start, network, seed)
        loss = SquaredResidual(network, self._weights(judges, network, theta, domain), problem.domain.dim)
        progress = _Progress(self, network, judges, form.free, monitor, theta)
        state, reason = progress.resumed(), "max_iterations"
        if not isinstance(state, quasi_newton.State):
            generator, step = torch.Generator(), 0 if state is None else state.iteration

            def at_fresh_points(theta: torch.Tensor) -> tuple[float, torch.Tensor]:
                nonlocal step
                step += 1
                generator.manual_seed(first + step)
                return loss(theta, sample(self.points, "uniform", first + step), self.laplacian, generator)

            begun = first_order.first_order(
                at_fresh_points,
                theta,
                learning_rate=self.learning_rate,
                schedule="cosine",
                max_iterations=self.steps,
                callback=progress.after_adam,
                state=state,
            )
            reason, state = begun.reason, quasi_newton.State(begun.theta)
        full = network.size <= LARGEST_MATRIX
        minimise = quasi_newton.self_scaled_broyden if full else quasi_newton.lbfgs
        while reason != "stopped" and state.iteration < self.refine:
            start, number = state.iteration, state.iteration // self.resample
            end = min((number + 1) * self.resample, self.refine)
            located = sample(SAMPLE * self.points, "sobol", first + self.steps + 1 + number)
            found = minimise(
                partial(loss, located=located),
                state.theta,
                max_iterations=end,
                callback=progress.after_quasi_newton,
                state=state,
            )
            reason, state = found.reason, found.state
            if reason == "stagnation":  # on this sample; the next one has other minima
                if state.iteration == start:
                    break
                state = quasi_newton.State(state.theta, end)
        judged, warnings = progress.least, []
        if not judged <= self.tolerance:
            warnings.append(
                f"the relative residual on independent points is {judged:.1e}, above the tolerance "
                f"{self.tolerance:.0e}: more steps, points, or a wider network may help"
            )
        info = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu,
            "unknowns": network.size,
            "seed": seed,
            "history": monitor.history,
            "residual": judged,
            "stopped_by": "tolerance" if reason == "stopped" else reason,
            "optimizer": " then ".join(["adam"] * bool(self.steps) + [minimise.__name__] * bool(self.refine)),
            "warnings": warnings,
        }
        constants = torch.zeros(form.components, dtype=torch.float64)
        model = mean_free(NetworkModel(network, progress.best, constants), problem)
        mesh = problem.domain.mesh() if hasattr(problem.domain, "mesh") else None
        return Solution(self.name, repr(self), problem.fields, model, mesh, info, problem)

    def _weights(
        self, located: list[Located], network: Network, theta: torch.Tensor, domain: Any
    ) -> list[tuple[PointwiseRows, torch.Tensor]]:
        if self.weights == "one":
            return [(part.rows, torch.ones(part.rows.equations, dtype=torch.float64)) for part in located]

        def state(side: Located, alphas: Iterable[Alpha]) -> Jets:
            return network.jets(theta, side.points, alphas)

        found = sizes(located, state, domain)
        return [(part.rows, 1 / size) for part, size in zip(located, found, strict=True)]


class _Progress:
    """Judges the parameters now and then, keeps the best, saves the state and finds it again."""

    def __init__(
        self,
        solver: DGM,
        network: Network,
        judges: list[Located],
        free: Sequence[int],
        monitor: Monitor,
        theta: torch.Tensor,
    ):
        self.solver, self.network, self.judges, self.free = solver, network, judges, free
        self.monitor, self.best, self.least = monitor, theta, math.inf

    def after_adam(self, state: first_order.State) -> bool:
        """Whether the tolerance is met; to be called after every step."""
        self._judge(state.theta, state.loss, state.iteration, JUDGED_EVERY["adam"])
        moments = {f"moment.{name}": value.numpy() for name, value in state.moments.items()}
        self._save("adam", state.theta, state.iteration, state.loss, moments)
        return self.least <= self.solver.tolerance

    def after_quasi_newton(self, state: quasi_newton.State) -> bool:
        """The same in the second stage."""
        done = self.solver.steps + state.iteration
        self._judge(state.theta, state.loss, done, JUDGED_EVERY["quasi_newton"])
        memory = {"inverse": state.inverse, "pairs": state.pairs}
        arrays = {name: value.numpy() for name, value in memory.items() if value is not None}
        self._save("quasi_newton", state.theta, state.iteration, state.loss, arrays)
        return self.least <= self.solver.tolerance

    def _judge(self, theta: torch.Tensor, loss: float, step: int, every: int) -> None:
        total = self.solver.steps + self.solver.refine
        if step % every and step not in (self.solver.steps, total):
            if step == 1:
                self.monitor.update(step, total, loss=loss)
            return

        def state(part: Located, alphas: Iterable[Alpha]) -> Jets:
            return self.network.jets(theta, part.points, alphas)

        judged = relative_residual(self.judges, state, self.free)
        if not judged >= self.least:
            self.best, self.least = theta, judged
        self.monitor.update(step, total, loss=loss, residual=judged)

    def _save(
        self, stage: str, theta: torch.Tensor, iteration: int, loss: float, arrays: dict[str, np.ndarray]
    ) -> None:
        self.monitor.checkpoint(
            {"theta": theta.numpy(), "best": self.best.numpy(), **arrays},
            {"stage": stage, "iteration": iteration, "loss": loss, "least": self.least},
        )

    def resumed(self) -> first_order.State | quasi_newton.State | None:
        """The state of a checkpoint, if there is one."""
        saved = self.monitor.resume()
        if saved is None:
            return None
        arrays = {name: torch.as_tensor(value) for name, value in saved[0].items()}
        self.best, settings = arrays["best"], saved[1]
        self.least = math.inf if settings["least"] is None else settings["least"]
        if settings["stage"] == "adam":
            moments = {name.removeprefix("moment."): a for name, a in arrays.items() if "moment." in name}
            return first_order.State(arrays["theta"], settings["iteration"], settings["loss"], moments)
        memory = arrays.get("inverse"), arrays.get("pairs")
        return quasi_newton.State(arrays["theta"], settings["iteration"], settings["loss"], *memory)
