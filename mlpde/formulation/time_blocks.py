"""A later block of time: its initial values are those of the block before, at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mlpde.formulation.residual import Rows, Term
from mlpde.formulation.sampling import Located, State
from mlpde.formulation.torch_expression import Jets, Tensor


@dataclass(frozen=True)
class _Continued:
    """Initial rows u - before(u) = 0, dt(u) - dt(before(u)) = 0, for the unknowns of `rows`."""

    rows: Rows
    before: State

    def __getattr__(
        self, name: str
    ) -> Any:  # kind, where, linear, derivatives, equations, ... are those of the rows
        return getattr(self.rows, name)

    def linearise(
        self, points: Tensor, normals: Tensor | None = None, jets: Jets | None = None
    ) -> tuple[Tensor, list[Term]]:
        """As `Rows.linearise`."""
        _, terms = self.rows.linearise(points, normals, None)
        known = self.before(Located(self.rows, points, normals), self.rows.derivatives)
        residual = torch.zeros((len(points), self.rows.equations), dtype=points.dtype)
        for k, m, alpha, coefficient in terms:
            residual[:, k] -= coefficient * known[alpha][:, m]
            if jets is not None:
                residual[:, k] += coefficient * jets[alpha][:, m]
        return residual, terms

    def residual(self, points: Tensor, normals: Tensor | None, jets: Jets) -> Tensor:
        """As `Rows.residual`."""
        return self.linearise(points, normals, jets)[0]


def continued(located: Sequence[Located], before: State) -> list[Located]:
    """The located rows with the function `before` as initial value."""
    return [
        part._replace(rows=_Continued(part.rows, before)) if part.rows.kind == "initial" else part  # type: ignore[arg-type]
        for part in located
    ]
