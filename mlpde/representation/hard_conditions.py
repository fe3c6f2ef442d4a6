"""Networks that satisfy their Dirichlet conditions exactly: u = lift + distance * N for each component.

The lift has the data on the boundary and is interpolated between its pieces by inverse distances, of weights
w_k = (1 / phi_k) / sum_j (1 / phi_j) (Rvachev et al., J. Comput. Appl. Math. 130, 2001; Sukumar and Srivastava, 2022,
doi:10.1016/j.cma.2021.114333). It knows the data on the boundary alone, not what their formula would give inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.polynomial import chebyshev

from geometry.pieces import Arc, Piece
from mlpde.errors import InputError
from mlpde.formulation.residual import PointwiseRows, StrongForm
from mlpde.formulation.space_time import SpaceTime
from mlpde.formulation.torch_expression import Alpha, Jets
from mlpde.representation.differentiation import at_points, jet_of
from mlpde.representation.distances import CLOSE, Distance, distance, inverse_weights, meet
from mlpde.representation.hard_interval import IntervalDistance, IntervalLift, interval_conditions
from mlpde.representation.jets import Channels, product
from mlpde.representation.network import Network

NODES = 65  # values on a piece that its series interpolates
RESOLVED = 1e-10  # last coefficients over the largest


@dataclass(frozen=True)
class Trace:
    """Values along a piece, as a series: Chebyshev polynomials, cos and sin of the angle on a whole circle.

    Away from the piece, the value at the foot of the perpendicular to it.
    """

    piece: Piece
    coefficients: tuple[float, ...]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Values (n,) at points (n, 2)."""
        c = self.coefficients
        if len(c) == 1:
            return torch.full_like(x[:, 0], c[0])
        t = _parameter(self.piece, x)
        if _round(self.piece):
            k = torch.arange(1, 1 + len(c) // 2, dtype=x.dtype, device=x.device)
            waves = torch.cat([torch.cos(t[:, None] * k), torch.sin(t[:, None] * k)], 1)
            return c[0] + waves @ x.new_tensor(c[1:])
        before, now = torch.ones_like(t), t
        total = c[0] + c[1] * t
        for coefficient in c[2:]:
            before, now = now, 2 * t * now - before
            total = total + coefficient * now
        return total


@dataclass(frozen=True)
class Lift:
    """The data of one component: the distance functions of disjoint parts of the boundary, and the values there."""

    distances: tuple[Distance, ...]
    traces: tuple[Trace, ...]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Values (n,) at points (n, 2)."""
        weights = inverse_weights([phi(x) for phi in self.distances])
        return torch.stack([w * trace(x) for w, trace in zip(weights, self.traces, strict=True)]).sum(0)


@dataclass(frozen=True)
class Hard:
    """Distance and lift of each component; None where a component has no Dirichlet condition.

    smooth: they have no singular point on the boundary, where derivatives are not bounded.
    """

    distances: tuple[Distance | IntervalDistance | None, ...]
    lifts: tuple[Lift | IntervalLift | None, ...]
    smooth: bool

    def factor(self, x: torch.Tensor) -> torch.Tensor:
        """The distances (n, M) at points (n, D)."""
        return torch.stack([torch.ones_like(x[:, 0]) if d is None else d(x) for d in self.distances], 1)

    def offset(self, x: torch.Tensor) -> torch.Tensor:
        """The lifts (n, M) at points (n, D)."""
        return torch.stack([torch.zeros_like(x[:, 0]) if lift is None else lift(x) for lift in self.lifts], 1)


@dataclass(frozen=True)
class HardNetwork:
    """A network N as u = lift + distance * N, with the parameters and the protocol of N."""

    network: Network
    conditions: Hard

    @property
    def size(self) -> int:
        """Number of parameters P."""
        return self.network.size

    def initial(self, seed: int = 0) -> torch.Tensor:
        """Those of N, shape (P,)."""
        return self.network.initial(seed)

    def jets(self, parameters: torch.Tensor, points: torch.Tensor, derivatives: Iterable[Alpha]) -> Jets:
        """As of `Network`."""
        channels = Channels.of(derivatives, self.network.inputs)
        return self._constrained(self.network.jets(parameters, points, channels.carried), points, channels)

    def jacobian(
        self,
        parameters: torch.Tensor,
        points: torch.Tensor,
        derivatives: Iterable[Alpha],
        residual: Callable[[Jets], torch.Tensor],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As of `Network`."""
        channels = Channels.of(derivatives, self.network.inputs)
        return self.network.jacobian(
            parameters,
            points,
            channels.carried,
            lambda jets: residual(self._constrained(jets, points, channels)),
        )

    def _constrained(self, jets: Jets, points: torch.Tensor, channels: Channels) -> Jets:
        hard = self.conditions
        factor, offset = (
            at_points(points, (hard, kind, channels), partial(jet_of, function, points, channels))
            for kind, function in (("factor", hard.factor), ("offset", hard.offset))
        )
        jet = torch.stack([jets[alpha] for alpha in channels.carried])
        return channels.select(offset + product(factor, jet, channels))


def hard_conditions(form: StrongForm, domain: Any) -> Hard:
    """The distance functions and lifts for the Dirichlet rows of a form; on an interval for the initial rows as well.

    InputError where there are none: a boundary neither straight nor circular, a domain in space, or one in the plane in
    time, data that jump or do not agree at a corner of an interval and a time span.
    """
    in_time = isinstance(domain, SpaceTime)
    if domain.dim - in_time == 1:
        found = interval_conditions(form, domain)
        return Hard(tuple(d for d, _ in found), tuple(lift for _, lift in found), smooth=True)
    if in_time:
        raise InputError(
            f"conditions in time can be hard on an interval only, not on a domain of {domain.dim - 1} dimensions: use "
            'conditions other than "hard"'
        )
    data = [
        (component, piece, rows.where, values)
        for rows in form.rows
        if rows.kind == "dirichlet"
        for piece in _pieces(domain, rows.where)
        for component, values in _data(rows, piece).items()
    ]
    conditions: list[list[Trace]] = [[] for _ in range(form.components)]
    for component, piece, where, values in data:
        largest = max(float(np.abs(v).max()) for other, _, _, v in data if other == component)
        conditions[component].append(_trace(piece, where, values, largest))
    close = CLOSE * float(np.ptp(domain.bounding_box, axis=0).max())
    distances, lifts, smooth = [], [], True
    for traces in conditions:
        parts: dict[Any, list[Trace]] = {}
        for trace in traces:
            constant = len(trace.coefficients) == 1
            parts.setdefault(trace.coefficients if constant else trace, []).append(trace)
        whole = distance(domain, [trace.piece for trace in traces]) if traces else None
        of_parts = [distance(domain, [trace.piece for trace in part]) for part in parts.values()]
        distances.append(whole)
        lifts.append(Lift(tuple(of_parts), tuple(part[0] for part in parts.values())) if traces else None)
        smooth &= not any(w.trimmed for d in [whole, *of_parts] if d for group in d.groups for w in group)
        smooth &= not _touch(list(parts.values()), close)
    return Hard(tuple(distances), tuple(lifts), smooth)


def _touch(parts: Sequence[Sequence[Trace]], close: float) -> bool:
    return any(
        meet(one.piece, other.piece, close)
        for k, part in enumerate(parts)
        for one in part
        for later in parts[k + 1 :]
        for other in later
    )


def _pieces(domain: Any, boundary: str) -> tuple[Piece, ...]:
    pieces: Mapping[str, tuple[Piece, ...]] = getattr(domain, "pieces", {})
    if boundary not in pieces:
        raise InputError(
            f"boundary {boundary!r} does not consist of straight and circular pieces of a plane domain, so that it has "
            'no distance function: conditions other than "hard" are needed'
        )
    return pieces[boundary]


def _round(piece: Piece) -> bool:
    return isinstance(piece, Arc) and piece.closed


def _data(rows: PointwiseRows, piece: Piece) -> dict[int, np.ndarray]:
    """The data (NODES,) of Dirichlet rows at the nodes of a piece, by component."""
    nodes = 2 * np.pi * np.arange(NODES) / NODES if _round(piece) else chebyshev.chebpts1(NODES)
    residual, terms = rows.linearise(torch.as_tensor(_at(piece, nodes)), None, None)
    return {term.component: (-residual[:, term.equation] / term.coefficient).numpy() for term in terms}


def _trace(piece: Piece, where: Any, values: np.ndarray, largest: float) -> Trace:
    """The series of values (NODES,) at the nodes; largest: of the component's data on the whole boundary."""
    if _round(piece):
        waves = np.fft.rfft(values) / NODES
        series = np.concatenate([[waves[0].real], 2 * waves[1:].real, -2 * waves[1:].imag])
        last = np.abs(2 * waves[-3:])
    else:
        series = chebyshev.chebfit(chebyshev.chebpts1(NODES), values, NODES - 1)
        last = np.abs(series[-4:])
    if last.max() > RESOLVED * largest:
        raise InputError(
            f"the Dirichlet data on {where!r} are not smooth along the boundary, so that they have no lift: "
            'conditions other than "hard" are needed'
        )
    return Trace(piece, _shortened(series, _round(piece), 1e-14 * largest))


def _shortened(series: np.ndarray, waves: bool, negligible: float) -> tuple[float, ...]:
    """Without the last coefficients, as far as they are negligible."""
    if not waves:
        keep = int(np.flatnonzero(np.append(True, np.abs(series[1:]) > negligible)).max())
        return tuple(series[: keep + 1].tolist())
    both = series[1:].reshape(2, -1)
    keep = int(np.flatnonzero(np.append(True, np.abs(both).max(0) > negligible)).max())
    return (float(series[0]), *both[:, :keep].ravel().tolist())


def _at(piece: Piece, t: np.ndarray) -> np.ndarray:
    """Points (n, 2) at parameters in [-1, 1], or at angles of a whole circle."""
    if not isinstance(piece, Arc):
        return np.outer((1 - t) / 2, piece.start) + np.outer((1 + t) / 2, piece.end)
    start, half = _angles(piece)
    angle = t if piece.closed else start + half * t
    return np.array(piece.center) + piece.radius * np.stack([np.cos(angle), np.sin(angle)], 1)


def _parameter(piece: Piece, x: torch.Tensor) -> torch.Tensor:
    """The parameter (n,) of the foot of points (n, 2) on the piece's line or circle."""
    if not isinstance(piece, Arc):
        start, end = x.new_tensor(piece.start), x.new_tensor(piece.end)
        along = end - start
        return 2 * ((x - start) @ along) / (along @ along) - 1
    away = x - x.new_tensor(piece.center)
    if piece.closed:
        return torch.atan2(away[:, 1], away[:, 0])
    middle, half = _angles(piece)
    cos, sin = float(np.cos(middle)), float(np.sin(middle))
    return torch.atan2(cos * away[:, 1] - sin * away[:, 0], cos * away[:, 0] + sin * away[:, 1]) / half


def _angles(arc: Arc) -> tuple[float, float]:
    """The angle of the middle of an arc, and that from there to its end."""
    middle, end = (np.arctan2(*np.subtract(point, arc.center)[::-1]) for point in (arc.middle, arc.end))
    return float(middle), float((end - middle + np.pi) % (2 * np.pi) - np.pi)
