"""Smooth functions that are zero on parts of the boundary and positive inside, exact for straight and circular pieces.

Each piece of the boundary lies on a line or a circle f = 0 with a polynomial f of unit slope there. Where that curve
does not enter the domain, and no other piece lies on it, f itself is the distance function. Elsewhere f is trimmed to
the piece by the R-function of Rvachev, phi = sqrt(f^2 + ((sqrt(t^2 + f^4) - t) / 2)^2), with t > 0 on the piece's side
of its ends (Sukumar and Srivastava, Comput. Methods Appl. Mech. Eng. 389, 2022, doi:10.1016/j.cma.2021.114333).

Pieces that meet are joined by the product, which is smooth at their corner (unless they are trimmed), pieces
apart by phi_1 phi_2 / (phi_1 + phi_2), which keeps the unit slope on both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import mul  # torch.prod has no second derivatives where a factor is zero
from typing import Any

import numpy as np
import torch

from geometry.pieces import Arc, Piece

CLOSE = 1e-7  # of the domain's extent
LEAST = 1e-100  # distance, so that several of them have a product that is not zero
PROBES = 400  # points on each boundary that tell whether a line or circle enters the domain


@dataclass(frozen=True)
class Wall:
    """A piece of the boundary with the side `sign` of its line or circle on which the domain is, or trimmed."""

    piece: Piece
    sign: float
    trimmed: bool
    scale: float  # a length, of the domain

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The distance function (n,) over `scale` at points (n, 2)."""
        if isinstance(self.piece, Arc) and self.sign > 0:  # the centre is outside
            f = torch.linalg.norm(x - x.new_tensor(self.piece.center), dim=1) - self.piece.radius
        else:
            f = self.sign * _implicit(self.piece, x)
        if self.trimmed:
            t = _within(self.piece, x)
            f = torch.sqrt(f * f + ((torch.sqrt(t * t + f**4) - t) / 2) ** 2)
        return f / self.scale


@dataclass(frozen=True)
class Distance:
    """The distance function of walls, in groups of which the members meet."""

    groups: tuple[tuple[Wall, ...], ...]
    factors: tuple[float, ...]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Values (n,) at points (n, 2)."""
        products = [reduce(mul, [wall(x) for wall in group]) for group in self.groups]
        return reduce(_join, [c * p for c, p in zip(self.factors, products, strict=True)])


def distance(domain: Any, pieces: Sequence[Piece]) -> Distance:
    """The distance function of some of a domain's pieces, `domain.pieces`."""
    lower, upper = domain.bounding_box
    scale = float((upper - lower).max())
    close = CLOSE * scale
    every = [p for found in domain.pieces.values() for p in found]
    boundary = [domain.boundary(name, PROBES)[0] for name in domain.boundaries]
    boundary += [np.array([p.start, p.end]) for p in every]
    around, inside = (
        torch.as_tensor(np.concatenate(boundary)),
        torch.as_tensor(domain.interior(PROBES, seed=0)),
    )
    others = [p for p in every if p not in pieces]
    walls: list[Wall] = []
    for piece in pieces:
        f = _implicit(piece, around)
        enters = bool((f > close).any() and (f < -close).any())
        shared = any(_on_curve(piece, other, close) for other in others)
        wall = Wall(piece, float(torch.sign(_implicit(piece, inside).sum())), enters or shared, scale)
        if wall.trimmed or not any(_on_curve(w.piece, piece, close) for w in walls if not w.trimmed):
            walls.append(wall)
    groups, factors = _groups(walls, close), []
    for group in groups:
        values = torch.stack([wall(inside) for wall in group])
        factors.append(float(values.amin(0).max() / values.prod(0).max()))
    return Distance(groups, tuple(factors))


def _on_curve(piece: Piece, other: Piece, close: float) -> bool:
    """True if the second piece lies on the line or circle of the first."""
    middle = other.middle if isinstance(other, Arc) else np.add(other.start, other.end) / 2
    points = torch.as_tensor(np.array([other.start, middle, other.end]))
    return bool((_implicit(piece, points).abs() < close).all()) and isinstance(other, type(piece))


def _groups(walls: Sequence[Wall], close: float) -> tuple[tuple[Wall, ...], ...]:
    """Untrimmed walls that meet in an end, together; trimmed ones by themselves."""
    groups: list[list[Wall]] = []
    for wall in walls:
        near = [g for g in groups if not wall.trimmed and any(_meet(wall, other, close) for other in g)]
        groups = [g for g in groups if g not in near] + [[*(w for g in near for w in g), wall]]
    return tuple(tuple(group) for group in groups)


def _meet(one: Wall, other: Wall, close: float) -> bool:
    return not other.trimmed and meet(one.piece, other.piece, close)


def meet(one: Piece, other: Piece, close: float) -> bool:
    """True if the pieces have an end in common."""
    ends = np.array([one.start, one.end])[:, None] - np.array([other.start, other.end])
    return bool(np.linalg.norm(ends, axis=-1).min() < close)


def _implicit(piece: Piece, x: torch.Tensor) -> torch.Tensor:
    """f (n,): the signed distance to the line, or (|x - c|^2 - R^2) / 2 R."""
    if isinstance(piece, Arc):
        away = x - x.new_tensor(piece.center)
        return ((away * away).sum(1) - piece.radius**2) / (2 * piece.radius)
    return _signed(piece.start, piece.end, x)


def _within(piece: Piece, x: torch.Tensor) -> torch.Tensor:
    """t (n,): zero at the ends, with unit slope along the piece, and positive between them."""
    if isinstance(piece, Arc):
        return _signed(piece.start, piece.end, x) * float(np.sign(_side(piece)))
    start, end = x.new_tensor(piece.start), x.new_tensor(piece.end)
    length = torch.linalg.norm(end - start)
    middle = x - (start + end) / 2
    return ((length / 2) ** 2 - (middle * middle).sum(1)) / length


def _side(arc: Arc) -> float:
    (ax, ay), (bx, by), (mx, my) = arc.start, arc.end, arc.middle
    return (mx - ax) * (by - ay) - (my - ay) * (bx - ax)


def _signed(start: tuple[float, float], end: tuple[float, float], x: torch.Tensor) -> torch.Tensor:
    along = x.new_tensor(end) - x.new_tensor(start)
    away = x - x.new_tensor(start)
    return (away[:, 0] * along[1] - away[:, 1] * along[0]) / torch.linalg.norm(along)


def _join(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    total, size = one + other, one.abs() + other.abs()
    return one * other / torch.where(total > size / 2, total, size + torch.finfo(one.dtype).tiny)


def inverse_weights(distances: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Weights (n,) that sum to 1, the k-th being 1 where the k-th distance is zero: in proportion to 1 / distance."""
    products, sizes = _others(distances), _others([d.abs() + LEAST for d in distances])
    total, size = torch.stack(products).sum(0), torch.stack(sizes).sum(0)
    sound = total > size / 2  # but for corners, where rounding errors of both signs cancel
    divisor = torch.where(sound, total, torch.ones_like(total))
    return [
        torch.where(sound, product / divisor, own / size)
        for product, own in zip(products, sizes, strict=True)
    ]


def _others(factors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """For each factor the product of the others."""
    one = torch.ones_like(factors[0])
    return [reduce(mul, [f for j, f in enumerate(factors) if j != k], one) for k in range(len(factors))]
