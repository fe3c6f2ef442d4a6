"""Refinement of single subdomains: those where the equations hold worst are divided, round after round.

The residual r of a fit on points of its own in every subdomain s gives eta_s^2 = |s| mean(r^2), each equation measured
as in `relative_residual`.  The fewest subdomains that hold most of sum eta_s^2 are divided (Doerfler, SIAM J. Numer.
Anal. 33(3), 1996, doi:10.1137/0733054).  The subdomains are joined by rows on their faces: smooth windows would fall as
steeply on the large ones as the small ones want.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from mlpde.formulation.sampling import Graded, Located, collocate, residual_scales
from mlpde.formulation.space_time import SpaceTime
from mlpde.representation.fitting import Ansatz
from mlpde.representation.subdivision import Subdivision

if TYPE_CHECKING:
    from mlpde.representation.search import Judged, Search

START = 1 / 6  # of the unknowns that are allowed, at most, before anything is divided
MOST = 0.9  # of the sum of eta^2
LOCAL = 0.5  # of the subdomains, at most, hold that: else uniform refinement does as well
JUDGES = 64  # points in each subdomain
GAIN = 0.2  # of the residual, after two rounds: what is resolved falls faster, only singularities do not


def refined(search: Search, best: Judged) -> Judged:
    """The best of `best` and of fits on subdivisions, with as many features in each subdomain.

    `best` where the partition is given, for problems in time, nonlinear ones and those whose flux jumps.
    """
    domain, settings, components = search.domain, search.settings, search.form.components
    plain = search.form.linear and not search.form.jumps and not isinstance(domain, SpaceTime)
    if settings.partition is not None or not plain or domain.dim == 1:
        return best
    count = best.fit.features.features
    cells = [c for c, n in search.candidates() if n == count]
    small = [c for c in cells if math.prod(c) * count * components <= START * settings.max_unknowns]
    lower, upper = domain.bounding_box
    return _rounds(search, Subdivision.grid(lower, upper, (small or cells[:1])[-1]), count, best)


def _rounds(search: Search, subdivision: Subdivision, count: int, best: Judged) -> Judged:
    """Divide, fit and judge, until the tolerance is met, the unknowns are spent, or two rounds gain little.

    On smaller subdomains a smaller scale R may be better.
    """
    activation, scale = best.fit.features.activation, best.scale
    residuals: list[float] = []
    while True:
        found = _fit(search, subdivision, count, (activation, scale))
        for smaller in search.other_scales(activation, scale, upwards=False):
            if search.done(found):
                break
            other = _fit(search, subdivision, count, (activation, smaller))
            if other.residual >= found.residual:
                break
            found, scale = other, smaller
        residuals.append(found.residual)
        best = min(best, found, key=lambda judged: judged.residual)
        if search.done(best) or (len(residuals) > 2 and residuals[-1] > GAIN * residuals[-3]):
            return best
        marked = _marked(_indicators(search, subdivision, found))
        if len(residuals) == 1 and len(marked) > LOCAL * len(subdivision.leaves):
            return best
        finer = _divided(search, subdivision, count, marked)
        if finer is None:
            return best
        subdivision = finer


def _divided(search: Search, subdivision: Subdivision, count: int, marked: np.ndarray) -> Subdivision | None:
    """With as many of the marked subdomains divided, the worst first, as the unknowns allow; None if with none."""
    affordable = (search.settings.max_unknowns / search.form.components - search.border) / count
    while len(marked) and subdivision.divisible:
        finer = subdivision.divided(marked.tolist())
        if len(finer.leaves) <= affordable:
            return finer
        marked = marked[: len(marked) // 2]
    return None


def _fit(search: Search, subdivision: Subdivision, count: int, pair: tuple[str, float]) -> Judged:
    """One fit on sharp subdomains, of which the search and its progress know."""
    per_leaf = search.settings.points * (count + search.border / len(subdivision.leaves))
    inside = subdivision.points(search.domain, per_leaf)
    located = _located(search, subdivision, inside, per_leaf)
    points = np.concatenate([part.points.numpy() for part in located if part.rows.kind == "interior"])
    partition = subdivision.partition(points, search.fewest_points(count))
    features = search.drawn(partition, count, pair, search.seed)
    found = search.judged(Ansatz((features,)), located, pair[1], search.joints(features))
    assert found is not None  # what is linear takes no Newton steps that could fail
    found = search.fits[subdivision, count, pair] = found._replace(subdivision=subdivision)
    search.report(
        *(len(search.fits),) * 2,
        residual=found.residual,
        unknowns=found.fit.unknowns,
        features=count,
        subdomains=partition.subdomains,
    )
    return found


def _located(
    search: Search, subdivision: Subdivision, inside: np.ndarray, per_leaf: float, seed: int | None = None
) -> list[Located]:
    """The rows at these points, and at boundary points as dense as they are."""
    width = float(np.prod(subdivision.corners[1].min(0)) ** (1 / search.domain.dim))
    spacing = width / per_leaf ** (1 / search.domain.dim)
    return collocate(search.form, search.domain, inside, seed, Graded(spacing, subdivision.coarser()))


def _indicators(search: Search, subdivision: Subdivision, found: Judged) -> np.ndarray:
    """eta^2 (leaves,); of boundary rows with the share of a side in place of the volume."""
    domain, dim = search.domain, search.domain.dim
    random = np.random.default_rng(search.seed + 1)
    low, widths = subdivision.corners
    points = (low[:, None] + random.random((len(low), JUDGES, dim)) * widths[:, None]).reshape(-1, dim)
    located = _located(search, subdivision, points[domain.contains(points)], JUDGES, search.seed + 1)
    sizes = residual_scales(search.judges, found.fit.state, search.form.free)
    scales = {id(part.rows): scale for part, (_, scale) in zip(search.judges, sizes, strict=True)}
    total = np.zeros(len(low))
    for part in located:
        if (scale := scales.get(id(part.rows))) is None:
            continue  # too small a boundary for the points that judge
        with torch.no_grad():
            residual = part.residual(found.fit.state)
        square = torch.where(scale > 0, residual / scale, 0.0).square().sum(1).numpy()
        leaf = subdivision.leaf(part.points.numpy())
        count = np.bincount(leaf, minlength=len(low))
        mean = np.bincount(leaf, square, minlength=len(low)) / count.clip(min=1)
        total += mean * subdivision.shares ** (1.0 if part.rows.kind == "interior" else 1 - 1 / dim)
    return total


def _marked(squares: np.ndarray) -> np.ndarray:
    """The fewest subdomains that hold MOST of the sum, the worst first."""
    order = np.argsort(-squares, kind="stable")
    return order[: int(np.searchsorted(np.cumsum(squares[order]), MOST * squares.sum())) + 1]
