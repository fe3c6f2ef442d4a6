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
from mlpde.formulation.residual import Rows, StrongForm
from mlpde.formulation.torch_expression import Alpha, Jets
from mlpde.representation.differentiation import at_points, jet_of
from mlpde.representation.distances import CLOSE, Distance, distance, inverse_weights, meet
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
        if isinstance(self.piece, Arc) and self.piece.closed:
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

    distances: tuple[Distance | None, ...]
    lifts: tuple[Lift | None, ...]
    smooth: bool

    def factor(self, x: torch.Tensor) -> torch.Tensor:
        """The distances (n, M) at points (n, 2)."""
        return torch.stack([torch.ones_like(x[:, 0]) if d is None else d(x) for d in self.distances], 1)

    def offset(self, x: torch.Tensor) -> torch.Tensor:
        """The lifts (n, M) at points (n, 2)."""
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
    """The distance functions and lifts for the Dirichlet rows of a form.

    InputError where there are none: a boundary neither straight nor circular, no plane domain, data that jump.
    """
    conditions: list[list[Trace]] = [[] for _ in range(form.components)]
    for rows in form.rows:
        if rows.kind == "dirichlet":
            for piece in _pieces(domain, rows.where):
                for component, trace in _traces(rows, piece).items():
                    conditions[component].append(trace)
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
            'no distance function: use conditions="soft"'
        )
    return pieces[boundary]


def _traces(rows: Rows, piece: Piece) -> dict[int, Trace]:
    """The data of Dirichlet rows along a piece by component."""
    whole_circle = isinstance(piece, Arc) and piece.closed
    nodes = chebyshev.chebpts1(NODES)
    x = torch.as_tensor(_at(piece, 2 * np.pi * np.arange(NODES) / NODES if whole_circle else nodes))
    residual, terms = rows.linearise(x, None, None)
    found = {}
    for equation, component, _, coefficient in terms:
        values = (-residual[:, equation] / coefficient).numpy()
        if whole_circle:
            waves = np.fft.rfft(values) / NODES
            series = np.concatenate([[waves[0].real], 2 * waves[1:].real, -2 * waves[1:].imag])
            last = np.concatenate([2 * waves[-3:].real, 2 * waves[-3:].imag])
        else:
            series = chebyshev.chebfit(nodes, values, NODES - 1)
            last = series[-4:]
        size = max(float(np.abs(series).max()), float(np.abs(values).max()))
        if np.abs(last).max() > RESOLVED * size:
            raise InputError(
                f"the Dirichlet data on {rows.where!r} are not smooth along the boundary, so that they have no lift: "
                'use conditions="soft"'
            )
        found[component] = Trace(piece, _shortened(series, whole_circle, 1e-14 * size))
    return found


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
