"""How far a fit is from the solution, judged by other fits of the same problem.

A residual bounds the error up to a constant of the equation that nobody knows: it is large for a pressure that is small
beside the stresses, or for what has decayed by the final time.  A worse fit B of the same problem shows it, for its
error is almost |A - B|:

    |A - u|  is about  |A - B| residual(A) / residual(B).

The frequencies in the two errors differ, and with them what a residual means: the estimate is raised by CAUTION.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import torch

from mlpde.formulation.sampling import Located, State

CAUTION = 3.0


class Sample(NamedTuple):
    """The residual of a fit, and its values (n, M), on the same points as those of others."""

    residual: float
    values: torch.Tensor


def sampled(located: Sequence[Located], state: State, residual: float, free: Collection[int]) -> Sample:
    """The values of a fit where its interior equations are judged; the components `free` have mean zero."""
    parts = [state(part, [()])[()] for part in located if part.rows.kind == "interior"]
    values = torch.cat(parts).detach()
    values[:, list(free)] -= values[:, list(free)].mean(0)
    return Sample(residual, values)


def estimated_errors(
    best: Sample, others: Sequence[Sample], fields: Sequence[Any], final: torch.Tensor | None = None
) -> dict[str, float]:
    """The relative L2 error of every field, by name: the largest of what the `others` say.

    final: the mask (n,) of the points at the final time, where the error is to hold as well.
    """
    points = [torch.ones(len(best.values), dtype=torch.bool)] + ([] if final is None else [final])
    errors, first = {}, 0
    for f in fields:
        columns = slice(first, first := first + f.size)
        errors[f.name] = CAUTION * max(
            _relative(best.values[where][:, columns], other.values[where][:, columns])
            * min(1.0, best.residual / max(other.residual, 1e-300))
            for other in others
            for where in points
        )
    return errors


def _relative(values: torch.Tensor, others: torch.Tensor) -> float:
    """|values - others| / |values|; where the values vanish, absolute."""
    size = float(values.norm())
    return float((values - others).norm()) / (size or 1.0)
