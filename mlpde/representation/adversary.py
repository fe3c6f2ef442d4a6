"""The weak residual of a network against a second one, w eta, on random points: the losses of arXiv:1907.08272.

    network:   a |F(u; w eta)|^2 / |w eta|^2  +  b |F(u; w)|^2 / |w|^2  +  c mean |u - g|  on the Dirichlet boundary
    adversary: - log ( |F(u; w eta)|^2 / |w eta|^2 )

Integrals are means over the points.  w vanishes where u is given.  The weights a, b, c and the mean of |u - g| rather
than of its square are those of the authors' own program.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch

from mlpde.formulation.sampling import Located
from mlpde.formulation.torch_expression import Jets, Tensor
from mlpde.formulation.weak_residual import Integrand, WeakResidual
from mlpde.representation.networks import MLP

ADVERSARIAL, AVERAGE, BOUNDARY = 100.0, 500.0, 1000.0  # a, b, c


class Place(NamedTuple):
    """Random points of a region or a boundary, with its integrands, its measure over the volume, and the jets of w."""

    integrands: tuple[Integrand, ...]
    points: Tensor
    normals: Tensor | None
    share: float
    window: Jets


class Batch(NamedTuple):
    """Random points, new in each step."""

    places: tuple[Place, ...]
    conditions: tuple[Located, ...]


@dataclass(frozen=True, eq=False)
class Adversarial:
    """The two losses of a network and its adversary.

    window: w as a function of points (n, d) -> (n, M).  points: inside, in each batch; sides: on each boundary.
    """

    form: WeakResidual
    domain: Any
    network: MLP
    adversary: MLP
    window: Callable[[Tensor], Tensor]
    points: int
    sides: int

    def batch(self, seed: int) -> Batch:
        """New points."""
        inside = self.domain.interior(self.points, seed=seed)
        region = np.zeros(len(inside), dtype=int)
        if len(self.domain.regions) > 1:
            mesh = self.domain.mesh()
            region = mesh.cell_regions[mesh.locate(inside)[0]]
        walls = {}
        for k, name in enumerate(self.domain.boundaries):
            walls[name] = self.domain.boundary(name, self.sides, seed=seed * len(self.domain.boundaries) + k)
        volume = self.domain.volume if hasattr(self.domain, "volume") else self.domain.mesh().volumes.sum()
        places = []
        for (kind, where), integrands in self._by_place.items():
            if kind == "weak":
                x, normals = inside[region == self.domain.regions.index(where)], None
                share = len(x) / len(inside)
            else:
                x, weights, normals = walls[where]
                share = float(weights.sum() / volume)
            if len(x):
                points = torch.as_tensor(x)
                n = None if normals is None else torch.as_tensor(normals)
                places.append(Place(integrands, points, n, share, self._window_jets(points)))
        conditions = []
        for rows in self.form.conditions:
            x, _, normals = (
                (np.array([rows.where]), None, None) if rows.kind == "point" else walls[rows.where]
            )
            n = None if normals is None else torch.as_tensor(normals)
            conditions.append(Located(rows, torch.as_tensor(x, dtype=torch.float64), n))
        return Batch(tuple(places), tuple(conditions))

    @cached_property
    def _by_place(self) -> dict[tuple[str, str], tuple[Integrand, ...]]:
        found: dict[tuple[str, str], tuple[Integrand, ...]] = {}
        for part in self.form.integrands:
            key = part.rows.kind, part.rows.where
            found[key] = (*found.get(key, ()), part)
        return found

    def loss(self, batch: Batch, theta: Tensor, eta: Tensor) -> Tensor:
        """Of the network."""
        values = self._values(batch, theta)
        found = ADVERSARIAL * _ratio(batch, values, self._test_jets(batch, eta))
        found = found + AVERAGE * _ratio(batch, values, [place.window for place in batch.places])
        for c in batch.conditions:
            r = c.rows.residual(c.points, c.normals, self.network.jets(theta, c.points, [()]))
            found = found + BOUNDARY / len(batch.conditions) * r.abs().mean()
        return found

    def adversary_loss(self, batch: Batch, theta: Tensor, eta: Tensor) -> Tensor:
        """Of the adversary."""
        return -torch.log(_ratio(batch, self._values(batch, theta), self._test_jets(batch, eta)))

    def _values(self, batch: Batch, theta: Tensor) -> list[list[Tensor]]:
        """The columns of every integrand, by place."""
        found = []
        for place in batch.places:
            wanted = set().union(*(part.rows.derivatives for part in place.integrands))
            jets = self.network.jets(theta, place.points, sorted(wanted))
            found.append([p.rows.residual(place.points, place.normals, jets) for p in place.integrands])
        return found

    def _test_jets(self, batch: Batch, eta: Tensor) -> list[Jets]:
        """The jets of w eta, by place."""
        found: list[Jets] = []
        for place in batch.places:
            w, jets = place.window, self.adversary.jets(eta, place.points, list(place.window))
            product = {alpha: jet * w[()] + jets[()] * w[alpha] for alpha, jet in jets.items() if alpha}
            found.append(product | {(): jets[()] * w[()]})
        return found

    def _window_jets(self, points: Tensor) -> Jets:
        x = points.clone().requires_grad_()
        with torch.enable_grad():
            w = self.window(x)
            slopes = [
                torch.autograd.grad(w[:, m].sum(), x, retain_graph=True, materialize_grads=True)[0]
                for m in range(w.shape[1])
            ]
        slope = torch.stack(slopes, 1)
        return {(): w.detach(), **{(j,): slope[..., j] for j in range(points.shape[1])}}


def _ratio(batch: Batch, values: list[list[Tensor]], tests: list[Jets]) -> Tensor:
    """|F(u; v)|^2 / |v|^2."""
    functional, norm = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for place, columns, jets in zip(batch.places, values, tests, strict=True):
        for integrand, value in zip(place.integrands, columns, strict=True):
            for k, (component, direction) in enumerate(integrand.factors):
                test = jets[() if direction is None else (direction,)][:, component]
                functional = functional + place.share * (value[:, k] * test).mean()
        if place.normals is None:
            norm = norm + place.share * jets[()].square().sum(1).mean()
    return functional.square() / norm
