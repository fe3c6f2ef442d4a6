"""Physics-informed network: the strong residual of a network, in least squares.

Raissi, Perdikaris, Karniadakis, J. Comput. Phys. 378, 2019, doi:10.1016/j.jcp.2018.10.045. Theirs is
`PINN(width=20, depth=8, conditions="soft", inputs=(), optimizer="lbfgs")`. Ours is trained by a trust-region
Gauss-Newton method on derivatives in closed form, satisfies Dirichlet conditions exactly where these are smooth, and
takes functions that the geometry suggests as inputs.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from mlpde.errors import InputError
from mlpde.formulation.determined import check_determined
from mlpde.formulation.residual import StrongForm, strong_form
from mlpde.formulation.sampling import collocate, relative_residual
from mlpde.formulation.space_time import SpaceTime
from mlpde.monitor import Monitor
from mlpde.optimize.gauss_newton import State as GaussNewtonState
from mlpde.optimize.memory import check_memory
from mlpde.optimize.minimise import State, affordable, minimise, restored, saved
from mlpde.representation.features import features
from mlpde.representation.hard_conditions import HardNetwork, hard_conditions
from mlpde.representation.models import NetworkModel, mean_free
from mlpde.representation.network_rows import NetworkRows, network_rows
from mlpde.representation.networks import MLP
from mlpde.representation.stokes_corners import stokes_corners
from mlpde.representation.with_flows import WithFlows
from mlpde.settings import chosen, positive, several, whole
from mlpde.solution import Solution
from mlpde.warm_start import initial

ROWS_PER_PARAMETER = 3.0  # fewer than 2 lets the network interpolate the points
MOST_POINTS = 5000  # unless asked for
HELD_OUT = 1000  # independent points that judge a solution
HELD_OUT_SEED = 2**40  # beyond those of points drawn after a step, seed + step
CANDIDATES = 10  # points from which one is drawn by its residual
JUDGED = 200  # times that a long run looks at the independent points
STEPS = {"gauss_newton": 120, "broyden": 3000, "lbfgs": 10_000, "adam": 20_000}
CONDITIONS = ("dirichlet", "initial")  # kinds of rows that can be hard
Conditions = Literal["auto", "hard", "soft"]
Optimizer = Literal["auto", "gauss_newton", "broyden", "lbfgs", "adam"]


@dataclass(frozen=True)
class PINN:
    """Network trained on the strong residual.

    width, depth, activation: the network's hidden layers.
    conditions: Dirichlet conditions "hard", as u = lift + distance * network, for boundaries of straight and circular
        pieces, and on an interval, there with the initial ones; "soft", as rows; "auto": hard where distance and lift
        are smooth, in time soft.
    inputs: what the network takes beside the coordinates: corner functions, log r of holes, layers of
        heat that sets in at the start, distances of boundaries.
    points: collocation points inside the domain; None: three equations for each parameter, at most 5000 points.
    resample: after so many steps new points are drawn, by the size of the residual; None: never.
    optimizer: "auto": Gauss-Newton where its Jacobian is small enough, else L-BFGS.
    iterations: steps at most; None: 120 for Gauss-Newton, thousands for the others.
    learning_rate: of Adam, which falls to zero as a cosine.
    tolerance: the run ends when the residual on independent points is below.
    start: the folder of a saved solution by a network with the same layers and inputs, whose parameters it begins with.
    """

    width: int = 16
    depth: int = 3
    activation: Literal["tanh", "sin"] = "tanh"
    conditions: Conditions = "auto"
    inputs: tuple[Literal["corners", "holes", "layers", "distances"], ...] = ("corners", "holes", "layers")
    points: int | None = None
    resample: int | None = None
    optimizer: Optimizer = "auto"
    iterations: int | None = None
    learning_rate: float = 1e-3
    tolerance: float = 1e-8
    start: str | None = None

    name: ClassVar[str] = "pinn"
    accepts: ClassVar[frozenset[str]] = frozenset(
        {"steady", "time", "several fields", "point condition", "periodic", "high dimension"}
    )

    def __post_init__(self) -> None:
        optional = [name for name in ("points", "resample", "iterations") if getattr(self, name) is not None]
        whole(self, 1, "width", "depth", *optional)
        positive(self, "tolerance", zero=True)
        positive(self, "learning_rate")
        chosen(self, "activation", "conditions", "optimizer")
        several(self, "inputs")

    def network(self, form: StrongForm, domain: Any) -> MLP | HardNetwork | WithFlows:
        """The network for a strong form on a domain."""
        lower, upper = domain.bounding_box
        box = tuple(map(float, lower)), tuple(map(float, upper))
        further = features(form, domain, self.inputs)
        network = MLP(lower.size, form.components, *box, self.width, self.depth, self.activation, further)
        if self.conditions == "soft" or not any(rows.kind in CONDITIONS for rows in form.rows):
            return self._with_flows(network, form, domain)
        try:
            hard = hard_conditions(form, domain)
        except InputError:
            if self.conditions == "hard":
                raise
            return self._with_flows(network, form, domain)  # "auto"; `info` says so
        # in time the lift is the start's for ever: of what decays, the network would first have to learn to cancel it
        suited = (hard.smooth and not isinstance(domain, SpaceTime)) or self.conditions == "hard"
        return HardNetwork(network, hard) if suited else self._with_flows(network, form, domain)

    def _with_flows(self, network: MLP, form: StrongForm, domain: Any) -> MLP | WithFlows:
        flows = stokes_corners(form, domain) if "corners" in self.inputs else ()
        return WithFlows(network, flows) if flows else network

    def solve(self, problem: Any, *, seed: int = 0, monitor: Monitor | None = None) -> Solution:
        """Train on a problem, steady or in time (in space-time), linear or not.

        Raises InputError if the residual is not finite.
        """
        monitor = monitor or Monitor()
        wall, cpu = time.perf_counter(), time.process_time()
        domain = problem.domain if problem.time is None else SpaceTime(problem.domain, *problem.time)
        form = strong_form(problem)
        check_determined(problem, form)
        network = self.network(form, domain)
        meshed = hasattr(problem.domain, "mesh")
        share = 1.0 if meshed else 0.5  # without a mesh the boundary has as many points as the inside
        count = self.points or min(
            math.ceil(share * ROWS_PER_PARAMETER * network.size / form.components), MOST_POINTS
        )
        remedy = 'fewer points, a smaller network, or optimizer="lbfgs"'
        # the rows inside alone, before the network is evaluated at all points
        if self.optimizer == "gauss_newton":
            check_memory(count * form.components, network.size, "Gauss-Newton", remedy)
        held_out = domain.interior(HELD_OUT, rule="uniform", seed=seed + HELD_OUT_SEED)
        judges = collocate(form, domain, held_out, seed=seed + HELD_OUT_SEED)
        start, inside = initial(self.start, network, seed), domain.interior(count, rule="sobol", seed=seed)
        state, earlier = None, monitor.resume()
        if earlier is not None:
            inside = earlier[0].pop("points")
            state = restored(*earlier)
            if self._due(state.iteration):
                inside = self._drawn(form, domain, network, state.theta, count, seed + state.iteration)
        rows = self._rows(form, domain, network, start, inside)
        method = self.optimizer if self.optimizer != "auto" else affordable(rows.count, network.size)
        if method == "gauss_newton":
            check_memory(rows.count, network.size, "Gauss-Newton", remedy)
        steps = self.iterations or STEPS[method]
        every = 1 if method == "gauss_newton" else max(1, steps // JUDGED)

        def judge(theta: torch.Tensor) -> float:
            return relative_residual(
                judges, lambda part, alphas: network.jets(theta, part.points, alphas), form.free
            )

        def looks(state: State) -> bool:
            return state.iteration % every == 0 or state.iteration == steps

        judged = judge(state.theta) if state is not None and looks(state) else math.nan

        def after_step(state: State) -> bool:
            nonlocal judged
            if looks(state):
                judged = judge(state.theta)
                figures = {"radius": state.radius} if isinstance(state, GaussNewtonState) else {}
                monitor.update(state.iteration, steps, loss=state.loss, residual=judged, **figures)
            if monitor.due:
                arrays, settings = saved(method, state)
                monitor.checkpoint(arrays | {"points": inside}, settings)
            return judged <= self.tolerance or self._due(state.iteration)

        theta, reason = state.theta if state is not None else start, "stopped"
        while not judged <= self.tolerance and reason == "stopped":
            result = minimise(method, rows, start, steps, after_step, state, self.learning_rate)
            theta, state, reason = result.theta, result.state, result.reason
            if reason == "stopped" and not judged <= self.tolerance:  # stopped because new points are due
                inside = self._drawn(form, domain, network, theta, count, seed + state.iteration)
                rows = self._rows(form, domain, network, start, inside)
        if math.isnan(judged):
            judged = judge(theta)
        if judged <= self.tolerance:
            reason = "tolerance"
        elif reason == "tolerance":  # of Gauss-Newton, at its points
            reason = "a loss of zero"
        warnings = []
        if not judged <= self.tolerance:
            warnings.append(
                f"the relative residual on independent points is {judged:.1e}, above the tolerance "
                f"{self.tolerance:.0e} (ended by {reason}): a wider network, more points or iterations may help"
            )
        info = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu,
            "unknowns": network.size,
            "seed": seed,
            "history": monitor.history,
            "residual": judged,
            "stopped_by": reason,
            "points": rows.points,
            "conditions": "hard" if isinstance(network, HardNetwork) else "soft",
            "optimizer": method,
            "warnings": warnings,
        }
        constants = torch.zeros(form.components, dtype=torch.float64)
        model = mean_free(NetworkModel(network, theta, constants), problem)
        return Solution(
            self.name,
            repr(self),
            problem.fields,
            model,
            problem.domain.mesh() if meshed else None,
            info,
            problem,
        )

    def _due(self, iteration: int) -> bool:
        """Whether new points are drawn after so many steps."""
        return self.resample is not None and iteration % self.resample == 0

    def _rows(
        self, form: StrongForm, domain: Any, network: Any, theta: torch.Tensor, inside: np.ndarray
    ) -> NetworkRows:
        """The rows to train on: without those that hard conditions satisfy."""
        located = collocate(form, domain, inside)
        if isinstance(network, HardNetwork):
            located = [part for part in located if part.rows.kind not in CONDITIONS]
        return network_rows(network, theta, located, domain)

    def _drawn(
        self, form: StrongForm, domain: Any, network: Any, theta: torch.Tensor, count: int, seed: int
    ) -> np.ndarray:
        """Points drawn in proportion to |r| / mean |r| + 1 (Wu et al., arXiv 2207.10289: RAD with k = c = 1)."""
        candidates = domain.interior(CANDIDATES * count, rule="uniform", seed=seed)
        located = [part for part in collocate(form, domain, candidates) if part.rows.kind == "interior"]
        sizes = []
        with torch.no_grad():
            for group in network_rows(network, theta, located, domain).groups:
                part = group.located
                jets = network.jets(theta, part.points, sorted(part.rows.derivatives))
                sizes.append(group.values(part, jets).norm(dim=1) * math.sqrt(len(part.points)))
        points, size = (torch.cat(found).numpy() for found in ([part.points for part in located], sizes))
        chance = size / size.mean() + 1.0
        chosen = np.random.default_rng(seed).choice(
            len(points), count, replace=False, p=chance / chance.sum()
        )
        return points[chosen]
