"""What the search of `search.py` may try: partitions and numbers of features, activations and scales."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

from mlpde.errors import InputError
from mlpde.formulation.space_time import SpaceTime

FEATURES = {  # in small and large subdomains, by dimension
    1: (50, 200),
    2: (100, 400),
    3: (200, 800, 1600, 2400),
    4: (400, 1600),
}
WIDEST = 2500  # columns of a subdomain: its QR costs their cube

# (activation, scale) that are probed where the user gives none, the usual best one first
PAIRS = (("sin", 3.0), ("sin", 1.5), ("sin", 5.0), ("sin", 8.0), ("tanh", 1.0), ("tanh", 0.5))

Candidate = tuple[tuple[int, ...], int]  # partition, features
Pair = tuple[str, float]


def candidates(settings: Any, domain: Any, components: int, border: int) -> list[Candidate]:
    """The cheap ones first, as many as settings.max_unknowns of an RFM allows, at least one.

    components: of all fields.  border: columns that are part of every subdomain's QR.
    Raises InputError where that is not one feature for each component in each subdomain.
    """
    lower, upper = domain.bounding_box
    lengths = upper - lower
    if isinstance(domain, SpaceTime):
        lengths[-1] = domain.length
    counts = FEATURES[len(lengths)] if settings.features is None else (settings.features,)
    if settings.features is None:
        counts = _affordable(settings, counts, components, border)
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


def _affordable(settings: Any, counts: tuple[int, ...], components: int, border: int) -> tuple[int, ...]:
    """The numbers of features, or the largest one that max_unknowns leaves if it is smaller."""
    subdomains = math.prod(settings.partition or (1,))
    most = (settings.max_unknowns // components - border) // subdomains
    if most < 1:
        raise InputError(
            f"rfm.max_unknowns={settings.max_unknowns} is too few: one feature in each subdomain"
            f"{f' and {border} on the whole box' if border else ''}, for each of {components} components, are "
            f"{components * (subdomains + border)} unknowns"
        )
    return counts if most >= min(counts) else (most,)


def _cells(along_shortest: float, lengths: np.ndarray) -> tuple[int, ...]:
    """About square cells, so many along the shortest side, at least one in each direction."""
    return tuple(max(round(n), 1) for n in along_shortest * lengths / lengths.min())


def activations_and_scales(settings: Any, before: Any) -> list[Pair]:
    """(activation, scale) to choose from, as far as the user, or the block of time `before`, leaves the choice."""
    activation, scale = settings.activation, settings.scale
    if before is not None:
        return [(before.fit.features.activation, before.scale)]
    found = [
        (activation or a, s if scale is None else scale)
        for a, s in PAIRS
        if activation is None or a == _family(activation)
    ]
    return list(dict.fromkeys(found))


def other_scales(settings: Any, before: Any, activation: str, scale: float, upwards: bool) -> list[float]:
    """The larger (or smaller) scales that may be tried, the nearest first."""
    if settings.scale is not None or before is not None:
        return []
    scales = sorted((s for a, s in PAIRS if a == _family(activation)), reverse=not upwards)
    return scales[scales.index(scale) + 1 :]


def _family(activation: str) -> str:
    return "sin" if activation == "cos" else activation  # a cosine is a sine with another bias
