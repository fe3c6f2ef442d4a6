"""Eigenmodes by the Rayleigh quotient: the lowest one after the other, then all of them by Rayleigh-Ritz."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mlpde.errors import InputError
from mlpde.formulation.energy import Density, energy_densities
from mlpde.formulation.energy_points import Integral, by_quadrature, dirichlet_form
from mlpde.monitor import Monitor
from mlpde.optimize.natural_gradient import State, natural_gradient
from mlpde.problem import Eigenproblem, Problem
from mlpde.representation.hard_conditions import HardNetwork, hard_conditions
from mlpde.representation.importance import ProductDensity
from mlpde.representation.models import NetworkModel
from mlpde.representation.network import Network
from mlpde.representation.network_modes import NetworkModes
from mlpde.representation.product_window import WindowedNetwork
from mlpde.representation.rayleigh import RayleighQuotient, rayleigh_ritz

STEPS = 25  # natural gradients a mode, at fixed points
ROUNDS, ROUND_STEPS = 10, 4  # in many dimensions: new points, then steps
SAMPLE = 8192  # points in many dimensions
JUDGED = 8  # times as many independent points for the eigenvalues


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


def train_modes(
    problem: Eigenproblem, make: Callable[[int], Network], points: int, seed: int, monitor: Monitor
) -> tuple[NetworkModes, int]:
    """The modes and the number of parameters of each; make(components): a network, points: of the quadrature.

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
    models: list[NetworkModel] = []
    total = problem.count * (ROUNDS * ROUND_STEPS if meshless else STEPS)
    density = ProductDensity.uniform(np.asarray(domain.bounding_box))
    for k in range(problem.count):
        network = _constrained(make(sum(f.size for f in problem.fields)), static)
        theta = network.initial(seed + 1000 * k)
        known = [_jets(model) for model in models]

        def descend(sums: RayleighQuotient, start: torch.Tensor, steps: int, done: int) -> torch.Tensor:
            def after(state: State) -> None:
                monitor.update(done + state.iteration, total, loss=sums.value(state.theta))

            return natural_gradient(sums, start, max_iterations=steps, callback=after).theta

        if meshless:
            for part in range(k * ROUNDS, (k + 1) * ROUNDS):
                draw = seed + 1000 * part
                density = _followed(density, network, theta, draw)
                sums = RayleighQuotient(network, *forms.at(*density.sample(SAMPLE, draw + 1)), known)
                theta = descend(sums, theta, ROUND_STEPS, part * ROUND_STEPS)
        else:
            sums = RayleighQuotient(network, *forms.by_quadrature(domain, points), known)
            theta = descend(sums, theta, STEPS, k * STEPS)
        models.append(NetworkModel(network, theta, torch.zeros(len(problem.fields), dtype=torch.float64)))
    independent = (
        forms.at(*density.sample(JUDGED * SAMPLE, seed + 999_999))
        if meshless
        else forms.by_quadrature(domain, JUDGED * points)
    )
    values, mixing = rayleigh_ritz(*independent, [_jets(model) for model in models])
    return NetworkModes(values.numpy(), tuple(models), mixing.numpy()), models[0].network.size


def _jets(model: NetworkModel) -> Callable:
    return lambda points, alphas: model.network.jets(model.parameters, points, alphas)


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
    if any(c.component is not None for c in problem.dirichlet) or len(problem.fields) > 1:
        if domain.dim != 2:
            raise InputError("deep_ritz takes eigenproblems of one field with u = 0 in all components there")
    if domain.dim == 2:
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
