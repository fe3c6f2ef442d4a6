"""A representation and solvers whose errors are known on paper."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mlpde.solution import Solution


@dataclass(frozen=True, eq=False)
class Polynomial:
    """u_m(x) = constant_m + sum_i linear_mi x_i + quadratic_mi x_i^2; time is the last coordinate, if there is one."""

    constant: np.ndarray  # (M,)
    linear: np.ndarray  # (M, D)
    quadratic: np.ndarray  # (M, D)
    kind: ClassVar[str] = "polynomial"

    def jets(self, points, derivatives):
        zero = np.zeros((len(points), len(self.constant)))
        found = {}
        for alpha in derivatives:
            if alpha == ():
                found[alpha] = self.constant + points @ self.linear.T + points**2 @ self.quadratic.T
            elif len(alpha) == 1:
                (i,) = alpha
                found[alpha] = zero + self.linear[:, i] + 2 * points[:, i : i + 1] * self.quadratic[:, i]
            else:
                i, j = alpha
                found[alpha] = zero + (2 * self.quadratic[:, i] if i == j else 0)
        return found

    def state(self):
        return {"constant": self.constant, "linear": self.linear, "quadratic": self.quadratic}, {}

    @classmethod
    def from_state(cls, arrays, settings):
        return cls(**arrays)


def polynomial(constant=0.0, linear=(0.0, 0.0), quadratic=None):
    """One component or several (nested lists)."""
    linear = np.atleast_2d(np.asarray(linear, dtype=float))
    quadratic = (
        np.zeros_like(linear) if quadratic is None else np.atleast_2d(np.asarray(quadratic, dtype=float))
    )
    return Polynomial(np.atleast_1d(np.asarray(constant, dtype=float)), linear, quadratic)


@dataclass(frozen=True)
class Good:
    """Answers x_0 + error x_0^2, where the exact solution is x_0; the error doubles with the seed."""

    error: float = 1e-3
    width: int = 8
    name: ClassVar[str] = "good"
    accepts: ClassVar[frozenset[str]] = frozenset({"steady"})

    def solve(self, problem, *, seed, monitor):
        for step in range(5):
            monitor.update(step + 1, 5, loss=10.0**-step, residual=2 * 10.0**-step)
        dim = problem.domain.dim
        first = np.eye(dim)[:1]
        model = polynomial(0.0, first, self.error * 2**seed * first)
        return Solution(self.name, repr(self), problem.fields, model, problem.domain.mesh(), {"unknowns": 2})


@dataclass(frozen=True)
class Poor(Good):
    error: float = 0.5
    name: ClassVar[str] = "poor"


@dataclass(frozen=True)
class Counting:
    """Adds 1 + 2 + ... + steps, one term a step, and stops in the middle if it is told to."""

    steps: int = 10
    name: ClassVar[str] = "counting"
    accepts: ClassVar[frozenset[str]] = frozenset({"steady"})
    stop_at: ClassVar[int | None] = None

    def solve(self, problem, *, seed, monitor):
        arrays, settings = monitor.resume() or ({"sum": np.zeros(1)}, {"step": 0})
        total = arrays["sum"]
        for step in range(settings["step"] + 1, self.steps + 1):
            total = total + step
            monitor.update(step, self.steps, loss=1.0 / step)
            monitor.checkpoint({"sum": total}, {"step": step})
            if step == self.stop_at:
                raise KeyboardInterrupt
        model = polynomial(total, np.zeros(problem.domain.dim))
        return Solution(self.name, repr(self), problem.fields, model, problem.domain.mesh(), {"unknowns": 1})
