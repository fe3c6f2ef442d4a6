"""Deep Ritz: a network that minimises the energy; by natural gradients on a mesh quadrature, or as published.

E and Yu, The Deep Ritz method, Commun. Math. Stat. 6, 2018, arXiv 1710.00211.  The published algorithm is
`DeepRitz(network="residual", width=10, depth=6, activation="cubic", geometry_inputs=False, conditions="penalty",
penalty=2000.0, sampling="random", optimizer="adam", iterations=50_000, learning_rate=1e-2)`; steps, rate and schedule
are ours, and that long gradients are shortened and steps too far taken back.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from mlpde.eigen_residual import eigen_residual
from mlpde.eigen_training import Descent, TrainedModes, train_modes
from mlpde.energy_training import ITERATIONS, Training
from mlpde.errors import InputError
from mlpde.formulation.determined import check_determined
from mlpde.formulation.energy import Density, energy_densities
from mlpde.formulation.energy_points import at_random, by_quadrature, dirichlet_form
from mlpde.formulation.residual import PointwiseRows, StrongForm, strong_form
from mlpde.formulation.sampling import collocate, relative_residual
from mlpde.monitor import Monitor
from mlpde.optimize.memory import check_memory, fits
from mlpde.problem import Eigenproblem, Problem
from mlpde.representation.features import Corner, Feature, features
from mlpde.representation.hard_conditions import Hard, HardNetwork, hard_conditions
from mlpde.representation.models import NetworkModel, mean_free
from mlpde.representation.network import Network
from mlpde.representation.network_energy import NetworkEnergy
from mlpde.representation.networks import MLP, ResidualNetwork
from mlpde.settings import chosen, flags, positive, whole
from mlpde.solution import Solution
from mlpde.warm_start import initial

POINTS_PER_PARAMETER = (
    12.0  # with few points the network finds energies below the minimum, between the points
)
FEW_POINTS_PER_PARAMETER = 4.0  # until then these will do, and a step costs a third
EIGEN_POINTS = 4000  # of the quadrature
RANDOM_POINTS = 1000  # inside, a step
PENALTY = 1000.0
SINGULAR_PENALTY = 1e5  # a layer of the width 1 / penalty forms where the flux is unbounded
NEWTON_SIZE = 1500  # parameters: up to here the natural gradient's factorisations pay
DENSE_SIZE = 4000  # up to here a full inverse fits and pays
HELD_OUT = 1000  # independent points that judge a solution
LARGE = 0.02  # residual of modes, whose eigenvalues then may err by 0.2 per cent
TAKEN_BACK = 0.01  # of Adam's steps: more deserve a warning
NEGATIVE = 1e-9  # of the largest eigenvalue: a smaller negative one is rounding


@dataclass(frozen=True)
class DeepRitz:
    """Network trained on the energy of a problem that has one, steady, linear or not.

    network, width, depth, activation: "mlp" with hidden layers, or the paper's "residual" blocks (activation "cubic").
    geometry_inputs: corner functions, and the logarithms of circular holes, are further inputs of the network.
    conditions: of Dirichlet: "hard" by distance functions, "multipliers" (exact in the limit), or "penalty" (as
    published); None: penalty at random points, else hard where the boundary allows and the solution has no singular
    corner, else multipliers (penalty by Adam).  penalty: second derivative of the energy towards the data, times the
    length over the stiffness; None: 1000 (the paper's beta = 500 is 2000 here), for natural gradients 1e5 where the
    flux at a corner is unbounded.
    sampling: "quadrature" on a mesh, or "random", fresh points every step; None: quadrature where there is a mesh.
    points: inside; None: by size.
    optimizer: None chooses by size: natural gradients, self-scaled Broyden, L-BFGS; Adam for random points.
    iterations: at most, for each mode; None: by the optimizer.  learning_rate: of Adam; it rises in the first tenth of
    the steps and falls to zero.  Adam shortens long gradients, and takes a step back after which the gradient explodes.
    tolerance: the run ends when the strong residual on independent points is below; not that of modes.
    start: the folder of a saved solution by a network with the same layers and inputs, whose parameters it begins with.
    """

    network: Literal["mlp", "residual"] = "mlp"
    width: int = 16
    depth: int = 2
    activation: Literal["tanh", "sin", "cubic"] = "tanh"
    geometry_inputs: bool = True
    conditions: Literal["hard", "multipliers", "penalty"] | None = None
    penalty: float | None = None
    sampling: Literal["quadrature", "random"] | None = None
    points: int | None = None
    optimizer: Literal["natural_gradient", "broyden", "lbfgs", "adam"] | None = None
    iterations: int | None = None
    learning_rate: float = 1e-3
    tolerance: float = 1e-7
    start: str | None = None

    name: ClassVar[str] = "deep_ritz"
    accepts: ClassVar[frozenset[str]] = frozenset(
        {"steady", "several fields", "point condition", "eigenproblem", "high dimension"}
    )

    def __post_init__(self) -> None:
        optional = [name for name in ("points", "iterations") if getattr(self, name) is not None]
        whole(self, 1, "width", "depth", *optional)
        positive(self, "learning_rate", *["penalty"] * (self.penalty is not None))
        positive(self, "tolerance", zero=True)
        chosen(self, "network", "activation", "conditions", "sampling", "optimizer")
        flags(self, "geometry_inputs")
        if self.sampling == "random" and self.optimizer not in (None, "adam"):
            raise InputError(
                f'deep_ritz: {self.optimizer} needs the same points in every step: use sampling="quadrature", or adam'
            )
        if self.sampling == "random" and self.conditions == "multipliers":
            raise InputError(
                'deep_ritz: multipliers belong to fixed points: with sampling="random" use conditions="penalty"'
            )
        if self.optimizer == "adam" and self.conditions == "multipliers":
            raise InputError(
                'deep_ritz: Adam updates no multipliers: with optimizer="adam" use conditions="penalty" or "hard"'
            )

    def solve(
        self, problem: Problem | Eigenproblem, *, seed: int = 0, monitor: Monitor | None = None
    ) -> Solution:
        """Train; InputError if the problem has no energy, or if the energy has no minimum."""
        monitor = monitor or Monitor()
        if isinstance(problem, Eigenproblem):
            return self._solve_modes(problem, seed, monitor)
        random = self._random(problem.domain)
        wall, cpu = time.perf_counter(), time.process_time()
        densities, conditions = energy_densities(problem), dirichlet_form(problem)
        strong, warnings = _strong_form(problem)
        network, treatment = self._network(problem.domain, conditions, strong, random)
        rows = [row for row in conditions.rows if treatment != "hard" or row.kind == "point"]
        theta = initial(self.start, network, seed)
        judge = _judge(strong, problem.domain, network, seed)
        judge(theta)  # names a datum that is not finite
        energy_at, few, method = self._energy(densities, rows, problem.domain, network, theta, seed, random)
        training = Training(
            energy_at,
            judge,
            method,
            self.iterations or ITERATIONS[method],
            self.tolerance,
            self.learning_rate,
            treatment == "multipliers",
            decisive=not random,
            monitor=monitor,
            few=few,
        )
        theta, reason = training.run(theta)
        if strong is not None and not training.judged <= self.tolerance:
            warnings.append(
                f"the relative residual on independent points is {training.judged:.1e}, above the tolerance "
                f"{self.tolerance:.0e} (ended by {reason}): a wider network, more points or iterations may help"
            )
        warnings += _taken_back(training.taken_back, training.iterations)
        info = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu,
            "unknowns": network.size,
            "seed": seed,
            "history": monitor.history,
            "residual": training.judged,
            "stopped_by": reason,
            "optimizer": method,
            "conditions": treatment,
            "sampling": "random" if random else "quadrature",
            "points": sum(len(part.points) for part in training.energy_at(0).integrals),
            "taken_back": training.taken_back,
            "warnings": warnings,
        }
        constants = torch.zeros(conditions.components, dtype=torch.float64)
        model = mean_free(NetworkModel(network, theta, constants), problem)
        return Solution(self.name, repr(self), problem.fields, model, _mesh(problem.domain), info, problem)

    def _solve_modes(self, problem: Eigenproblem, seed: int, monitor: Monitor) -> Solution:
        if self.start is not None:
            raise InputError(
                "deep_ritz.start is for problems with a right-hand side: modes begin at random parameters"
            )
        wall, cpu = time.perf_counter(), time.process_time()
        published = self._descent()
        trained = train_modes(
            problem,
            lambda components: self._plain_network(problem.domain, components, ()),
            self.points or EIGEN_POINTS,
            seed,
            monitor,
            self.iterations,
            published,
        )
        residual, warnings = _judged_modes(problem, trained, seed)
        steps = published.iterations * problem.count if published is not None else 0
        info = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu,
            "unknowns": trained.parameters * problem.count,
            "seed": seed,
            "history": monitor.history,
            "residual": residual,
            "optimizer": "natural_gradient" if published is None else "adam",
            "taken_back": trained.taken_back,
            "warnings": [*warnings, *_taken_back(trained.taken_back, steps)],
        }
        model, mesh = trained.modes, _mesh(problem.domain)
        return Solution(self.name, repr(self), problem.fields, model, mesh, info, problem)

    def _descent(self) -> Descent | None:
        """How modes are trained, None: by natural gradients; InputError for what does not exist."""
        adam = self.sampling == "random" and self.optimizer in (None, "adam")
        plain = self.sampling != "random" and self.optimizer in (None, "natural_gradient")
        penalty = self.conditions == "penalty"
        if not (adam or plain) or (penalty and plain) or self.conditions == "multipliers":
            raise InputError(
                "deep_ritz trains modes by natural gradients and with hard conditions, or, with "
                'sampling="random", by Adam and with hard conditions or a penalty'
            )
        if plain:
            return None
        return Descent(
            self.iterations or ITERATIONS["adam"],
            self.learning_rate,
            self.points or RANDOM_POINTS,
            (self.penalty or PENALTY) if penalty else None,
        )

    def _random(self, domain: Any) -> bool:
        """Whether the points are new in each step; InputError where they must be and a setting is against it."""
        if hasattr(domain, "mesh"):
            return self.sampling == "random"
        if self.sampling == "quadrature":
            raise InputError('deep_ritz: without a mesh there is no quadrature: use sampling="random"')
        replace(self, sampling="random")  # the settings that random points exclude
        return True

    def _network(
        self, domain: Any, conditions: StrongForm, strong: StrongForm | None, random: bool
    ) -> tuple[Network | HardNetwork, str]:
        """The network, and how it treats the Dirichlet conditions."""
        inputs: tuple[Feature, ...] = ()
        if self.geometry_inputs and strong is not None:
            inputs = features(strong, domain, ("corners", "holes"))
        network = self._plain_network(domain, conditions.components, inputs)
        treatment = self.conditions
        if treatment is None and random:
            treatment = "penalty"
        hard = None
        if treatment == "hard":
            hard = hard_conditions(conditions, domain)
        elif treatment is None and not any(isinstance(f, Corner) for f in inputs):
            hard = _smooth_hard_conditions(conditions, domain)
        if hard is not None:
            return HardNetwork(network, hard), "hard"
        return network, treatment or ("penalty" if self.optimizer == "adam" else "multipliers")

    def _plain_network(self, domain: Any, components: int, inputs: tuple[Feature, ...]) -> Network:
        lower, upper = domain.bounding_box
        box = tuple(map(float, lower)), tuple(map(float, upper))
        kind = {"mlp": MLP, "residual": ResidualNetwork}[self.network]
        return kind(domain.dim, components, *box, self.width, self.depth, self.activation, inputs)

    def _method(self, size: int, rows: int, random: bool) -> str:
        """The optimiser for a network of `size` parameters and tangent spaces of so many rows."""
        if self.optimizer == "natural_gradient":
            check_memory(
                rows, size, "the natural gradient", 'fewer points, a smaller network, or optimizer="lbfgs"'
            )
        if self.optimizer is not None:
            return self.optimizer
        if random:
            return "adam"
        return (
            "natural_gradient"
            if size <= NEWTON_SIZE and fits(rows, size)
            else "broyden"
            if size <= DENSE_SIZE
            else "lbfgs"
        )

    def _energy(
        self,
        densities: Sequence[Density],
        rows: Sequence[PointwiseRows],
        domain: Any,
        network: Any,
        theta: torch.Tensor,
        seed: int,
        random: bool,
    ) -> tuple[Callable[[int], NetworkEnergy], NetworkEnergy | None, str]:
        """The energy at step k, always the same or at fresh points; at few points to begin with; the optimiser."""
        lower, upper = domain.bounding_box
        count = self.points or (RANDOM_POINTS if random else int(POINTS_PER_PARAMETER * network.size))
        singular = _singular(network)

        def at(step: int, penalty: float, count: int = count) -> NetworkEnergy:
            if random:
                fresh = int(np.random.SeedSequence([seed, step]).generate_state(1)[0])
                parts = at_random(densities, rows, domain, count, penalty, fresh)
            else:
                parts = by_quadrature(densities, rows, domain, count, penalty, singular)
            return NetworkEnergy(network, *parts)

        first = at(0, 1.0)
        method = self._method(network.size, first.rows, random)
        stiff = bool(singular) and method == "natural_gradient"
        factor = self.penalty or (SINGULAR_PENALTY if stiff else PENALTY)
        penalty = factor * first.stiffness(theta) / float((upper - lower).min())
        energy = at(0, penalty)
        if not random and network.size <= NEWTON_SIZE and fits(energy.rows, network.size):
            least, largest = energy.spectrum(theta)
            if least < -NEGATIVE * largest:
                raise InputError(
                    "the energy has no minimum: its second derivative is negative in some direction (a saddle point, "
                    "such as velocity and pressure, or an operator that is not positive); use PINN, or FEM"
                )
        if random:
            return (lambda step: at(step, penalty)), None, method
        few = None
        if method == "natural_gradient" and self.points is None and not rows:  # multipliers belong to points
            few = at(0, penalty, int(FEW_POINTS_PER_PARAMETER * network.size))
        return (lambda step: energy), few if few is not None and few.rows < energy.rows else None, method


def _mesh(domain: Any) -> Any:
    return domain.mesh() if hasattr(domain, "mesh") else None


def _singular(network: Any) -> list[tuple[float, float]]:
    """The corners at which an input of the network has an unbounded gradient."""
    inputs = getattr(network, "network", network).features
    return sorted({f.function.point for f in inputs if isinstance(f, Corner) and f.function.exponent < 1})


def _smooth_hard_conditions(conditions: StrongForm, domain: Any) -> Hard | None:
    """Distance functions and lifts, None where there are none, or none whose derivatives are bounded."""
    try:
        hard = hard_conditions(conditions, domain)
    except InputError:  # its sentence is for who asks for them
        return None
    return hard if hard.smooth else None


def _strong_form(problem: Problem) -> tuple[StrongForm | None, list[str]]:
    """The strong residual, None with a warning where there is none: the energy does not need it."""
    try:
        form = strong_form(problem)
    except InputError as error:
        return None, [f"the solution was not judged by the strong residual: {error}"]
    check_determined(problem, form)
    return form, []


def _judged_modes(problem: Eigenproblem, trained: TrainedModes, seed: int) -> tuple[float, list[str]]:
    """The residual of modes on independent points, and a warning where it is large, or nan where there is none."""
    try:
        residual = eigen_residual(problem, trained.modes, trained.held_out, seed + 1)
    except InputError as error:
        return math.nan, [f"the modes were not judged by the strong residual: {error}"]
    if residual <= LARGE:
        return residual, []
    return residual, [
        f"the relative residual of the modes on independent points is {residual:.1e}, so that their eigenvalues may "
        f"err by some {4 * residual**2:.0e}: a wider network or more iterations may help, or FEM at re-entrant corners"
    ]


def _taken_back(count: int, steps: int) -> list[str]:
    """A warning where many of Adam's steps were taken back."""
    if count <= TAKEN_BACK * steps:
        return []
    return [
        f"{count} of {steps} steps were taken back, for the gradient exploded: a smaller learning_rate may help"
    ]


def _judge(form: StrongForm | None, domain: Any, network: Any, seed: int) -> Callable[[torch.Tensor], float]:
    """The strong residual on independent points as a function of theta; nan where there is none."""
    if form is None:
        return lambda theta: math.nan
    inside = domain.interior(HELD_OUT, rule="uniform", seed=seed + 1)
    judges = collocate(form, domain, inside, seed=seed + 1)
    free = form.free

    def judge(theta: torch.Tensor) -> float:
        return relative_residual(judges, lambda part, alphas: network.jets(theta, part.points, alphas), free)

    return judge
