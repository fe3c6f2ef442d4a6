"""Steps in time: each one solves F(u, u', u'', t) = 0 at its end, with u' and u'' from a difference formula.

Factors of the Jacobian are kept as long as they serve: for ever where it is constant, and in Newton's method as long as
it converges fast with them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mpi4py import MPI  # noqa: F401

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import numpy as np
from numpy.typing import NDArray
from petsc4py import PETSc

from mlpde.errors import InputError
from mlpde.formulation.balance import check_balance
from mlpde.problem import Problem
from reference_fem.constants import (
    PinnedSolver,
    check_kernel,
    declared,
    integrals,
    norm1,
)
from reference_fem.difference_formulas import GAMMA, Formula, bdf2, euler, lagrange_weights, sdirk2, theta
from reference_fem.linear_solver import Choice
from reference_fem.time_system import TimeSystem

KEPT = 2  # factorisations: of the present step size and of the one before
EQUAL = 1e-6  # relative difference of equal steps
NEWTON = 1e-9  # error of Newton's method in a step, relative
NEWTON_STEPS = 20
SLOW = 0.2  # convergence factor from which on new factors pay
START = 2  # steps by SDIRK2 before the scheme takes over
INSTANT = 1e-6  # of the interval: a step that makes initial values satisfy the equations without rates
ROUNDING = 1e-12  # of the terms of a balance
GROWN = 1.01  # an imbalance that much larger is looked at again
SIZE = 1e-12  # of the largest field: a smaller one is rounding


class StepFailed(Exception):
    """Newton's method did not converge; the text says how."""


@dataclass(frozen=True)
class State:
    """u and its rates u', u'' at a time t (owned entries; u' or u'' at the start as far as they are known)."""

    t: float
    levels: tuple[NDArray, NDArray, NDArray]
    constant: float = 0.0  # C of the local error C k^3 u''' of the step that led here
    error: NDArray | None = field(default=None, repr=False)  # of a start step: an estimate of first order

    @property
    def u(self) -> NDArray:
        """The unknowns."""
        return self.levels[0]


class Stepper:
    """Advances the states of one problem on one mesh.  scheme: "bdf2" or "theta"."""

    def __init__(self, problem: Problem, system: TimeSystem, scheme: str, linear_solver: Choice) -> None:
        self.problem, self.system, self.scheme, self.choice = problem, system, scheme, linear_solver
        self.free = declared(problem, system)
        self.factors: OrderedDict[str, PinnedSolver] = OrderedDict()  # by the factor a
        self.factorisations = self.solves = 0
        self._uneven: dict[int, float] = {}  # how far data are out of balance, the largest so far
        self.rated = np.flatnonzero(system.evolution.orders)
        self._means = {
            k: system.field(integrals(system, k).array_r, k).copy()
            for k, f in enumerate(problem.fields)
            if f.mean_zero
        }

    def sizes(self, states: Sequence[State]) -> NDArray:
        """The largest L2 norm of each field among the states, or a trifle of the largest field's."""
        norms = np.max([self.system.norms(s.u) for s in states], axis=0)
        return np.maximum(norms, SIZE * norms.max())

    def advance(self, states: Sequence[State], t: float) -> State:
        """The state at the time t after the given ones, the last of which is the latest."""
        k = t - states[-1].t
        guess = self._guess(states, t)
        if len(states) <= START:
            first, second = sdirk2(k)
            stage = self._solve(states[-1].t + GAMMA * k, first, states[-1:], guess)
            end = self._solve(t, second, [*states[-1:], stage], guess)
            return replace(end, error=GAMMA * k * (end.levels[1] - stage.levels[1]))
        if self.scheme == "theta":
            return self._solve(t, theta(k), states[-1:], guess)
        # where the step was doubled, the value before the last lies 2 k back: the same factors as in later steps
        before = next((s for s in states[:-1] if abs(states[-1].t - k - s.t) < EQUAL * k), states[-2])
        return self._solve(t, bdf2(k, states[-1].t - before.t), [before, states[-1]], guess)

    def consistent(self, state: State, span: float) -> State:
        """Initial values that satisfy the equations without rates, and values of the fields that have none.

        Two very short steps of implicit Euler: the first one, with the data of the start, projects; the second one
        gives multipliers, such as a pressure, that are not the impulse of the first.
        """
        if len(self.rated) == len(self.problem.fields):
            return state
        instant = INSTANT * span
        first = self._solve(state.t, euler(instant), [state], state.u)
        second = self._solve(state.t + instant, euler(instant), [first], first.u)
        for k in set(range(len(self.problem.fields))) - set(self.rated):
            self.system.field(first.u, k)[:] = self.system.field(second.u, k)
        return State(state.t, (first.u, *state.levels[1:]))

    def _guess(self, states: Sequence[State], t: float) -> NDArray:
        if self.system.forms.linear or len(states) <= START:
            return states[-1].u
        last = states[-3:]
        (weights,) = lagrange_weights(np.array([[s.t for s in last]]), np.array([t]))
        return sum(w * s.u for w, s in zip(weights, last, strict=True))  # type: ignore[return-value]

    def _solve(self, t: float, formula: Formula, states: Sequence[State], guess: NDArray) -> State:
        """The state at t; raises StepFailed, or InputError if data are not finite."""
        system = self.system
        system.set(t, formula.a, formula.history([s.levels for s in reversed(states)]))
        x, b = system.vector(), system.vector()
        x.array[:] = guess
        system.write(x)
        system.constraints.update()
        system.read(x)
        system.write(x)
        linear, key = system.forms.linear, f"{formula.a:.8g}"  # equal steps differ by rounding
        before, first = np.inf, 0.0
        for step in range(NEWTON_STEPS):
            system.residual(b)
            norm = b.norm()
            first = first if step else norm
            if not np.isfinite(norm):
                if linear or not self.solves:
                    system.check_finite(b.array_r, f"the weak form at t = {t:.4g}")
                raise StepFailed(f"the residual is not finite after {step} Newton steps")
            factors = self._factors(key)
            correction, uneven = factors.solve(b)
            self.solves += 1
            if step == 0:
                self._balance(factors, uneven, x)
            x.axpy(-1.0, correction)
            system.write(x)
            if linear:
                if not system.evolution.constant:
                    self.factors.clear()
                break
            change, size = system.norms(correction.array_r), system.norms(x.array_r)
            now = float(np.max(change / np.maximum(size, SIZE * size.max()).clip(np.finfo(float).tiny)))
            rate, before = (now / before if step else 1.0), now
            if now * min(rate, 1.0) / max(1 - rate, SLOW) <= NEWTON:
                break
            if step and not rate < SLOW:
                self.factors.pop(key)
        else:
            raise StepFailed(
                f"the residual went from {first:.2e} to {norm:.2e} in {NEWTON_STEPS} Newton steps"
            )
        system.read(x)  # with what conditions copy from one unknown to another
        values = x.array_r.copy()
        for k, means in self._means.items():
            part = system.field(values, k)
            comm = system.comm
            part -= comm.allreduce(float(means @ part)) / comm.allreduce(float(means.sum()))
        if not np.isfinite(system.norms(values)).all():
            raise InputError(f"the solution is not finite at t = {t:.4g}: its coefficients overflow")
        return State(t, (values, *system.rates(values)), formula.error)  # type: ignore[arg-type]

    def _balance(self, factors: PinnedSolver, uneven: dict[int, float], x: Any) -> None:
        """InputError if the data of a field without a constant of its own are out of balance.

        uneven: the size of the source that was spread.  It is compared with the residual of the data alone, the
        unknowns zero inside, whenever it has grown.
        """
        for k, value in uneven.items():
            rounding = ROUNDING * factors.magnitudes[k] * x.norm(PETSc.NormType.INFINITY)
            if value <= max(GROWN * self._uneven.get(k, 0.0), rounding):
                continue
            self._uneven[k] = value
            data, b = self.system.vector(), self.system.vector()
            data.array[self.system.fixed] = x.array_r[self.system.fixed]
            self.system.write(data)
            self.system.residual(b)
            self.system.write(x)
            total = norm1(b, self.system, k)
            check_balance({self.problem.fields[k].name: value / total if total > 0 else 0.0})

    def _factors(self, key: str) -> PinnedSolver:
        if key in self.factors:
            self.factors.move_to_end(key)
            return self.factors[key]
        if len(self.factors) == KEPT:
            self.factors.popitem(last=False)
        matrix = self.system.new_matrix()
        self.system.jacobian(matrix)
        if not self.factorisations:
            check_kernel(matrix, self.problem, self.system, self.free)
        self.factors[key] = PinnedSolver(matrix, self.system, self.free, self.choice)
        self.factorisations += 1
        return self.factors[key]
