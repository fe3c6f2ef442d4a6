"""Partitions and numbers of features for the search of `search.py` to try, the cheap ones first."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

from mlpde.formulation.space_time import SpaceTime

FEATURES = {  # in small and large subdomains, by dimension
    1: (50, 200),
    2: (100, 400),
    3: (200, 800, 1600, 2400),
    4: (400, 1600),
}
WIDEST = 2500  # columns of a subdomain: its QR costs their cube

Candidate = tuple[tuple[int, ...], int]  # partition, features


def candidates(settings: Any, domain: Any, components: int, border: int) -> list[Candidate]:
    """As many as settings.max_unknowns of an RFM allows, at least one.

    components: of all fields.  border: columns that are part of every subdomain's QR.
    """
    lower, upper = domain.bounding_box
    lengths = upper - lower
    if isinstance(domain, SpaceTime):
        lengths[-1] = domain.length
    counts = FEATURES[len(lengths)] if settings.features is None else (settings.features,)
    if settings.partition is not None:
        partitions = [settings.partition]
    else:
        coarsest = 1.0  # number of cells along the shortest side; below 1 where the domain is very long
        affordable = settings.max_unknowns / (components * min(counts))
        while math.prod(cells := _cells(coarsest, lengths)) > max(affordable, 1):
            coarsest /= 2
        finer = [n * 2.0**power for power in range(16) for n in (2, 3)]
        partitions = [cells, *(_cells(n, lengths) for n in ([1.0] if coarsest < 1 else []) + finer)]
    cheap = sorted(product(partitions, counts), key=lambda c: math.prod(c[0]) * (c[1] + border) ** 2)
    return [
        (cells, count)
        for i, (cells, count) in enumerate(cheap)
        if i == 0
        or (
            components * (math.prod(cells) * count + border) <= settings.max_unknowns
            and components * count <= WIDEST
        )
    ]


def _cells(along_shortest: float, lengths: np.ndarray) -> tuple[int, ...]:
    """About square cells, so many along the shortest side, at least one in each direction."""
    return tuple(max(round(n), 1) for n in along_shortest * lengths / lengths.min())
