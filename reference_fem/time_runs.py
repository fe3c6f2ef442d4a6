"""Runs over the whole time interval: on a given grid, or with steps that follow the local error.

Steps are the interval over powers of two, so that halving and doubling meets the factors of earlier steps again, and
grids of successive runs are nested.  The local error C k^3 u''' is taken from the last four values (steps by SDIRK2, at
the start, have an estimate of first order).  It is measured relative to the present size of u, and weighed by
sqrt((t - t0) / T): what is rough at the start is smoothed soon, and counts in L2(0, T) for as long as it lasts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlpde.errors import InputError
from reference_fem.difference_formulas import STENCIL, lagrange_weights, stencil, third_derivative
from reference_fem.journal import Journal
from reference_fem.time_stepping import START, State, StepFailed, Stepper
from reference_fem.time_system import TimeSystem

FINEST = 24  # the shortest step is the interval over 2^FINEST
FIRST = 6  # the first step tried is the interval over 2^FIRST
LARGEST = 3  # no step is longer than the interval over 2^LARGEST
GROWTH = 12.0  # a step is doubled if its error is that much below the tolerance: 2^3, and some reserve
MOST_STEPS = 20_000


@dataclass(frozen=True, eq=False)
class Run:
    """Values of all unknowns (owned entries) at the times (n + 1,), the start included."""

    times: NDArray
    values: list[NDArray]

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.times) - 1

    def at(self, times: NDArray) -> list[NDArray]:
        """The values at some of the times."""
        return [self.values[n] for n in np.searchsorted(self.times, times)]


def halved(times: NDArray) -> NDArray:
    """The grid with every step halved."""
    result = np.empty(2 * len(times) - 1)
    result[::2], result[1::2] = times, (times[:-1] + times[1:]) / 2
    return result


def march(
    stepper: Stepper, start: State, times: NDArray, journal: Journal, kept: NDArray | None = None
) -> Run:
    """The run on a given grid; InputError, with time and step, if a step does not converge.

    kept: the numbers of the times whose values are wanted; all by default.
    """
    wanted = set(range(len(times)) if kept is None else kept.tolist())
    span = float(times[-1] - times[0])
    record = journal.begin(lambda: stepper.consistent(start, span))
    for n in range(len(record.times), len(times)):
        t = float(times[n])
        try:
            state = stepper.advance(record.states, t)
        except StepFailed as failure:
            raise _failed(record.times[-1], t, failure, "more steps are needed") from None
        journal.accept(record, state, len(times) - 1, n in wanted)
    return Run(times[sorted(wanted)], [record.values[n] for n in sorted(wanted)])


def adaptive(
    stepper: Stepper, start: State, interval: tuple[float, float], tolerance: float, journal: Journal
) -> Run:
    """The run whose steps keep the local error below the tolerance; InputError if a step fails at any length."""
    begin, span = interval[0], interval[1] - interval[0]
    unit = span / 2**FINEST
    record = journal.begin(lambda: stepper.consistent(start, span), 2 ** (FINEST - FIRST))
    position = round((record.times[-1] - begin) / unit)
    while position < 2**FINEST:
        step = record.step
        t = begin + unit * (position + step)
        try:
            state = stepper.advance(record.states, t)
        except StepFailed as failure:
            if step == 1:
                raise _failed(record.times[-1], t, failure, "no step is short enough") from None
            record.step = max(1, step // 4)
            continue
        error = _local_error(stepper, [*record.states, state]) * np.sqrt((t - begin) / span)
        if error > tolerance and step > 1:
            record.step = max(1, step // (4 if position == 0 else 2))
            continue
        if len(record.times) > MOST_STEPS:
            raise InputError(
                f"{MOST_STEPS} steps in time led to t = {t:.4g} only, with a local error of {tolerance:.0e}: set a "
                "larger tolerance, or the number of steps"
            )
        position += step
        latest = [*record.states, state][-3:]
        equal = len(record.times) > START and abs(2 * latest[1].t - latest[0].t - t) < unit * step / 2
        may_grow = equal and step < 2 ** (FINEST - LARGEST)
        if may_grow and position % (2 * step) == 0 and error * GROWTH <= tolerance:
            record.step = 2 * step
        journal.accept(record, state, min(MOST_STEPS, len(record.times) * 2**FINEST // position))
    return Run(np.array([*record.times[:-1], interval[1]]), list(record.values.values()))


def _failed(t: float, end: float, failure: StepFailed, remedy: str) -> InputError:
    return InputError(
        f"the step in time from t = {t:.6g}, of length {end - t:.2e}, did not converge: {failure}; {remedy}, "
        "or the problem has no solution from there on"
    )


def _local_error(stepper: Stepper, states: list[State]) -> float:
    """Relative, the largest over the fields that have a rate."""
    last = states[-1]
    if last.error is not None:
        error = last.error
    else:
        k = last.t - states[-2].t
        third = third_derivative([s.t for s in states[-STENCIL:]], [s.u for s in states[-STENCIL:]])
        error = last.constant * k**3 * third
    norms, sizes = stepper.system.norms(error), stepper.sizes(states[-STENCIL:])
    ratios = norms[stepper.rated] / sizes[stepper.rated].clip(np.finfo(float).tiny)
    return float(ratios.max())


def difference(system: TimeSystem, times: NDArray, values: Iterable[NDArray], fine: Run) -> NDArray:
    """|values - fine| / |fine| of each field, the larger of its values at the end and in L2(0, T).

    The times are among those of `fine`.
    """
    squares = np.array(
        [
            [system.norms(a - b) ** 2, system.norms(b) ** 2]
            for a, b in zip(values, fine.at(times), strict=True)
        ]
    )  # (times, 2, fields)
    both = np.stack([squares[-1], np.trapezoid(squares, times, axis=0)])
    trifle = both[:, 1].max(axis=1, keepdims=True) * 1e-24
    sizes = np.maximum(both[:, 1], trifle).clip(np.finfo(float).tiny)
    return np.sqrt(both[:, 0] / sizes).max(axis=0)


def thinned(system: TimeSystem, run: Run, tolerance: float) -> Run:
    """The run with as few of its values, evenly left out, as interpolate the others up to `tolerance`."""
    best = run
    while best.steps % 2 == 0 and best.steps >= 2 * STENCIL:
        fewer = Run(best.times[::2], best.values[::2])
        nodes = stencil(fewer.times, run.times)
        weights = lagrange_weights(fewer.times[nodes], run.times)
        interpolated: Any = (
            sum(w * fewer.values[n] for w, n in zip(row, numbers, strict=True))
            for row, numbers in zip(weights, nodes, strict=True)
        )
        if difference(system, run.times, interpolated, run).max() > tolerance:
            return best
        best = fewer
    return best
