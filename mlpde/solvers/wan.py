"""Weak adversarial network: the weak residual of a multilayer perceptron against the test function that sees it best.

Zang, Bao, Ye, Zhou, J. Comput. Phys. 411, 2020, doi:10.1016/j.jcp.2020.109409, arXiv:1907.08272.  There the test
function is a second network, trained to maximise what the first one minimises.  Here, wherever the domain has a mesh, it
is the exact one of a finite element space, and the problem a nonlinear least-squares one (see `formulation.riesz`).
"""

from __future__ import annotations

import importlib
import math
import time
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import torch

from mlpde.errors import InputError
from mlpde.formulation.determined import check_determined
from mlpde.formulation.residual import Rows
from mlpde.formulation.riesz import RieszResidual
from mlpde.formulation.weak_residual import WeakResidual, weak_residual
from mlpde.monitor import Monitor
from mlpde.optimize.gauss_newton import State, gauss_newton
from mlpde.representation.models import NetworkModel, mean_free
from mlpde.representation.networks import MLP
from mlpde.settings import chosen, positive, whole
from mlpde.solution import Solution

TESTS_PER_PARAMETER = 2.0
TEST_SPACE = "reference_fem:test_space"


@dataclass(frozen=True)
class WAN:
    """Network trained on the weak residual, with soft boundary conditions.

    width, depth, activation: the network's hidden layers.
    degree, tests: Lagrange elements and number of the test functions; None: two for each parameter.
    quadrature: degree of the rule for the integrals.
    boundary_points: for the conditions; None: half as many as there are parameters.
    iterations: Gauss-Newton steps at most.  tolerance: the run ends when the residual in another test space is below.
    """

    width: int = 16
    depth: int = 3
    activation: Literal["tanh", "sin"] = "tanh"
    degree: int = 2
    tests: int | None = None
    quadrature: int = 8
    boundary_points: int | None = None
    boundary_weight: float = 1.0
    iterations: int = 120
    tolerance: float = 1e-8

    name: ClassVar[str] = "wan"
    accepts: ClassVar[frozenset[str]] = frozenset({"steady", "several fields", "point condition"})

    def __post_init__(self) -> None:
        given = [name for name in ("tests", "boundary_points") if getattr(self, name) is not None]
        whole(self, 1, "width", "depth", "degree", "quadrature", "iterations", *given)
        positive(self, "tolerance", zero=True)
        chosen(self, "activation")

    def solve(self, problem: Any, *, seed: int = 0, monitor: Monitor | None = None) -> Solution:
        """Train on a steady problem, linear or not; InputError if the residual is not finite."""
        monitor = monitor or Monitor()
        wall, cpu = time.perf_counter(), time.process_time()
        domain = problem.domain
        form = weak_residual(problem)
        check_determined(problem, form)
        lower, upper = domain.bounding_box
        box = tuple(map(float, lower)), tuple(map(float, upper))
        network = MLP(domain.dim, form.components, *box, self.width, self.depth, self.activation)
        theta = network.initial(seed)
        length = float((upper - lower).min())

        def function(theta: torch.Tensor) -> Any:
            def state(points: torch.Tensor, derivatives: Any) -> Any:
                with torch.no_grad():
                    return network.jets(theta, points, derivatives)

            return state

        module, name = TEST_SPACE.split(":")
        test_space = getattr(importlib.import_module(module), name)
        count = math.ceil((self.tests or TESTS_PER_PARAMETER * network.size) / form.components)
        tested, judges = (
            RieszResidual(form, test_space(domain, self.degree, n, self.quadrature), function(theta), length)
            for n in (count, 2 * count)
        )
        factors = tested.factorise()
        sides = self.boundary_points or network.size // 2
        conditions = [_Condition.of(rows, domain, sides, self.boundary_weight) for rows in form.conditions]

        def whitened(f: torch.Tensor) -> list[torch.Tensor]:
            return [
                torch.linalg.solve_triangular(factor, f[block], upper=False)
                for factor, block in zip(factors, tested.blocks, strict=True)
            ]

        def residual(theta: torch.Tensor) -> torch.Tensor:
            parts = whitened(torch.as_tensor(tested.functional(function(theta)))[:, None])
            parts += [c.values(function(theta)(c.points, [()])).reshape(-1, 1) for c in conditions]
            return torch.cat(parts)[:, 0]

        def residual_and_jacobian(theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            f, slope = tested.jacobian(lambda *a: network.jacobian(theta, *a))
            both = whitened(torch.cat([torch.as_tensor(f)[:, None], torch.as_tensor(slope)], 1))
            for c in conditions:
                r, jacobian = network.jacobian(theta, c.points, [()], c.values)
                both.append(torch.cat([r.reshape(-1, 1), jacobian], 1))
            joined = torch.cat(both)
            return joined[:, 0], joined[:, 1:]

        judged = math.nan

        def after_step(state: State) -> bool:
            nonlocal judged
            judged = judges.relative(function(state.theta))
            monitor.update(
                state.iteration, self.iterations, loss=state.loss, residual=judged, radius=state.radius
            )
            settings = {key: value for key, value in asdict(state).items() if key != "theta"}
            monitor.checkpoint({"theta": state.theta.numpy()}, settings)
            return judged <= self.tolerance

        result = gauss_newton(
            residual_and_jacobian, residual, theta, max_iterations=self.iterations, callback=after_step
        )
        info = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu,
            "unknowns": network.size,
            "tests": tested.tests,
            "history": monitor.history,
            "residual": judged,
        }
        constants = torch.zeros(form.components, dtype=torch.float64)
        model = mean_free(NetworkModel(network, result.theta, constants), problem)
        return Solution(self.name, repr(self), problem.fields, model, domain.mesh(), info, problem)


@dataclass(frozen=True)
class _Condition:
    rows: Rows
    points: torch.Tensor
    normals: torch.Tensor | None
    weight: float

    @classmethod
    def of(cls, rows, domain, count, weight):
        if rows.kind == "point":
            return cls(rows, torch.tensor([rows.where], dtype=torch.float64), None, weight)
        total = sum(domain.boundary(n, 1)[1].sum() for n in domain.boundaries)
        n = math.ceil(count * domain.boundary(rows.where, 1)[1].sum() / total)
        x, w, normals = domain.boundary(rows.where, n)
        return cls(rows, torch.as_tensor(x), torch.as_tensor(normals), weight * math.sqrt(w.sum() / total / len(x)))

    def values(self, jets):
        return self.rows.residual(self.points, self.normals, jets) * self.weight
