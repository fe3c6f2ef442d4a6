"""Multilevel Picard: u(0, x0) by nested Monte Carlo, with no grid, no regression and nothing trained.

Hutzenthaler, Jentzen, Kruse, Nguyen, von Wurstemberger, Proc. R. Soc. A 476, 2020, doi:10.1098/rspa.2019.0630; with
gradients E, Hutzenthaler, Jentzen, Kruse, J. Sci. Comput. 79, 2019, doi:10.1007/s10915-018-00903-0, and Hutzenthaler,
Jentzen, Kruse, Found. Comput. Math. 22, 2022, doi:10.1007/s10208-021-09514-y.  With (u, z)(t, x) = U and

    w(s) = (1, (W_s - W_t) / (s - t)),      s = t + (T - t) r,  r with the density rho(r) = 1 / (2 sqrt(r)) on (0, 1),

U_0 = 0 and, where each sum is over independent samples,

    U_n = (g(x), 0) + 1/M^n sum (g(X_T) - g(x)) w(T)
          + sum_(l < n) 1/M^(n-l) sum (T - t) / rho(r) (F(U_l) - F(U_(l-1)))(s, X_s) w(s),    F(U) = f(s, x, U).

The second component of w makes z from values (Bismut, Elworthy and Li): for the exact laws of `ForwardBackwardSDE`.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from scipy.stats import t as student

from mlpde.errors import InputError
from mlpde.formulation.stochastic import ForwardBackwardSDE
from mlpde.monitor import Monitor
from mlpde.problem import SemilinearParabolic
from mlpde.representation.start_value import ValueAtStart, gradient_at_start
from mlpde.settings import whole
from mlpde.solution import Solution

SAME = 1e-9  # relative: coefficients that do not change in time
EXPLODES = 3.0  # times: a spread that grows so much from level to level is no noise of a few repeats


@dataclass(frozen=True)
class MultilevelPicard:
    """U_n at (0, x0), n = `levels`, M = `samples` (None: M = n, as published), averaged over independent `repeats`.

    Its use is that it shares nothing with the other solvers.  It is no function of (t, x), and the error falls slowly:
    one level more costs about ten times as much for half the error.  It converges where f is Lipschitz in (y, z); under
    |z|^2 the noise of z is squared in every level, U_n explodes, and a warning says so.
    """

    levels: int = 4
    samples: int | None = None
    repeats: int = 20

    name: ClassVar[str] = "multilevel_picard"
    accepts: ClassVar[frozenset[str]] = frozenset({"semilinear", "high dimension"})

    def __post_init__(self) -> None:
        whole(self, 1, "levels")
        whole(self, 2, "repeats")
        if self.samples is not None:
            whole(self, 2, "samples")

    def solve(
        self, problem: SemilinearParabolic, *, seed: int = 0, monitor: Monitor | None = None
    ) -> Solution:
        """quantities["y0"]: ci95 from the repeats, which does not see that n is finite; bias = |U_n - U_(n-1)|.

        InputError where mu and sigma are neither constant nor those of a geometric Brownian motion;
        FloatingPointError if U is not finite.
        """
        monitor = monitor or Monitor()
        wall, cpu = time.perf_counter(), time.process_time()
        sde = ForwardBackwardSDE(problem)
        _check_exact(sde)
        saved = monitor.resume()
        rows: list[torch.Tensor] = [] if saved is None else list(torch.as_tensor(saved[0]["rows"]))
        while len(rows) < self.repeats:
            random = torch.Generator().manual_seed(1_000_000 * (seed + 1) + len(rows))
            rows.append(torch.cat([self._start(sde, n, random) for n in (self.levels - 1, self.levels)]))
            if not bool(rows[-1].isfinite().all()):
                raise FloatingPointError(
                    f"multilevel Picard is not finite at repeat {len(rows)}: f grows too fast for so few samples"
                )
            y0 = float(torch.stack(rows)[:, sde.dim + 1].mean())
            monitor.update(len(rows), self.repeats, y0=y0)
            monitor.checkpoint({"rows": torch.stack(rows).numpy()}, {})
        below, last = torch.stack(rows).tensor_split([sde.dim + 1], dim=1)
        y0, bias = float(last[:, 0].mean()), abs(float(last[:, 0].mean() - below[:, 0].mean()))
        ci95 = float(student.ppf(0.975, self.repeats - 1) * last[:, 0].std()) / math.sqrt(self.repeats)
        warnings = []
        if self.levels > 1 and last[:, 0].std() > EXPLODES * below[:, 0].std():
            warnings.append(
                f"the spread of the samples grows from {float(below[:, 0].std()):.1e} to {float(last[:, 0].std()):.1e} "
                "with the last level: f grows faster than multilevel Picard allows (it must be "
                "Lipschitz in y and z), and the value means nothing"
            )
        elif bias > ci95:
            warnings.append(
                f"the last two iterates differ by {bias:.1e}, the statistical error is {ci95:.1e}: more levels may help"
            )
        info = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu - sde.compile_seconds,
            "compile_seconds": sde.compile_seconds,
            "unknowns": 0,
            "seed": seed,
            "history": monitor.history,
            "quantities": {"y0": {"value": y0, "ci95": ci95, "bias": bias, "lower": None, "upper": None}},
            "warnings": warnings,
        }
        gradient = gradient_at_start(sde, last[:, 1:].mean(0))
        model = ValueAtStart(np.array(problem.x0, dtype=np.float64), y0, gradient)
        return Solution(self.name, repr(self), problem.fields, model, None, info, problem)

    def _start(self, sde: ForwardBackwardSDE, n: int, random: torch.Generator) -> torch.Tensor:
        """One sample (1 + d,) of U_n(0, x0)."""
        return self._iterate(sde, n, torch.zeros(1, dtype=torch.float64), sde.x0[None], random)[0]

    def _iterate(
        self, sde: ForwardBackwardSDE, n: int, t: torch.Tensor, x: torch.Tensor, random: torch.Generator
    ) -> torch.Tensor:
        """Independent samples (m, 1 + d) of U_n at times t (m,) and points x (m, d)."""
        found = torch.zeros(len(x), 1 + sde.dim, dtype=x.dtype)
        if n == 0:
            return found
        m = self.samples or self.levels
        found[:, 0] = sde.terminal(x)
        for level in range(-1, n):  # -1: the terminal value
            count = m ** (n - max(level, 0))
            start, at = t.repeat_interleave(count), x.repeat_interleave(count, 0)
            left = sde.horizon - start
            root = torch.rand(len(start), generator=random, dtype=x.dtype)
            ahead = left if level < 0 else left * root**2
            dw = ahead.sqrt()[:, None] * torch.randn(at.shape, generator=random, dtype=x.dtype)
            then = sde.step(0.0, ahead[:, None], at, dw)
            if level < 0:
                value = sde.terminal(then) - sde.terminal(at)
            else:
                value = 2 * root * left * self._difference(sde, level, start + ahead, then, random)
            weights = torch.cat([torch.ones_like(value)[:, None], dw / ahead[:, None]], 1)
            found += (value[:, None] * weights).reshape(len(x), count, -1).mean(1)
        return found

    def _difference(
        self, sde: ForwardBackwardSDE, level: int, t: torch.Tensor, x: torch.Tensor, random: torch.Generator
    ) -> torch.Tensor:
        """f at U_level less f at U_(level - 1), independent samples of both."""
        u = self._iterate(sde, level, t, x, random)
        value = sde.driver(t, x, u[:, 0], u[:, 1:])
        if level > 0:
            u = self._iterate(sde, level - 1, t, x, random)
            value = value - sde.driver(t, x, u[:, 0], u[:, 1:])
        return value


def _check_exact(sde: ForwardBackwardSDE) -> None:
    """Steps of any length from any time: constant coefficients, or a geometric Brownian motion."""
    exact = sde.law == "geometric"
    if sde.law == "additive":
        one = torch.ones(1, sde.dim, dtype=sde.x0.dtype)
        fields = [
            torch.cat([sde.drift(t, sde.x0[None]), sde.diffused(t, sde.x0[None], one)])
            for t in np.linspace(0, sde.horizon, 5).tolist()
        ]
        exact = all(bool(torch.allclose(field, fields[0], rtol=SAME, atol=0)) for field in fields)
    if not exact:
        raise InputError(
            "multilevel_picard takes constant drift and diffusion, or a geometric Brownian motion (drift = m x, "
            "diffusion = s x): for others take bsde or deep_bsde"
        )
