"""Weak adversarial network: the weak residual of a multilayer perceptron against the test function that sees it best.

Zang, Bao, Ye, Zhou, J. Comput. Phys. 411, 2020, doi:10.1016/j.jcp.2020.109409, arXiv:1907.08272.  There the test
function is a second network, trained to maximise what the first one minimises.  Here, where the domain has a mesh, it
is the exact one of a finite element space, and the problem a nonlinear least-squares one (see `formulation.riesz`).
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import torch

from mlpde.errors import InputError
from mlpde.formulation.determined import check_determined
from mlpde.formulation.residual import strong_form
from mlpde.formulation.riesz import RieszResidual
from mlpde.formulation.sampling import collocate, relative_residual
from mlpde.formulation.weak_residual import WeakResidual, weak_residual
from mlpde.monitor import Monitor
from mlpde.optimize import gauss_newton, min_max
from mlpde.optimize.memory import check_memory
from mlpde.representation.adversary import Adversarial
from mlpde.representation.models import NetworkModel, mean_free
from mlpde.representation.networks import MLP
from mlpde.representation.riesz_rows import RieszRows, on_boundary, relative_conditions, state_of
from mlpde.representation.windows import window
from mlpde.settings import chosen, positive, whole
from mlpde.solution import Solution
from mlpde.warm_start import initial

TEST_SPACE = "reference_fem:test_space"
TESTS_PER_PARAMETER = 2.0
HELD_OUT = 1000  # independent points that judge a solution where there is no mesh
SIZES = {"riesz": (16, 2), "network": (40, 6)}  # width and depth
ITERATIONS = {"riesz": 120, "network": 20_000}
JUDGED_EVERY = 100  # steps of the adversarial training


@dataclass(frozen=True)
class WAN:
    """Network trained on the weak residual, with soft boundary conditions.

    adversary: "riesz", the exact one in a finite element space, by Gauss-Newton; "network", the published algorithm, by
    Adam and Adagrad, on Box, Ball and plane domains with straight and circular boundaries; None: "riesz" where there is
    a mesh.
    width, depth, activation: the hidden layers, of both networks; None: 16 x 2 against "riesz", 40 x 6 against
    "network".
    degree, tests: of the Lagrange elements, 1 to 6, and the least number of test functions; None: two for each
        parameter.
    points: random points inside in each step against "network"; on each boundary a tenth of it.
    learning_rate, adversary_rate: of Adam, which falls to zero as a cosine (that is ours), and of Adagrad.
    iterations: steps at most; None: 120 of Gauss-Newton, 20000 of Adam.
    tolerance: the run ends when the residual in another test space, or on independent points, is below.
    start: the folder of a saved solution by a network with the same layers and inputs, whose parameters it begins with.
    """

    adversary: Literal["riesz", "network"] | None = None
    width: int | None = None
    depth: int | None = None
    activation: Literal["tanh", "sin"] = "tanh"
    degree: int = 3
    tests: int | None = None
    points: int = 1000
    learning_rate: float = 1e-3
    adversary_rate: float = 0.015
    iterations: int | None = None
    tolerance: float = 1e-8
    start: str | None = None

    name: ClassVar[str] = "wan"
    accepts: ClassVar[frozenset[str]] = frozenset(
        {"steady", "several fields", "point condition", "high dimension"}
    )

    def __post_init__(self) -> None:
        optional = [n for n in ("width", "depth", "tests", "iterations") if getattr(self, n) is not None]
        whole(self, 1, "points", *optional)
        whole(self, 1, "degree", most=6)
        positive(self, "learning_rate", "adversary_rate")
        positive(self, "tolerance", zero=True)
        chosen(self, "adversary", "activation")

    def network(self, domain: Any, components: int) -> MLP:
        """The network for a domain and a number of scalar components."""
        lower, upper = domain.bounding_box
        box = tuple(map(float, lower)), tuple(map(float, upper))
        width, depth = SIZES[self._adversary(domain)]
        return MLP(domain.dim, components, *box, self.width or width, self.depth or depth, self.activation)

    def solve(self, problem: Any, *, seed: int = 0, monitor: Monitor | None = None) -> Solution:
        """Train on a steady problem, linear or not; InputError if the residual is not finite."""
        monitor = monitor or Monitor()
        wall, cpu = time.perf_counter(), time.process_time()
        domain = problem.domain
        adversary = self._adversary(domain)
        steps = self.iterations or ITERATIONS[adversary]
        form = weak_residual(problem)
        check_determined(problem, form)
        network = self.network(domain, form.components)
        train = {"riesz": self._against_riesz, "network": self._against_network}[adversary]
        theta, reason, extra = train(problem, form, network, steps, seed, monitor)
        judged = monitor.history[-1]["residual"]
        warnings = []
        if not judged <= self.tolerance:
            where = {"riesz": "against independent tests", "network": "on independent points"}[adversary]
            warnings.append(
                f"the relative residual {where} is {judged:.1e}, above the tolerance "
                f"{self.tolerance:.0e} (ended by {reason}): a wider network or more iterations may help"
            )
        info = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu,
            "unknowns": network.size,
            "seed": seed,
            "history": monitor.history,
            "residual": judged,
            "stopped_by": "tolerance" if reason == "stopped" else reason,
            "adversary": adversary,
            **extra,
            "warnings": warnings,
        }
        constants = torch.zeros(form.components, dtype=torch.float64)
        model = mean_free(NetworkModel(network, theta, constants), problem)
        mesh = domain.mesh() if hasattr(domain, "mesh") else None
        return Solution(self.name, repr(self), problem.fields, model, mesh, info, problem)

    def _adversary(self, domain: Any) -> str:
        """The adversary on a domain."""
        meshed = hasattr(domain, "mesh")
        if self.adversary == "riesz" and not meshed:
            raise InputError(
                f"wan.adversary='riesz' takes its test functions from a mesh, and a {type(domain).__name__} has none: "
                "use adversary='network'"
            )
        return self.adversary or ("riesz" if meshed else "network")

    def _against_riesz(
        self, problem: Any, form: WeakResidual, network: MLP, steps: int, seed: int, monitor: Monitor
    ) -> tuple[torch.Tensor, str, dict[str, Any]]:
        domain = problem.domain
        module, function = TEST_SPACE.split(":")
        test_space: Callable = getattr(importlib.import_module(module), function)
        count = self.tests or math.ceil(TESTS_PER_PARAMETER * network.size)
        check_memory(count, max(count, network.size), "WAN", "a smaller network or fewer tests")
        lower, upper = domain.bounding_box
        start = state_of(network, initial(self.start, network, seed))
        tested, judge = (
            RieszResidual(
                form,
                test_space(domain, self.degree, math.ceil(n / form.components), 2 * self.degree + 2),
                start,
                float((upper - lower).min()),
            )
            for n in (count, 2 * count)  # the judge's mesh is another one
        )
        sides = network.size // 2
        rows = RieszRows(network, tested, on_boundary(form.conditions, domain, sides))
        held_out = on_boundary(form.conditions, domain, sides, seed=seed + 1)

        def judged(theta: torch.Tensor) -> float:
            function = state_of(network, theta)
            return max(judge.relative(function), relative_conditions(held_out, function, judge.rms(function)))

        def after_step(state: gauss_newton.State) -> bool:
            residual = judged(state.theta)
            monitor.update(state.iteration, steps, loss=state.loss, residual=residual, radius=state.radius)
            settings = {key: value for key, value in asdict(state).items() if key != "theta"}
            monitor.checkpoint({"theta": state.theta.numpy()}, settings)
            return residual <= self.tolerance

        saved = monitor.resume()
        state = saved and gauss_newton.State(torch.as_tensor(saved[0]["theta"]), **saved[1])
        theta = initial(self.start, network, seed) if state is None else state.theta
        # before the first step as well: a datum that is not finite is named
        if judged(theta) <= self.tolerance and state:
            return theta, "stopped", {"tests": tested.tests}
        result = gauss_newton.gauss_newton(
            rows.residual_and_jacobian,
            rows.residual,
            theta,
            max_iterations=steps,
            callback=after_step,
            state=state,
        )
        return result.theta, result.reason, {"tests": tested.tests}

    def _against_network(
        self, problem: Any, form: WeakResidual, network: MLP, steps: int, seed: int, monitor: Monitor
    ) -> tuple[torch.Tensor, str, dict[str, Any]]:
        domain = problem.domain
        windows = [
            window(domain, [name for name, fixed in form.fixed.items() if m in fixed])
            for m in range(form.components)
        ]
        training = Adversarial(
            form,
            domain,
            network,
            network,
            lambda x: torch.stack([w(x) for w in windows], 1),
            self.points,
            math.ceil(self.points / 10),
        )
        if not any(rows.kind == "dirichlet" for rows in form.conditions):
            raise InputError(
                "wan: an adversary without mesh vanishes where the solution is given, and the problem has no Dirichlet "
                "condition: take another solver, or a domain with a mesh"
            )
        inside = problem.domain.interior(HELD_OUT, seed=seed + 1)
        strong = strong_form(problem)
        judges = collocate(strong, problem.domain, inside, seed=seed + 1)

        def judge(theta: torch.Tensor) -> float:
            return relative_residual(
                judges, lambda part, alphas: network.jets(theta, part.points, alphas), strong.free
            )

        def looks(state: min_max.State) -> bool:
            return state.iteration % JUDGED_EVERY == 0 or state.iteration == steps

        def after_step(state: min_max.State) -> bool:
            judged = math.inf
            if looks(state):
                judged = judge(state.theta)
                monitor.update(state.iteration, steps, loss=state.loss, residual=judged)
            arrays = {"theta": state.theta, "eta": state.eta} | dict(state.moments)
            monitor.checkpoint(
                {name: array.numpy() for name, array in arrays.items()}, {"iteration": state.iteration}
            )
            return judged <= self.tolerance

        state = min_max.State(initial(self.start, network, seed), network.initial(seed + 1))
        saved = monitor.resume()
        if saved is not None:
            arrays = {name: torch.as_tensor(array) for name, array in saved[0].items()}
            state = min_max.State(arrays.pop("theta"), arrays.pop("eta"), **saved[1], moments=arrays)
        # before the first step as well: a datum that is not finite is named
        if looks(state) and judge(state.theta) <= self.tolerance and saved:
            return state.theta, "stopped", {"points": self.points}
        result = min_max.min_max(
            lambda iteration: training.batch(seed * steps + iteration),
            training.loss,
            training.adversary_loss,
            state,
            learning_rate=self.learning_rate,
            adversary_rate=self.adversary_rate,
            max_iterations=steps,
            callback=after_step,
        )
        reason = "max_iterations" if result.iteration >= steps else "stopped"
        return result.theta, reason, {"points": self.points}
