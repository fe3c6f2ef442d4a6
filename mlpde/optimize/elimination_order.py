"""The order in which block QR eliminates the blocks, on any graph of subdomains."""

from collections.abc import Sequence

import numpy as np


def elimination_order(
    cliques: Sequence[Sequence[int]], widths: Sequence[int], centres: np.ndarray | None = None
) -> list[int]:
    """An order of the blocks that keeps the fronts of block QR small, from the sets of blocks that rows have
    in common.

    With `centres`: nested dissection by coordinates (George, SIAM J. Numer. Anal. 10, 1973,
    doi:10.1137/0710032), the separator being the blocks of one half that touch the other. Without: repeatedly
    the block of the smallest front.
    """
    neighbours: list[set[int]] = [set() for _ in widths]
    for clique in cliques:
        for block in clique:
            neighbours[block].update(clique)
    if centres is not None:
        return _dissect(list(range(len(widths))), neighbours, np.asarray(centres, dtype=float))
    front = [sum(widths[b] for b in around) for around in neighbours]
    order: list[int] = []
    left = set(range(len(widths)))
    while left:
        block = min(left, key=lambda b: (front[b], b))
        left.remove(block)
        order.append(block)
        around = neighbours[block] - {block}
        for other in around:
            neighbours[other] = (neighbours[other] | around) - {block}
            front[other] = sum(widths[b] for b in neighbours[other])
    return order


def _dissect(blocks: list[int], neighbours: list[set[int]], centres: np.ndarray) -> list[int]:
    if len(blocks) <= 1:
        return blocks
    axis = int(np.argmax(np.ptp(centres[blocks], axis=0)))
    ranked = sorted(blocks, key=lambda b: (centres[b, axis], b))
    half = centres[ranked[len(ranked) // 2], axis]
    low = [b for b in ranked if centres[b, axis] < half - 1e-12 * abs(half)] or ranked[: len(ranked) // 2]
    inside = set(low)
    separator = [b for b in ranked if b not in inside and neighbours[b] & inside]
    high = [b for b in ranked if b not in inside and not neighbours[b] & inside]
    last = _dissect(separator, neighbours, centres) if len(separator) < len(blocks) else separator
    return _dissect(low, neighbours, centres) + _dissect(high, neighbours, centres) + last
