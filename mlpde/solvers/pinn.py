"""Physics-informed network: the strong residual of a multilayer perceptron, in least squares, by Gauss-Newton.

Raissi, Perdikaris, Karniadakis, J. Comput. Phys. 378, 2019, doi:10.1016/j.jcp.2018.10.045, with soft conditions;
trained by a trust-region Gauss-Newton method instead of Adam, on derivatives in closed form.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import torch

from mlpde.formulation.determined import check_determined
from mlpde.formulation.residual import PointwiseRows, strong_form
from mlpde.formulation.sampling import Located, collocate, relative_residual
from mlpde.formulation.weighting import sizes
from mlpde.monitor import Monitor
from mlpde.optimize.gauss_newton import State, gauss_newton
from mlpde.representation.models import NetworkModel, mean_free
from mlpde.representation.networks import MLP
from mlpde.settings import chosen, positive, whole
from mlpde.solution import Solution

ROWS_PER_PARAMETER = 3.0  # fewer than 2 lets the network interpolate the points
HELD_OUT = 1000  # independent points that judge a solution


@dataclass(frozen=True)
class PINN:
    """Network trained on the strong residual, with soft boundary conditions.

    width, depth, activation: the network's hidden layers.
    points: collocation points inside the domain; None: three for each parameter.
    iterations: Gauss-Newton steps at most.  tolerance: the run ends when the residual on independent points is below.
    """

    width: int = 16
    depth: int = 3
    activation: Literal["tanh", "sin"] = "tanh"
    points: int | None = None
    iterations: int = 120
    tolerance: float = 1e-8

    name: ClassVar[str] = "pinn"
    accepts: ClassVar[frozenset[str]] = frozenset(
        {"steady", "several fields", "point condition", "high dimension"}
    )

    def __post_init__(self) -> None:
        whole(self, 1, "width", "depth", "iterations", *(["points"] if self.points is not None else []))
        positive(self, "tolerance", zero=True)
        chosen(self, "activation")

    def network(self, domain: Any, components: int) -> MLP:
        """The network for a domain and a number of scalar components."""
        lower, upper = domain.bounding_box
        box = tuple(map(float, lower)), tuple(map(float, upper))
        return MLP(domain.dim, components, *box, self.width, self.depth, self.activation)

    def solve(self, problem: Any, *, seed: int = 0, monitor: Monitor | None = None) -> Solution:
        """Train on a steady problem, linear or not; InputError if the residual is not finite."""
        monitor = monitor or Monitor()
        wall, cpu = time.perf_counter(), time.process_time()
        domain = problem.domain
        form = strong_form(problem)
        check_determined(problem, form)
        network = self.network(domain, form.components)
        meshed = hasattr(domain, "mesh")
        share = 1.0 if meshed else 0.5  # without a mesh the boundary has as many points as the inside
        count = math.ceil(share * ROWS_PER_PARAMETER * network.size) if self.points is None else self.points
        judges = collocate(
            form, domain, domain.interior(HELD_OUT, rule="uniform", seed=seed + 1), seed=seed + 1
        )
        theta = network.initial(seed)
        groups = [
            _weighted(located, network, theta, domain)
            for located in collocate(form, domain, domain.interior(count, rule="sobol", seed=seed))
        ]

        def residual(theta: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                return torch.cat(
                    [g.values(network.jets(theta, g.points, g.derivatives)).flatten() for g in groups]
                )

        def residual_and_jacobian(theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            parts = [network.jacobian(theta, g.points, g.derivatives, g.values) for g in groups]
            return torch.cat([r.flatten() for r, _ in parts]), torch.cat([j for _, j in parts])

        judged = math.nan

        def after_step(state: State) -> bool:
            nonlocal judged
            judged = relative_residual(
                judges, lambda part, alphas: network.jets(state.theta, part.points, alphas), form.free
            )
            monitor.update(
                state.iteration, self.iterations, loss=state.loss, residual=judged, radius=state.radius
            )
            settings = {key: value for key, value in asdict(state).items() if key != "theta"}
            monitor.checkpoint({"theta": state.theta.numpy()}, settings)
            return judged <= self.tolerance

        result = gauss_newton(
            residual_and_jacobian,
            residual,
            theta,
            max_iterations=self.iterations,
            callback=after_step,
            state=_resumed(monitor),
        )
        warnings = []
        if not judged <= self.tolerance:
            warnings.append(
                f"the relative residual on independent points is {judged:.1e}, above the tolerance "
                f"{self.tolerance:.0e} (ended by {result.reason}): a wider network, more points or iterations may help"
            )
        info = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu,
            "unknowns": network.size,
            "seed": seed,
            "history": monitor.history,
            "residual": judged,
            "stopped_by": "tolerance" if result.reason == "stopped" else result.reason,
            "points": sum(len(g.points) for g in groups),
            "warnings": warnings,
        }
        constants = torch.zeros(form.components, dtype=torch.float64)
        model = mean_free(NetworkModel(network, result.theta, constants), problem)
        return Solution(
            self.name, repr(self), problem.fields, model, domain.mesh() if meshed else None, info, problem
        )


class _Weighted(NamedTuple):
    """A group of rows whose residual is a mean square, of the size of the unknown rather than of its derivatives."""

    rows: PointwiseRows
    points: torch.Tensor
    normals: torch.Tensor | None
    weights: torch.Tensor  # (equations,)

    @property
    def derivatives(self) -> Sequence[tuple[int, ...]]:
        return sorted(self.rows.derivatives)

    def values(self, jets: Any) -> torch.Tensor:
        return self.rows.residual(self.points, self.normals, jets) * self.weights


def _weighted(located: Located, network: MLP, theta: torch.Tensor, domain: Any) -> _Weighted:
    size = sizes(located, lambda side, alphas: network.jets(theta, side.points, alphas), domain)
    return _Weighted(
        located.rows, located.points, located.normals, 1 / (size * math.sqrt(len(located.points)))
    )


def _resumed(monitor: Monitor) -> State | None:
    saved = monitor.resume()
    if saved is None:
        return None
    arrays, settings = saved
    return State(torch.as_tensor(arrays["theta"]), **settings)
