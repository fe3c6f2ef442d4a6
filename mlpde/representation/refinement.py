"""Refinement of single subdomains: those where the equations hold worst are divided, round after round.

The residual r of a fit on points of its own in every subdomain s gives eta_s^2 = |s| mean(r^2), each equation measured
as in `relative_residual`.  The fewest subdomains that hold most of sum eta_s^2 are divided (Doerfler, SIAM J. Numer.
Anal. 33(3), 1996, doi:10.1137/0733054).  The subdomains are joined by rows on their faces: smooth windows would fall as
steeply on the large ones as the small ones want.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from mlpde.formulation.sampling import Graded, Located, collocate, residual_scales
from mlpde.formulation.space_time import SpaceTime
from mlpde.representation.candidates import Pair, other_scales
from mlpde.representation.fits import Fits, Judged
from mlpde.representation.fitting import Ansatz
from mlpde.representation.subdivision import Subdivision

START = 1 / 6  # of the unknowns that are allowed, at most, before anything is divided
MOST = 0.9  # of the sum of eta^2
LOCAL = 0.5  # of the subdomains, at most, hold that: else uniform refinement does as well
FEW = 9  # subdomains, below which this tells nothing
RESOLVED = 0.1  # a residual above tells nothing of the gain
JUDGES = 64  # points in each subdomain
GAIN = 0.2  # of the residual, after two rounds: what is resolved falls faster, only singularities do not


def refined(fits: Fits, best: Judged, report: Callable[..., None]) -> Judged:
    """The best of `best` and of fits on subdivisions, whose subdomains have the fewest features that may be tried.

    `best` where the partition is given, for problems in time, nonlinear ones and those whose flux jumps.
    """
    domain, settings, components = fits.domain, fits.settings, fits.form.components
    plain = fits.form.linear and not fits.form.jumps and not isinstance(domain, SpaceTime)
    if settings.partition is not None or not plain or domain.dim == 1:
        return best
    count = min(n for _, n in fits.candidates())
    cells = [c for c, n in fits.candidates() if n == count]
    small = [c for c in cells if math.prod(c) * count * components <= START * settings.max_unknowns]
    lower, upper = domain.bounding_box
    return _rounds(fits, Subdivision.grid(lower, upper, (small or cells[:1])[-1]), count, best, report)


def _rounds(
    fits: Fits, subdivision: Subdivision, count: int, best: Judged, report: Callable[..., None]
) -> Judged:
    """Divide, fit and judge, until the tolerance is met, the unknowns are spent, or two rounds gain little.

    On smaller subdomains a smaller scale R may be better.
    """
    activation, scale = best.fit.features.activation, best.scale
    residuals: list[float] = []
    asked = False  # whether it is local
    while True:
        found = _fit(fits, subdivision, count, (activation, scale), report)
        for smaller in other_scales(fits.settings, None, activation, scale, upwards=False):
            if fits.done(found):
                break
            other = _fit(fits, subdivision, count, (activation, smaller), report)
            if other.residual >= found.residual:
                break
            found, scale = other, smaller
        best = min(best, found, key=lambda judged: judged.residual)
        if found.residual <= RESOLVED:
            residuals.append(found.residual)
        if fits.done(best) or (len(residuals) > 2 and residuals[-1] > GAIN * residuals[-3]):
            return best
        marked = _marked(_indicators(fits, subdivision, found))
        if not asked and len(subdivision.leaves) >= FEW:
            asked = True
            if len(marked) > LOCAL * len(subdivision.leaves):
                return best
        finer = _divided(fits, subdivision, count, marked)
        if finer is None:
            return best
        subdivision = finer


def _divided(fits: Fits, subdivision: Subdivision, count: int, marked: np.ndarray) -> Subdivision | None:
    """With as many of the marked subdomains divided, the worst first, as the unknowns allow; None if with none."""
    affordable = (fits.settings.max_unknowns / fits.form.components - fits.border) / count
    chosen: list[int] = []
    finer = None
    for leaf in marked.tolist() if subdivision.divisible else ():
        divided = subdivision.divided([*chosen, leaf])
        if len(divided.leaves) <= affordable:
            chosen, finer = [*chosen, leaf], divided
    return finer


def _fit(fits: Fits, subdivision: Subdivision, count: int, pair: Pair, report: Callable[..., None]) -> Judged:
    """One fit on sharp subdomains, of which `fits` and the progress know."""
    per_leaf = fits.settings.points * (count + fits.border / len(subdivision.leaves))
    inside = subdivision.points(fits.domain, per_leaf)
    located = _located(fits, subdivision, inside, per_leaf)
    points = np.concatenate([part.points.numpy() for part in located if part.rows.kind == "interior"])
    partition = subdivision.partition(points, fits.fewest_points(count))
    features = fits.drawn(partition, count, pair, fits.seed)
    found = fits.judged(Ansatz((features,)), located, pair[1], fits.joints(features))
    assert found is not None  # what is linear takes no Newton steps that could fail
    found = fits.made[subdivision, count, pair] = found._replace(subdivision=subdivision)
    divided = sum(isinstance(key[0], Subdivision) for key in fits.made)
    report(
        len(fits.candidates()) + divided,
        None,
        residual=found.residual,
        unknowns=found.fit.unknowns,
        features=count,
        subdomains=partition.subdomains,
    )
    return found


def _located(
    fits: Fits, subdivision: Subdivision, inside: np.ndarray, per_leaf: float, seed: int | None = None
) -> list[Located]:
    """The rows at these points, and at boundary points as dense as they are."""
    width = float(np.prod(subdivision.corners[1].min(0)) ** (1 / fits.domain.dim))
    spacing = width / per_leaf ** (1 / fits.domain.dim)
    return collocate(fits.form, fits.domain, inside, seed, Graded(spacing, subdivision.coarser()))


def _indicators(fits: Fits, subdivision: Subdivision, found: Judged) -> np.ndarray:
    """eta^2 (leaves,); of boundary rows with the share of a side in place of the volume."""
    domain, dim = fits.domain, fits.domain.dim
    random = np.random.default_rng(fits.seed + 1)
    low, widths = subdivision.corners
    points = (low[:, None] + random.random((len(low), JUDGES, dim)) * widths[:, None]).reshape(-1, dim)
    located = _located(fits, subdivision, points[domain.contains(points)], JUDGES, fits.seed + 1)
    sizes = residual_scales(fits.judges, found.fit.state, fits.form.free)
    scales = {id(part.rows): scale for part, (_, scale) in zip(fits.judges, sizes, strict=True)}
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
