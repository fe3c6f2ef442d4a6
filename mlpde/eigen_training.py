"""Eigenmodes by the Rayleigh quotient: the lowest one after the other, then all of them by Rayleigh-Ritz."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
import ufl

from mlpde.errors import InputError
from mlpde.formulation.energy import Density, energy_densities
from mlpde.formulation.energy_points import Integral, at_random, by_quadrature, dirichlet_form
from mlpde.monitor import Monitor
from mlpde.optimize import first_order
from mlpde.optimize.minimise import restored, saved
from mlpde.optimize.natural_gradient import State, natural_gradient
from mlpde.problem import Eigenproblem, Problem
from mlpde.representation.hard_conditions import HardNetwork, hard_conditions
from mlpde.representation.importance import ProductDensity
from mlpde.representation.models import NetworkModel
from mlpde.representation.network import Network
from mlpde.representation.network_energy import NetworkEnergy
from mlpde.representation.network_modes import NetworkModes
from mlpde.representation.product_window import WindowedNetwork
from mlpde.representation.rayleigh import RayleighQuotient, rayleigh_ritz

STEPS = 25  # natural gradients a mode, at fixed points
ROUNDS, ROUND_STEPS = 14, 4  # a mode in many dimensions: new points, then steps
SAMPLE = 8192  # points in many dimensions
JUDGED = 8  # times as many independent points for the eigenvalues
HELD_OUT = 1000  # independent points for the residual
JUDGED_EVERY = 100  # steps of Adam


@dataclass(frozen=True)
class Forms:
    """The densities of a(u, u) / 2 and m(u, u) / 2."""

    stiffness: tuple[Density, ...]
    mass: tuple[Density, ...]

    def at(self, points: np.ndarray, weights: np.ndarray) -> tuple[list[Integral], list[Integral]]:
        """Their sums over points inside."""
        x, w = torch.as_tensor(points), torch.as_tensor(weights)
        stiffness, mass = ([Integral(d, x, w) for d in part] for part in (self.stiffness, self.mass))
        return stiffness, mass

    def by_quadrature(self, domain: Any, count: int) -> tuple[list[Integral], list[Integral]]:
        """Their sums over about `count` Gauss points of a mesh."""
        return (
            by_quadrature(self.stiffness, (), domain, count, 0.0)[0],
            by_quadrature(self.mass, (), domain, count, 0.0)[0],
        )

    def at_random(self, domain: Any, count: int, seed: int) -> tuple[list[Integral], list[Integral]]:
        """Their sums over `count` uniform points inside, and some on the boundary."""
        return (
            at_random(self.stiffness, (), domain, count, 0.0, seed)[0],
            at_random(self.mass, (), domain, count, 0.0, seed)[0],
        )


@dataclass(frozen=True)
class Descent:
    """Adam at `points` fresh uniform points in each step, as published.

    penalty: u = 0 on the boundary by beta |u|^2, beta the penalty times the stiffness over the length; None: exactly.
    """

    iterations: int
    learning_rate: float
    points: int
    penalty: float | None


@dataclass(frozen=True)
class TrainedModes:
    """parameters: of the network of each mode.  held_out (n, d): independent points, without a mesh where a mode is
    large.

    taken_back: of Adam's steps of all modes.
    """

    modes: NetworkModes
    parameters: int
    held_out: np.ndarray
    taken_back: int


@dataclass
class _Progress:
    """Where a run is: the finished modes, the stage (counted over all modes) and its state, if it has begun."""

    monitor: Monitor
    density: ProductDensity
    total: int
    done: list[torch.Tensor] = field(default_factory=list)
    stage: int = 0
    state: Any = None
    taken_back: int = 0  # steps, in the stages before

    def resume(self) -> None:
        """Go on from the monitor's checkpoint, if there is one."""
        found = self.monitor.resume()
        if found is None:
            return
        arrays, settings = dict(found[0]), dict(found[1])
        self.density = replace(self.density, probabilities=arrays.pop("probabilities"))
        self.stage, self.taken_back = settings.pop("stage"), settings.pop("taken_back_before")
        self.done = [torch.as_tensor(arrays.pop(f"mode.{k}")) for k in range(settings.pop("modes"))]
        self.state = restored(arrays, settings)

    def after(self, method: str, steps: int, state: Any, quotient: float) -> None:
        """After a step of a stage of `steps`: tell, save."""
        self.monitor.update(self.stage * steps + state.iteration, self.total, loss=quotient)
        if self.monitor.due:
            arrays, settings = saved(method, state)
            arrays |= {f"mode.{k}": theta.numpy() for k, theta in enumerate(self.done)}
            arrays["probabilities"] = self.density.probabilities
            where = {"stage": self.stage, "modes": len(self.done), "taken_back_before": self.taken_back}
            self.monitor.checkpoint(arrays, settings | where)


def train_modes(
    problem: Eigenproblem,
    make: Callable[[int], Network],
    points: int,
    seed: int,
    monitor: Monitor,
    iterations: int | None,
    published: Descent | None,
) -> TrainedModes:
    """The modes; make(components): a network, points: of the quadrature.

    By natural gradients, for each mode so many `iterations` at most (None: by the domain), at quadrature points or,
    without a mesh, where the mode is large; or as `published`.

    Raises InputError if a form is not symmetric, if eigenvalues near a target are asked for, or if no distance function
    makes u = 0 on the Dirichlet boundary.
    """
    if problem.target is not None:
        raise InputError("deep_ritz finds the smallest eigenvalues: leave target out, or use FEM")
    domain = problem.domain
    static, mass = (
        Problem(domain, list(problem.fields), form, dirichlet=problem.dirichlet)
        for form in (problem.stiffness, problem.mass)
    )
    forms = Forms(energy_densities(static), energy_densities(mass))
    meshless = not hasattr(domain, "mesh")
    if meshless and any(d.kind == "boundary" for d in (*forms.stiffness, *forms.mass)):
        raise InputError("deep_ritz takes eigenproblems without a mesh only without boundary integrals")
    network: Any = make(sum(f.size for f in problem.fields))
    trained = forms
    if published is not None and published.penalty is not None:
        trained = _penalised(problem, forms, network, published.points, published.penalty, seed)
    else:
        network = _constrained(network, static)
    rounds, steps = 1, iterations or STEPS
    if published is not None:
        steps = published.iterations
    elif meshless:
        rounds, steps = ROUNDS, ROUND_STEPS
        if iterations:
            rounds = math.ceil(iterations / ROUND_STEPS)
            steps = iterations // rounds
    box = ProductDensity.uniform(np.asarray(domain.bounding_box))
    progress = _Progress(monitor, box, problem.count * rounds * steps)
    progress.resume()
    theta = network.initial(seed)
    for stage in range(progress.stage, problem.count * rounds):
        progress.stage, state, progress.state = stage, progress.state, None
        if state is not None:
            theta = state.theta
        elif stage % rounds == 0:
            theta = network.initial(seed + 1000 * (stage // rounds))
        known = [partial(network.jets, mode) for mode in progress.done]
        if published is not None:
            ended = _by_adam(network, trained, known, domain, published, seed, theta, progress, state)
            theta, progress.taken_back = ended.theta, progress.taken_back + ended.taken_back
        else:
            if meshless:
                draw = seed + 1000 * stage
                if state is None:
                    progress.density = _followed(progress.density, network, theta, draw)
                parts = forms.at(*progress.density.sample(SAMPLE, draw + 1))
            else:
                parts = forms.by_quadrature(domain, points)
            sums = RayleighQuotient(network, *parts, known)

            def after(state: State, sums: RayleighQuotient = sums) -> None:
                progress.after("natural_gradient", steps, state, sums.value(state.theta))

            theta = natural_gradient(sums, theta, max_iterations=steps, callback=after, state=state).theta
        if (stage + 1) % rounds == 0:
            progress.done.append(theta)
    density = progress.density
    if meshless and published is not None:
        for k in range(ROUNDS):
            density = _followed(density, network, progress.done[0], seed + k)
    independent = (
        forms.at(*density.sample(JUDGED * SAMPLE, seed + 999_999))
        if meshless
        else forms.by_quadrature(domain, JUDGED * points)
    )
    values, mixing = rayleigh_ritz(*independent, [partial(network.jets, mode) for mode in progress.done])
    constants = torch.zeros(len(problem.fields), dtype=torch.float64)
    models = tuple(NetworkModel(network, mode, constants) for mode in progress.done)
    held_out = (
        density.sample(HELD_OUT, seed + 1_999_999)[0]
        if meshless
        else domain.interior(HELD_OUT, rule="uniform", seed=seed + 1)
    )
    modes = NetworkModes(values.numpy(), models, mixing.numpy())
    return TrainedModes(modes, network.size, held_out, progress.taken_back)


def _by_adam(
    network: Any,
    forms: Forms,
    known: Sequence[Callable],
    domain: Any,
    published: Descent,
    seed: int,
    theta: torch.Tensor,
    progress: _Progress,
    state: Any,
) -> first_order.State:
    step = state.iteration if state is not None else 0

    def quotient(theta: torch.Tensor) -> tuple[float, torch.Tensor]:
        fresh = int(np.random.SeedSequence([seed, progress.stage, step]).generate_state(1)[0])
        sums = RayleighQuotient(network, *forms.at_random(domain, published.points, fresh), known)
        return sums.loss_and_gradient(theta)

    def after(state: first_order.State) -> None:
        nonlocal step
        step = state.iteration
        if step % JUDGED_EVERY == 0 or step == published.iterations:
            progress.after("adam", published.iterations, state, state.loss)

    return first_order.first_order(
        quotient,
        theta,
        learning_rate=published.learning_rate,
        schedule="cosine",
        guarded=True,
        max_iterations=published.iterations,
        callback=after,
        state=state,
    ).state


def _penalised(
    problem: Eigenproblem, forms: Forms, network: Network, points: int, penalty: float, seed: int
) -> Forms:
    """The forms with beta m(u, v) on the Dirichlet boundary."""
    domain = problem.domain
    if len(problem.fields) > 1 or any(c.component is not None for c in problem.dirichlet):
        raise InputError('deep_ritz takes eigenproblems of one field with conditions="penalty"')
    names = sorted({name for c in problem.dirichlet for name in c.boundaries(domain)})
    inside, _ = forms.at_random(domain, points, seed)
    size = NetworkEnergy(network, inside, ()).stiffness(network.initial(seed))
    beta = penalty * size / float(np.ptp(domain.bounding_box, axis=0).min())

    def stiffness(u: Any, v: Any, omega: Any) -> Any:
        walls = [beta * ufl.inner(u, v) * omega.ds(name) for name in names]
        return sum(walls, problem.stiffness(u, v, omega))

    return replace(forms, stiffness=energy_densities(Problem(domain, list(problem.fields), stiffness)))


def _followed(density: ProductDensity, network: Any, theta: torch.Tensor, seed: int) -> ProductDensity:
    """The density adapted to u^2."""
    points, weights = density.sample(SAMPLE, seed)
    with torch.no_grad():
        u = network.jets(theta, torch.as_tensor(points), [()])[()].numpy()
    return density.adapted(points, (u**2).sum(1) * weights)


def _constrained(network: Network, problem: Problem) -> Any:
    """The network with u = 0 on the Dirichlet boundary, exactly."""
    domain = problem.domain
    constrained = {name for c in problem.dirichlet for name in c.boundaries(domain)}
    plane = domain.dim == 2 and hasattr(domain, "mesh")
    if any(c.component is not None for c in problem.dirichlet) or len(problem.fields) > 1:
        if not plane:
            raise InputError("deep_ritz takes eigenproblems of one field with u = 0 in all components there")
    if plane:
        return (
            HardNetwork(network, hard_conditions(dirichlet_form(problem), domain)) if constrained else network
        )
    faces = [domain.boundaries[2 * i : 2 * i + 2] for i in range(domain.dim)]
    directions = tuple(i for i, pair in enumerate(faces) if set(pair) <= constrained)
    box = domain.dim == 1 or (not hasattr(domain, "mesh") and len(domain.boundaries) == 2 * domain.dim)
    if not box or len(constrained) != 2 * len(directions):
        raise InputError(
            "deep_ritz takes eigenproblems on plane domains, intervals, and boxes with u = 0 on opposite faces; use FEM"
        )
    return WindowedNetwork(network, directions)
