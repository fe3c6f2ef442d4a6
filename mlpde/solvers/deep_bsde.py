"""Deep BSDE: u(0, x0) and networks for the gradient, trained so that the paths of Y end at g.

E, Han, Jentzen, Commun. Math. Stat. 5, 2017, doi:10.1007/s40304-017-0117-6; Han, Jentzen, E, PNAS 115, 2018,
doi:10.1073/pnas.1718942115.  On t_n = n T / N, with dW_n ~ N(0, T / N),

    Y_(n+1) = Y_n - f(t_n, X_n, Y_n, Z_n) T / N + Z_n.dW_n,    Y_0 = y0,    Z_0 = z0,    Z_n = network_n(X_n),

and y0, z0 and the networks minimise E (g(X_N) - Y_N)^2 (beyond an error of 50 linear) by Adam at fresh paths.

`finish=True` ends with a step of Newton's method for y0: the driver linearised at the trained (Y, Z) says that

    y0 + E^b D_N (g(X_N) - Y_N),    D = exp int f_y dt,    b = f_z,

on fresh paths with the drift mu + sigma b, is off by the square of what Y and Z are (but for the time grid).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch.nn.functional import huber_loss

from mlpde.errors import InputError
from mlpde.formulation.stochastic import ForwardBackwardSDE
from mlpde.monitor import Monitor
from mlpde.optimize.device import available
from mlpde.problem import SemilinearParabolic
from mlpde.representation.start_value import ValueAtStart, gradient_at_start
from mlpde.representation.step_networks import SharedNetwork, StepNetworks
from mlpde.settings import chosen, positive, whole
from mlpde.solution import Solution

PRECISIONS = {"single": torch.float32, "double": torch.float64}
LINEAR_BEYOND = 50.0  # error of g from which the loss is linear, as published
FIRST_Z = 0.1  # z0 starts uniform in +- this, as published
SAMPLE, PARTS = 4096, 8  # fresh paths that judge the result; in as many parts
SHOWN_EVERY = 50  # steps


@dataclass(frozen=True)
class DeepBSDE:
    """The published algorithm; it finds u and its gradient at (0, x0) alone.

    time_steps: N.  batch: fresh paths in each of the `iterations` of Adam.
    network: "steps" is one for each time step, as published; "shared" one for all, which takes the time as an input.
    start: the interval from which y0 starts, uniformly; None: from the mean of g(X_T), which is u(0, x0) without f.
    finish: end with a step of Newton's method on fresh paths; the published algorithm does not.
    precision: of all tensors.  device: torch's, "cpu" or "cuda"; InputError if it is not there.

    Both kinds of network give sigma^T grad u, not u, and know it only where the paths go: the solution has a value at
    (0, x0), and refuses other points with a sentence.
    """

    time_steps: int = 20
    iterations: int = 2000
    batch: int = 64
    learning_rate: float = 1e-2
    network: Literal["steps", "shared"] = "steps"
    start: tuple[float, float] | None = None
    finish: bool = False
    precision: Literal["single", "double"] = "single"
    device: str = "cpu"

    name: ClassVar[str] = "deep_bsde"
    accepts: ClassVar[frozenset[str]] = frozenset({"semilinear", "high dimension"})

    def __post_init__(self) -> None:
        whole(self, 2, "time_steps", "batch")
        whole(self, 1, "iterations")
        positive(self, "learning_rate")
        chosen(self, "network", "precision")
        if self.start is not None and not (
            len(self.start) == 2
            and all(isinstance(y, int | float) and math.isfinite(y) for y in self.start)
            and self.start[0] <= self.start[1]
        ):
            raise InputError(f"deep_bsde.start must be two numbers such as (0.0, 1.0), not {self.start!r}")

    def solve(
        self, problem: SemilinearParabolic, *, seed: int = 0, monitor: Monitor | None = None
    ) -> Solution:
        """Train; FloatingPointError with the step named if the loss is not finite.

        quantities["y0"]: value as trained; bias = |E (g(X_N) - Y_N)| on fresh paths, which is 0 at the minimum and does
        not see the error of the time grid, and how far y0 moves at the end, twice its deviation over the last quarter
        of the training; ci95 of that mean.  With `finish` the value is corrected by that mean, on
        paths with the drift of f_z, and bias is what the linearisation leaves out for errors of the size that is seen.
        """
        monitor = monitor or Monitor()
        wall, cpu = time.perf_counter(), time.process_time()
        sde = ForwardBackwardSDE(problem, PRECISIONS[self.precision], available(self.device))
        training = Training(self, sde, seed)
        training.resume(monitor)
        while training.step < self.iterations:
            loss = training.advance()
            if training.step % SHOWN_EVERY == 0 or training.step == self.iterations:
                if not math.isfinite(value := float(loss)):
                    raise FloatingPointError(
                        f"the loss is not finite at step {training.step} of Adam: a smaller learning rate or more "
                        "time steps may help"
                    )
                monitor.update(training.step, self.iterations, loss=value, y0=float(training.y0.detach()))
            if monitor.due:
                monitor.checkpoint(*training.state())
        y0 = float(training.y0.detach())
        if self.finish:
            mismatch, curvature = training.corrections()
            y0, bias = y0 + float(mismatch.mean()), curvature * float(mismatch.var())
        else:
            mismatch = training.judged()
            late = [row["y0"] for row in monitor.history[-max(len(monitor.history) // 4, 1) :]]
            moves = 2 * float(np.std(late))
            bias = abs(float(mismatch.mean())) + moves
        ci95 = 1.96 * float(mismatch.std()) / math.sqrt(len(mismatch))
        gradient, warnings = gradient_at_start(sde, training.z0.detach()), []
        if bias > ci95:
            what = (
                f"on fresh paths the linearisation leaves out {bias:.1e}"
                if self.finish
                else f"Y ends beside g in the mean, and y0 moved in the last quarter of the training, by {bias:.1e}"
            )
            warnings.append(
                f"{what}, more than the statistical {ci95:.1e}: more iterations, or a smaller learning rate, may help"
            )
        if not np.isfinite(gradient).all():
            warnings.append("sigma(0, x0) is singular: z0 does not tell the gradient of u, nan stands for it")
        info = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu - sde.compile_seconds,
            "compile_seconds": sde.compile_seconds,
            "unknowns": sum(p.numel() for p in training.parameters),
            "seed": seed,
            "history": monitor.history,
            "quantities": {"y0": {"value": y0, "ci95": ci95, "bias": bias, "lower": None, "upper": None}},
            "warnings": warnings,
        }
        model = ValueAtStart(np.array(problem.x0, dtype=np.float64), y0, gradient)
        return Solution(self.name, repr(self), problem.fields, model, None, info, problem)


class Training:
    """y0, z0 and the networks with Adam's state; step k draws its paths from a seed of its own."""

    def __init__(self, solver: DeepBSDE, sde: ForwardBackwardSDE, seed: int):
        self.solver, self.sde, self.step = solver, sde, 0
        self.first = 1_000_000 * (seed + 1)
        self.generator = torch.Generator(sde.x0.device)
        random = torch.Generator().manual_seed(seed)
        self.dt = sde.horizon / solver.time_steps
        x, _ = self._paths(SAMPLE, self.first)
        if solver.start is None:
            y0 = sde.terminal(x[-1]).mean()
        else:
            low, high = solver.start
            y0 = low + (high - low) * torch.rand((), generator=random, dtype=torch.float64)
        self.y0 = torch.nn.Parameter(y0.to(sde.x0))
        z0 = FIRST_Z * (2 * torch.rand(sde.dim, generator=random, dtype=torch.float64) - 1)
        self.z0 = torch.nn.Parameter(z0.to(sde.x0))
        inner = x[1:-1]
        self.network: torch.nn.Module = (
            StepNetworks(len(inner), sde.dim, random)
            if solver.network == "steps"
            else SharedNetwork(inner.mean(1, keepdim=True), inner.std(1, keepdim=True), random)
        )
        self.network.to(sde.x0)
        self.parameters = [self.y0, self.z0, *self.network.parameters()]
        self.optimizer = torch.optim.Adam(self.parameters, lr=solver.learning_rate, fused=True)

    def advance(self) -> torch.Tensor:
        """One step of Adam; the loss before it."""
        self.step += 1
        self.optimizer.zero_grad()
        loss = 2 * huber_loss(*self._ends(self.solver.batch, self.first + self.step), delta=LINEAR_BEYOND)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def judged(self) -> torch.Tensor:
        """g(X_N) - Y_N on fresh paths (SAMPLE,)."""
        self.network.eval()
        with torch.no_grad():
            parts = [
                self._ends(SAMPLE // PARTS, self.first + self.solver.iterations + 1 + k) for k in range(PARTS)
            ]
        return torch.cat([g - y for y, g in parts]).double()

    def corrections(self) -> tuple[torch.Tensor, float]:
        """D_N (g(X_N) - Y_N) on fresh paths (SAMPLE,) with the drift mu + sigma f_z; and the curvature of f there.

        The latter is the mean of |f(z + e) + f(z - e) - 2 f(z)| / 2 for random e of length 1.
        """
        self.network.eval()
        found, curvature, driver = [], 0.0, self.sde.driver
        for part in range(PARTS):
            _, dw = self._paths(SAMPLE // PARTS, self.first + self.solver.iterations + 1 + part)
            x, y = self.sde.x0.expand_as(dw[0]), self.y0.detach().expand(len(dw[0]))
            factor = torch.ones_like(y)
            for k, w in enumerate(dw):
                with torch.no_grad():
                    z = self.network(x[None], slice(k - 1, k))[0] if k else self.z0.detach().expand_as(x)
                f, by_y, by_z = self.sde.driver_slopes(k * self.dt, x, y, z)
                e = w / w.norm(dim=1, keepdim=True)
                second = driver(k * self.dt, x, y, z + e) + driver(k * self.dt, x, y, z - e) - 2 * f
                curvature += abs(float(second.mean())) / (2 * PARTS * len(dw))
                shifted = w if by_z is None else w + self.dt * by_z
                y = y - self.dt * f + (z * shifted).sum(1)
                x = self.sde.step(k * self.dt, self.dt, x, w, by_z)
                if by_y is not None:
                    factor = factor * torch.exp(self.dt * by_y)
            found.append(factor * (self.sde.terminal(x) - y))
        return torch.cat(found).double(), curvature

    def _paths(self, n: int, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """X (N + 1, n, d) and dW (N, n, d)."""
        x0, steps = self.sde.x0, self.solver.time_steps
        self.generator.manual_seed(number)
        dw = math.sqrt(self.dt) * torch.randn(
            steps, n, len(x0), generator=self.generator, dtype=x0.dtype, device=x0.device
        )
        x = [x0.expand(n, -1)]
        for k in range(steps):
            x.append(self.sde.step(k * self.dt, self.dt, x[-1], dw[k]))
        return torch.stack(x), dw

    def _ends(self, n: int, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Y_N and g(X_N), each (n,)."""
        steps, dt, driver = self.solver.time_steps, self.dt, self.sde.driver
        x, dw = self._paths(n, number)
        z = torch.cat([self.z0.expand(1, n, -1), self.network(x[1:-1])])
        gain = (z * dw).sum(2)
        if "y" in self.sde.driver_uses:
            y = self.y0.expand(n)
            for k, (at, slope, more) in enumerate(zip(x[:-1], z.unbind(), gain.unbind(), strict=True)):
                y = y - dt * driver(k * dt, at, y, slope) + more
        else:  # all steps at once
            times = dt * torch.arange(steps, dtype=x.dtype, device=x.device).repeat_interleave(n)
            rows = z.flatten(0, 1)
            f = driver(times, x[:-1].flatten(0, 1), torch.zeros_like(rows[:, 0]), rows)
            y = self.y0 + (gain - dt * f.reshape(steps, n)).sum(0)
        return y, self.sde.terminal(x[-1])

    # ---------------------------------------------------------------- checkpoint
    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Everything that the next step depends on."""
        arrays = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        arrays |= {"y0": self.y0, "z0": self.z0}
        for k, parameter in enumerate(self.parameters):
            arrays |= {f"adam.{k}.{name}": v for name, v in self.optimizer.state[parameter].items()}
        return {name: value.detach().cpu().numpy() for name, value in arrays.items()}, {"step": self.step}

    def resume(self, monitor: Monitor) -> None:
        """Go on from the monitor's checkpoint, if there is one."""
        saved = monitor.resume()
        if saved is None:
            return
        arrays = {name: torch.as_tensor(value) for name, value in saved[0].items()}
        self.step = saved[1]["step"]
        with torch.no_grad():
            self.y0.copy_(arrays["y0"])
            self.z0.copy_(arrays["z0"])
        self.network.load_state_dict(
            {k.removeprefix("network."): v for k, v in arrays.items() if k.startswith("network.")}
        )
        for k, parameter in enumerate(self.parameters):
            start = f"adam.{k}."
            self.optimizer.state[parameter] = {
                name.removeprefix(start): value.to(parameter.device)
                for name, value in arrays.items()
                if name.startswith(start)
            }
