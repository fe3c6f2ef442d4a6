"""A semilinear parabolic problem as forward-backward stochastic differential equations, in torch.

With W a Brownian motion of d components, the equation of `SemilinearParabolic` says that along

    dX = mu(t, X) dt + sigma(t, X) dW,   X_0 = x0,        Y_t = u(t, X_t),   Z_t = sigma^T grad u(t, X_t):
    dY = -f(t, X, Y, Z) dt + Z.dW,       Y_T = g(X_T)

(Pardoux and Peng 1990, doi:10.1016/0167-6911(90)90082-6).  mu, sigma, f and g are compiled from UFL once and evaluated
on batches; a sigma that is a scalar or a diagonal is never written as a matrix.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import ufl
import ufl.classes as uc
from ufl.core.expr import Expr

from mlpde.errors import InputError, call_user
from mlpde.formulation.compiled_function import CompiledFunction, gradient_of, not_too_deep, with_time
from mlpde.formulation.symbolic import depends_on, postorder, tensor
from mlpde.formulation.torch_expression import Slot, TorchFunction
from mlpde.formulation.weak_form import abstract_function, abstract_mesh
from mlpde.language import as_expression, time_variable
from mlpde.problem import SemilinearParabolic

Tensor = torch.Tensor
TIME_NODES = 16  # Gauss-Legendre, of the means over a step of coefficients that depend on time
PATHS, STEPS = 32, 8  # of the check that all is finite
GENERIC = 16  # random points at which a coefficient is found to be linear in x
SAME = 1e-9  # relative: numbers that differ by rounding

NOT_ANALYTIC = (uc.Condition, uc.Abs, uc.MinValue, uc.MaxValue)


class ForwardBackwardSDE:
    """The coefficients, driver and terminal value of a problem as functions of batches x (n, d), at one time t.

    dtype, device: of all tensors.
    law: "additive" (mu and sigma do not depend on x; sigma, if a matrix, neither on t) and "geometric" (mu = m x and
    sigma = diag(s x) with constants m, s) have exact steps of any length, "euler" has Euler's.
    driver_uses: which of "t", "x", "y", "z" stand in the driver.
    compile_seconds: CPU time that UFL and the compilation took.
    Raises InputError where a shape does not fit, where UFL fails at a sum over too many components, where sigma
    vanishes, and where a value is not finite on sample paths.
    """

    def __init__(
        self,
        problem: SemilinearParabolic,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ):
        start = time.process_time()
        self.dim, self.horizon = problem.dim, float(problem.horizon)
        self.x0 = torch.tensor(problem.x0, dtype=dtype, device=device)
        mesh = abstract_mesh(self.dim)
        self._x, self._t = ufl.SpatialCoordinate(mesh), time_variable(ufl.Constant(mesh))
        vector = (self.dim,)
        drift: Callable = problem.drift or (lambda t, x: 0)
        self._drift = self.compiled(drift, vector, "drift")
        self._sigma = self.compiled(problem.diffusion or (lambda t, x: 1.0), None, "diffusion")
        if self._sigma.shape not in ((), vector, (self.dim, self.dim)):
            raise InputError(
                f"diffusion has shape {self._sigma.shape}: it must be a scalar, ({self.dim},) or "
                f"({self.dim}, {self.dim})"
            )
        self._terminal = self.compiled(lambda t, x: problem.terminal(x), (), "terminal")
        self._driver, self.driver_uses = self._compiled_driver(problem)
        self._m = self._s = torch.zeros((), dtype=dtype, device=device)
        self.law = self._found_law()
        self.compile_seconds = time.process_time() - start
        self._check()

    @property
    def exact(self) -> bool:
        """True if `step` has the exact law, however long the step."""
        return self.law != "euler"

    @property
    def independent(self) -> bool:
        """True if the components of X are independent: sigma is diagonal, and neither coefficient mixes them."""
        return self.exact and len(self._sigma.shape) < 2

    @property
    def terminal_jumps(self) -> bool:
        """True if g may jump, as it holds a conditional (a sign is one too)."""
        return any(isinstance(node, uc.Conditional) for node in postorder([self._terminal.expression]))

    def compiled(self, function: Callable, shape: tuple[int, ...] | None, what: str) -> CompiledFunction:
        """A function of (t, x) in UFL, of that shape; of any for None."""

        def build() -> CompiledFunction:
            value = call_user(function, (self._t, self._x), what)
            if shape is not None:
                expression = as_expression(value, shape, what)
            else:
                expression = _converted(value, what)
            return CompiledFunction(tensor(expression), self._x, self._t, self.x0)

        return not_too_deep(build, what)

    # ---------------------------------------------------------------- forward
    def drift(self, t: float, x: Tensor) -> Tensor:
        """mu(t, x) (n, d)."""
        return self._drift(t, x)

    def diffused(self, t: float, x: Tensor, w: Tensor) -> Tensor:
        """sigma(t, x) w (n, d) for w (n, d)."""
        sigma = self._sigma_at(t, x)
        return (sigma @ w[..., None])[..., 0] if len(self._sigma.shape) == 2 else sigma * w

    def z_of_gradient(self, t: float, x: Tensor, gradient: Tensor) -> Tensor:
        """z = sigma(t, x)^T grad u (n, d) for grad u (n, d)."""
        sigma = self._sigma_at(t, x)
        return (
            (gradient[..., None, :] @ sigma)[..., 0, :] if len(self._sigma.shape) == 2 else sigma * gradient
        )

    def step(
        self, t: float, dt: float | Tensor, x: Tensor, dw: Tensor, shift: Tensor | None = None
    ) -> Tensor:
        """X at t + dt from X = x (n, d) at t, with the increments dw (n, d) ~ N(0, dt) of the Brownian motion.

        dt: one step, or (n, 1) of them where the coefficients are constants or geometric.
        Where the law is exact x and dw may have any shapes (..., d) that go together.
        shift: b (n, d), or (d,), of the drift mu + sigma b, held over the step.  The law is exact, as `law` says.
        """
        if shift is not None:
            dw = dw + dt * shift
        if self.law == "geometric":
            return x * torch.exp((self._m - 0.5 * self._s**2) * dt + self._s * dw)
        if self.law == "additive":
            mean, spread = self._means(t, dt, x)
            if len(self._sigma.shape) == 2:
                return x + mean * dt + dw @ spread.T
            return x + mean * dt + spread * dw
        return x + self.drift(t, x) * dt + self.diffused(t, x, dw)

    def mean_step(self, t: float, dt: float, x: Tensor) -> Tensor:
        """The mean of `step` over dw (n, d)."""
        if self.law == "geometric":
            return x * torch.exp(self._m * dt)
        return self.step(t, dt, x, torch.zeros_like(x[:1]))

    # ---------------------------------------------------------------- backward
    def driver(self, t: float | Tensor, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """f(t, x, y, z) (n,) for y (n,) and z (n, d); t: one time, or n."""
        return self._driver_of(t, x, torch.cat([y[:, None], z], 1))

    def driver_slopes(
        self, t: float, x: Tensor, y: Tensor, z: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """(f (n,), f_y (n,), f_z (n, d)); None for the derivative by what does not stand in the driver."""
        jets = torch.cat([y[:, None], z], 1).detach()
        if not self.driver_uses & {"y", "z"}:
            return self._driver_of(t, x, jets), None, None
        with torch.enable_grad():
            value = self._driver_of(t, x, jets.requires_grad_())
            (slopes,) = torch.autograd.grad(value.sum(), jets)
        by_y = slopes[:, 0] if "y" in self.driver_uses else None
        return value.detach(), by_y, slopes[:, 1:] if "z" in self.driver_uses else None

    def terminal(self, x: Tensor) -> Tensor:
        """g(x) (n,)."""
        return self._terminal(self.horizon, x)

    def terminal_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(g (n,), grad g (n, d))."""
        return gradient_of(self.terminal, x)

    # ---------------------------------------------------------------- inside
    def _driver_of(self, t: float | Tensor, x: Tensor, jets: Tensor) -> Tensor:
        points = with_time(t, x) if "t" in self.driver_uses else x
        return self._driver(points, None, {(): jets})[0]

    def _compiled_driver(self, problem: SemilinearParabolic) -> tuple[TorchFunction, frozenset[str]]:
        y, z = abstract_function(self.dim, (), name="y"), abstract_function(self.dim, (self.dim,), name="z")

        def build() -> tuple[TorchFunction, frozenset[str]]:
            value = call_user(problem.driver, (self._t, self._x, y, z), "driver")
            expression = tensor(as_expression(value, (), "driver"))
            symbols = {"t": self._t, "x": self._x, "y": y, "z": z}
            used = frozenset(name for name, symbol in symbols.items() if depends_on(expression, [symbol]))
            return TorchFunction([expression], {y: Slot(0), z: Slot(1)}, self.dim), used

        return not_too_deep(build, "driver")

    def _sigma_at(self, t: float, x: Tensor) -> Tensor:
        if self._sigma.constant is not None:
            return self._sigma.constant
        value = self._sigma(t, x)
        return value[:, None] if self._sigma.shape == () else value

    def _means(self, t: float, dt: float | Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        # of mu over the step, and the root of that of sigma^2: the increment's exact law where they depend on t alone
        mean, spread = self._drift.constant, self._sigma.constant
        if mean is None or spread is None:
            nodes, weights = (torch.as_tensor(a).to(x) for a in np.polynomial.legendre.leggauss(TIME_NODES))
            times, weights = t + dt * (nodes + 1) / 2, weights / 2
            at = self.x0.expand(TIME_NODES, -1)
            if mean is None:
                mean = weights @ self._drift(times, at)
            if spread is None:
                spread = torch.tensordot(weights, self._sigma(times, at) ** 2, 1).sqrt()
        return mean, spread

    def _found_law(self) -> str:
        drift, sigma = self._drift, self._sigma
        if not (drift.uses_x or sigma.uses_x):
            return "euler" if len(sigma.shape) == 2 and sigma.uses_t else "additive"
        if sigma.shape != (self.dim,) or _has_kinks(drift.expression) or _has_kinks(sigma.expression):
            return "euler"
        # two analytic functions that agree at random points agree everywhere
        random = torch.Generator().manual_seed(0)
        x, t = (torch.rand(GENERIC, n, generator=random, dtype=torch.float64) for n in (self.dim, 1))
        x = (0.5 + x).to(self.x0) * self.x0.abs().clamp_min(1.0)
        times = (self.horizon * t[:, 0]).to(self.x0)
        m, s = (function(times, x) / x for function in (drift, sigma))
        tolerance = max(SAME, 8 * torch.finfo(x.dtype).eps)
        for ratio in (m, s):
            if not bool(((ratio - ratio[0]).abs() <= tolerance * ratio[0].abs().max()).all()):
                return "euler"
        self._m, self._s = m[0], s[0]
        return "geometric"

    def _check(self) -> None:
        # Euler's steps show every coefficient, whatever the law
        random = torch.Generator().manual_seed(0)
        dt, x = self.horizon / STEPS, self.x0.expand(PATHS, -1)
        for n in range(STEPS + 1):
            t = n * dt
            sigma = self._sigma_at(t, x)
            _check_finite("drift", self.drift(t, x), t)
            _check_finite("diffusion", sigma, t)
            if not bool((sigma != 0).any()):
                raise InputError(f"diffusion vanishes at t = {t:g}: the equation is of first order there")
            value, z = self.terminal(x), torch.zeros_like(x)
            _check_finite("terminal", value, t)
            if n > 0:  # at x0 alone a gradient of g may be infinite
                gradient = self.terminal_gradient(x)[1]
                _check_finite("the gradient of terminal", gradient, t)
                z = self.z_of_gradient(t, x, gradient)
            _check_finite("driver", self.driver(t, x, value, z), t)
            dw = torch.randn(PATHS, self.dim, generator=random, dtype=torch.float64) * dt**0.5
            x = self.step(t, dt, x, dw.to(x))
            _check_finite("the path", x, t + dt)


def _converted(value: Any, what: str) -> Expr:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    try:
        return ufl.as_tensor(value) if isinstance(value, tuple | list) else ufl.as_ufl(value)
    except (ValueError, TypeError) as error:
        raise InputError(f"{what} is {value!r}: a number, a tuple or a UFL expression is expected") from error


def _has_kinks(expression: Expr) -> bool:
    return any(isinstance(node, NOT_ANALYTIC) for node in postorder([expression]))


def _check_finite(what: str, values: Tensor, t: float) -> None:
    bad = ~values.isfinite()
    if bad.any():
        sample = int(bad.nonzero()[0, 0]) if values.ndim else 0
        raise InputError(
            f"{what} is not finite at t = {t:g} on sample path {sample} from x0: it must be so on R^d"
        )
