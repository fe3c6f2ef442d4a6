"""Points for pointwise residuals: where each group of rows is collocated, and how large a residual is there.

The spacing on the boundary follows the interior's: h = (|Omega| / n)^(1/d), so |Gamma| / h^(d-1) points on Gamma.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch

from geometry.sampling import shares
from mlpde.errors import InputError
from mlpde.formulation.residual import PointwiseRows, StrongForm, Term
from mlpde.formulation.space_time import SpaceTime
from mlpde.formulation.torch_expression import Alpha, Jets, Tensor, layout_of


class Located(NamedTuple):
    """A group of rows with its points (n, D) and outward normals (n, d), None inside.

    other: the second side of rows that join two points, whose residual is added to that of the first.
    """

    rows: PointwiseRows
    points: Tensor
    normals: Tensor | None
    other: Located | None = None

    @property
    def sides(self) -> list[Located]:
        """The sides of the rows, one or two."""
        return [self] if self.other is None else [self._replace(other=None), self.other]

    def linearise(self, state: State | None) -> tuple[Tensor, list[Term]]:
        """`Rows.linearise` of one side at its points, about the function `state`, or about zero."""
        jets = None if state is None else state(self, self.rows.derivatives)
        return self.rows.linearise(self.points, self.normals, jets)

    def residual(self, state: State) -> Tensor:
        """r (n, K) of the function `state`, both sides together."""
        found = [s.rows.residual(s.points, s.normals, state(s, s.rows.derivatives)) for s in self.sides]
        return torch.stack(found).sum(0)


State = Callable[[Located, Iterable[Alpha]], Jets]  # a function: its jets at the points of located rows


class Graded(NamedTuple):
    """Boundary points at the `spacing`, and 2^k times as far apart where `coarser`(points) (n,) is k."""

    spacing: float
    coarser: Callable[[np.ndarray], np.ndarray]


def collocate(
    form: StrongForm, domain: Any, inside: np.ndarray, seed: int | None = None, graded: Graded | None = None
) -> list[Located]:
    """Points for every group of rows: `inside` (n, D) inside, and boundary points, evenly spread or by `seed`.

    graded: of the boundary points of a steady problem, where those inside are denser in some places.

    For a problem in time the domain is a SpaceTime.  The interior equations hold at the boundary points as well, and at
    the first and the last time: without them the residual is extrapolated over the last spacing.
    """
    if not hasattr(getattr(domain, "domain", domain), "mesh"):
        return _scatter(form, domain, inside, seed)
    volume = float(domain.quadrature(0)[1].sum())
    spacing = (volume / len(inside)) ** (1 / domain.dim) if graded is None else graded.spacing
    walls = {}
    for name in domain.boundaries:
        measure = domain.boundary(name, 1)[1].sum()
        wall = domain.boundary(name, int(np.ceil(measure / spacing ** (domain.dim - 1))), seed=seed)
        if graded is not None:
            every = 2 ** (graded.coarser(wall[0]) * (domain.dim - 1))
            wall = tuple(part[np.arange(len(every)) % every == 0] for part in wall)
        walls[name] = wall
    everywhere = [inside, *(points for points, _, _ in walls.values())]
    start = inside  # of a problem without time, which has no initial rows
    if isinstance(domain, SpaceTime):
        count = int(np.ceil(volume / domain.length / spacing ** (domain.dim - 1)))
        start = domain.section(domain.start, count, seed)
        everywhere += [start, domain.section(domain.end, count, seed)]
    points = np.concatenate(everywhere)
    region = _regions(domain, points) if len(domain.regions) > 1 else np.full(len(points), domain.regions[0])

    def located(rows: PointwiseRows, points: np.ndarray, normals: np.ndarray | None = None) -> Located:
        return Located(rows, torch.as_tensor(points), None if normals is None else torch.as_tensor(normals))

    parts = []
    for rows in form.rows:
        if rows.kind == "interior":
            parts.append(located(rows, points[region == rows.where]))
            continue
        normals = None
        if rows.kind == "initial":
            where = start
        elif rows.kind == "point":
            where = np.asarray(rows.where, float).reshape(1, -1)
        else:
            where, _, normals = walls[rows.where]
        if rows.region is not None:
            here = _regions(domain, where) == rows.region
            where, normals = where[here], None if normals is None else normals[here]
        if len(where):
            parts.append(located(rows, where, normals))
    for first, second in form.jumps:
        x, normals = domain.between(
            first.region, second.region, int(np.ceil(len(inside) ** (1 - 1 / domain.dim))), seed
        )
        if len(x):
            parts.append(located(first, x, normals)._replace(other=located(second, x, normals)))
    for first, second in form.periodic:
        on_wall, _, normals = walls[first.where]
        shift = _shift(domain, first.where, second.where)
        one = located(first, on_wall, normals)
        parts.append(one._replace(other=located(second, on_wall + shift, -normals)))
    return parts


def _scatter(form: StrongForm, domain: Any, inside: np.ndarray, seed: int | None) -> list[Located]:
    """`collocate` on a Box or a Ball: as many points on the boundary as inside, spread over the faces by measure.

    In high dimension nearly all of the volume is near the boundary, so the interior equations need no points on it.
    """
    measures = {name: domain.boundary(name, 1)[1].sum() for name in domain.boundaries}
    split = shares(max(len(inside), len(measures)), np.array(list(measures.values())))
    counts = dict(zip(measures, map(int, split), strict=True))
    parts = []
    for rows in form.rows:
        normals = None
        if rows.kind == "interior":
            points = inside
        elif rows.kind == "point":
            points = np.asarray(rows.where, float).reshape(1, -1)
        elif rows.kind == "initial":
            points = domain.section(domain.start, len(inside), seed or 0)
        else:
            names = (rows.where,) if isinstance(rows.where, str) else rows.where
            faces = [
                domain.boundary(name, counts[name], seed=None if seed is None else seed * len(names) + k)
                for k, name in enumerate(names)
            ]
            points, normals = (np.concatenate([face[i] for face in faces]) for i in (0, 2))
        parts.append(
            Located(rows, torch.as_tensor(points), None if normals is None else torch.as_tensor(normals))
        )
    return parts


def _shift(domain: Any, first: str, second: str) -> np.ndarray:
    """The translation (D,) of one boundary to another; InputError if their sizes or normals do not fit."""
    (x, w, n), (y, v, m) = (domain.boundary(name, 256) for name in (first, second))
    shift = v @ y / v.sum() - w @ x / w.sum()
    if isinstance(domain, SpaceTime):
        shift[-1] = 0.0
    if abs(w.sum() - v.sum()) > 1e-6 * w.sum() or np.abs(w @ n / w.sum() + v @ m / v.sum()).max() > 1e-6:
        raise InputError(
            f"periodic boundaries {first!r} and {second!r} are no translation of each other: their sizes or normals "
            "differ"
        )
    return shift


def lattice(
    domain: Any, cells: Sequence[int], per_cell: float, places: np.ndarray | None = None
) -> np.ndarray:
    """About `per_cell` points (n, d) in each cell of a regular partition of the bounding box, on lattices.

    places: only in the cells with these indices (m, d).

    The lattice of a cell that the domain fills only in part is finer, up to twice in each direction, so that it gets
    as many points as the others.  No point lies at a corner, nor on the boundary unless that is a slit.
    """
    lower, upper = domain.bounding_box
    counts = np.asarray(cells)
    width = (upper - lower) / counts
    usual = int(np.ceil(per_cell ** (1 / domain.dim)))
    corners = np.array(list(np.ndindex(*counts))) if places is None else places
    probe = _lattices(corners, usual) + 0.5 / usual
    filled = domain.contains(lower + probe.reshape(-1, domain.dim) * width).reshape(len(corners), -1).mean(1)
    finer = np.ceil(usual / np.maximum(filled, 1e-9) ** (1 / domain.dim)).clip(max=2 * usual)
    points = np.concatenate(
        [_lattices(corners[finer == q], int(q)).reshape(-1, domain.dim) for q in np.unique(finer)]
    )
    margin = 1e-3 / usual  # a lattice line may run along a side, or through a re-entrant corner
    steps = margin * np.array(list(product((-1.0, 1.0), repeat=domain.dim)))
    around = lower + (points[:, None] + steps) * width
    keep = domain.contains(around.reshape(-1, domain.dim)).reshape(len(points), -1).all(1)
    points = lower + points * width
    for corner in getattr(domain, "corners", ()):  # around the tip of a slit all lies inside
        keep &= (np.abs(points[:, :2] - corner.point) > margin * width[:2]).any(1)
    return points[keep]


def _lattices(corners: np.ndarray, q: int) -> np.ndarray:
    """q^d points (cells, q^d, d) in each cell, in units of cells, the cell's lower corner among them."""
    dim = corners.shape[1]
    unit = np.stack(np.meshgrid(*[np.arange(q) / q] * dim, indexing="ij"), -1).reshape(-1, dim)
    return corners[:, None] + unit


def _regions(domain: Any, points: np.ndarray) -> np.ndarray:
    if isinstance(domain, SpaceTime):
        domain, points = domain.domain, points[:, :-1]
    mesh = domain.mesh()
    return np.asarray(mesh.regions)[mesh.cell_regions[mesh.locate(points)[0]]]


def relative_residual(
    located: Sequence[Located], state: State, free: Sequence[int] = (), direction: State | None = None
) -> float:
    """How well the equations hold at the points: 0 perfectly, 1 not at all; independent of units.

    The largest over all equations of rms(r) / (rms(data) + sum over terms of rms(c) size(D^alpha u)), where the size of
    D^alpha u is taken inside the domain (`sizes`): so a condition u = 0 is measured against u, no flux against the
    gradient.  The components `free` are determined up to a constant, which does not count: a large one would hide all.

    direction: a function w that is judged in place of u, in the equations linearised about u, without data: near 0 if
    u + w solves them as well.
    """
    found = residual_scales(located, state, free, direction)
    return max(float(torch.where(scale > 0, _rms(r) / scale, 0.0).max()) for r, scale in found)


def residual_scales(
    located: Sequence[Located], state: State, free: Sequence[int] = (), direction: State | None = None
) -> list[tuple[Tensor, Tensor]]:
    """The residuals (n, K) at every part, and what `relative_residual` measures those of each equation by, (K,)."""
    parts = []
    with torch.no_grad():
        size = sizes(located, state if direction is None else direction, free)
        for part in located:
            residual = torch.zeros((len(part.points), part.rows.equations), dtype=part.points.dtype)
            data, scale = residual.clone(), residual.new_zeros(part.rows.equations)
            for side in part.sides:
                here = state(side, side.rows.derivatives)
                part_residual, terms = side.rows.linearise(side.points, side.normals, here)
                linear = torch.zeros_like(residual)
                moved = here if direction is None else direction(side, side.rows.derivatives)
                for equation, component, alpha, coefficient in terms:
                    linear[:, equation] += coefficient * moved[alpha][:, component]
                    scale[equation] += _rms(coefficient) * size[len(alpha)][component]
                if direction is None:
                    residual, data = residual + part_residual, data + part_residual - linear
                else:
                    residual = residual + linear
            parts.append((residual, scale + _rms(data)))
    return parts


def sizes(located: Sequence[Located], state: State, free: Sequence[int] = ()) -> list[Tensor]:
    """How large the derivatives of each order are inside, (M,) for every order up to the highest of the equations.

    In all directions and components of a field together, and not below the size of the lower orders over the domain's
    extent: u = (x, 0) satisfies u_xx = 0, u_y = 0 and u_2 = 0 up to rounding, which is to be measured against u.

    Raises FloatingPointError where the state is not finite.
    """
    derivatives = set().union(*(side.rows.derivatives for part in located for side in part.sides)) | {()}
    inside = [part for part in located if part.rows.kind == "interior"]
    points = torch.cat([part.points for part in inside])
    derivatives |= {(i,) for i in range(points.shape[1])}
    jets = [state(part, derivatives) for part in inside]
    values = {alpha: torch.cat([one[alpha] for one in jets]) for alpha in derivatives}
    values[()][:, list(free)] -= values[()][:, list(free)].mean(0)
    unknowns = inside[0].rows.unknowns
    layout = layout_of(unknowns)
    slots = [(layout[u].offset, u.ufl_shape) for u in unknowns]
    extent = float((points.amax(0) - points.amin(0)).max())
    found: list[Tensor] = []
    for order in range(max(map(len, values)) + 1):
        square = torch.stack([_rms(v).square() for alpha, v in values.items() if len(alpha) == order]).sum(0)
        if not bool(square.isfinite().all()):
            raise FloatingPointError(
                "the approximate solution is not finite, so that it has no residual: the training has diverged; a "
                "smaller learning rate may help"
            )
        size = torch.sqrt(square + (found[-1] / extent).square()) if found else torch.sqrt(square)
        for first, shape in slots:
            field = slice(first, first + math.prod(shape))
            size[field] = size[field].norm()
        found.append(size)
    return found


def _rms(values: Tensor) -> Tensor:
    return values.square().mean(0).sqrt()
