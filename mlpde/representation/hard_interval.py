"""Distance functions and lifts on an interval, and in the strip of an interval and a time span.

Both are smooth: the distance is the product of those from the ends and from the start (its square where the rate is
given too), and the lift u0 + (t - t0) v0 + sum_ends w (g - (u0 + (t - t0) v0) at the end), with w linear in x, 1 at
its end and 0 at the other. It has all data where they agree at the corners (W. J. Gordon, C. A. Hall, Numer. Math. 21,
1973, doi:10.1007/BF01436298).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.polynomial import chebyshev

from mlpde.errors import InputError
from mlpde.formulation.residual import PointwiseRows, StrongForm
from mlpde.formulation.space_time import SpaceTime

NODES = 257  # values that a series interpolates
RESOLVED = 1e-10  # last coefficients, and disagreement of the data at a corner, over the largest data


@dataclass(frozen=True)
class Series:
    """Chebyshev polynomials of one coordinate between two values of it."""

    direction: int
    lower: float
    upper: float
    coefficients: tuple[float, ...]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Values (n,) at points (n, D)."""
        if len(self.coefficients) == 1:
            return torch.full_like(x[:, 0], self.coefficients[0])
        y = (2 * x[:, self.direction] - self.lower - self.upper) / (self.upper - self.lower)
        after, last = torch.zeros_like(y), torch.zeros_like(y)
        for c in self.coefficients[:0:-1]:  # Clenshaw's recurrence
            after, last = last, c + 2 * y * last - after
        return self.coefficients[0] + y * last - after


@dataclass(frozen=True)
class End:
    """An end of the interval with its data, and the other end."""

    at: float
    other: float
    data: Series

    def weight(self, x: torch.Tensor) -> torch.Tensor:
        """1 at the end, 0 at the other; (n,) at points (n, D)."""
        return (x[:, 0] - self.other) / (self.at - self.other)


@dataclass(frozen=True)
class IntervalDistance:
    """Zero at some ends, and `order` times at the start; of size 1."""

    ends: tuple[End, ...]
    order: int
    start: float
    span: float

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Values (n,) at points (n, D)."""
        value = torch.ones_like(x[:, 0])
        for end in self.ends:
            value = value * (1 - end.weight(x))
        if len(self.ends) == 2:
            value = 4 * value
        for _ in range(self.order):
            value = value * (x[:, 1] - self.start) / self.span
        return value


@dataclass(frozen=True)
class IntervalLift:
    """What has the data at the ends and at the start: initial values u0 and v0, as many as are given."""

    ends: tuple[End, ...]
    initial: tuple[Series, ...]
    start: float

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Values (n,) at points (n, D)."""
        value = self._from_start(x)
        for end in self.ends:
            there = torch.cat([torch.full_like(x[:, :1], end.at), x[:, 1:]], 1)
            weight = end.weight(x) if len(self.ends) == 2 else 1.0
            value = value + weight * (end.data(there) - self._from_start(there))
        return value

    def _from_start(self, x: torch.Tensor) -> torch.Tensor:
        value = torch.zeros_like(x[:, 0])
        for k, series in enumerate(self.initial):
            value = value + (x[:, 1] - self.start) ** k * series(x)
        return value


def interval_conditions(form: StrongForm, domain: Any) -> list[tuple[IntervalDistance, IntervalLift]]:
    """Distance and lift of each component, for the Dirichlet and the initial rows of a form.

    InputError where data are not smooth, or do not agree at an end at the start.
    """
    in_time = isinstance(domain, SpaceTime)
    (left, *times), (right, *last) = domain.bounding_box.tolist()
    start, stop = (times[0], last[0]) if in_time else (0.0, 1.0)
    ends: dict[int, list[End]] = {}
    initial: dict[int, list[Series]] = {}
    for rows in form.rows:
        if rows.kind == "initial":
            for component, values in _data(rows, _line(0, left, right, start)):
                series = _series(0, left, right, values, "the initial values")
                initial.setdefault(component, []).append(series)
        elif rows.kind == "dirichlet":
            for at in sorted({float(x[0]) for x in domain.boundary(rows.where, 2)[0]}):
                line = _line(1, start, stop, at) if in_time else np.array([[at]])
                for component, values in _data(rows, line):
                    data = _series(1, start, stop, values, f"the Dirichlet data on {rows.where!r}")
                    end = End(at, left + right - at, data)
                    ends.setdefault(component, []).append(end)
    found = []
    for m in range(form.components):
        at_ends, at_start = tuple(ends.get(m, ())), tuple(initial.get(m, ()))
        _check_corners(at_ends, at_start, start)
        distance = IntervalDistance(at_ends, len(at_start), start, stop - start)
        found.append((distance, IntervalLift(at_ends, at_start, start)))
    return found


def _line(direction: int, lower: float, upper: float, other: float) -> np.ndarray:
    """Chebyshev nodes (NODES, 2) in one direction; (NODES, 2) with the other coordinate fixed."""
    along = (lower + upper) / 2 + (upper - lower) / 2 * chebyshev.chebpts1(NODES)
    fixed = np.full(NODES, other)
    return np.column_stack([along, fixed] if direction == 0 else [fixed, along])


def _data(rows: PointwiseRows, x: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """The data (n,) of Dirichlet or initial rows at points (n, D), by component, of values before rates."""
    residual, terms = rows.linearise(torch.as_tensor(x), None, None)
    ordered = sorted(terms, key=lambda term: len(term.derivative))
    return [(term.component, (-residual[:, term.equation] / term.coefficient).numpy()) for term in ordered]


def _series(direction: int, lower: float, upper: float, values: np.ndarray, what: str) -> Series:
    """Through values at Chebyshev nodes, without negligible last coefficients."""
    c = chebyshev.chebfit(chebyshev.chebpts1(len(values)), values, len(values) - 1)
    largest = np.abs(values).max()
    if len(c) > 1 and np.abs(c[-4:]).max() > RESOLVED * largest:
        raise InputError(
            f'{what} are not smooth, so that they have no lift: conditions other than "hard" are needed'
        )
    keep = int(np.flatnonzero(np.append(True, np.abs(c[1:]) > 1e-14 * largest)).max())
    return Series(direction, lower, upper, tuple(c[: keep + 1].tolist()))


def _check_corners(ends: tuple[End, ...], initial: tuple[Series, ...], start: float) -> None:
    """Values and rates at the ends at the start are those of the initial data."""
    for end in ends if initial else ():
        corner = torch.tensor([[end.at, start]], dtype=torch.float64)
        slope = chebyshev.chebder(end.data.coefficients) * 2 / (end.data.upper - end.data.lower)
        rate = Series(1, end.data.lower, end.data.upper, tuple(np.atleast_1d(slope).tolist()))
        for what, data, series in zip(("value", "rate"), (end.data, rate), initial, strict=False):
            size = max(sum(map(abs, data.coefficients)), sum(map(abs, series.coefficients)))
            if float((data(corner) - series(corner)).abs()) > 1e-8 * size:
                raise InputError(
                    f"at x = {end.at:g} the initial {what} differs from that of the Dirichlet data, so that there is "
                    'no lift: conditions other than "hard" are needed'
                )
