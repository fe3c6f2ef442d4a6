"""The exact solution of a problem, where it is known, as a reference like any other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from geometry.places import rounded
from mlpde.errors import InputError
from mlpde.solution import Array, Derivative, Model, Solution

REFINEMENT = {1: 16, 2: 2, 3: 1}  # of the default element size by dimension, as far as it costs little


@dataclass(frozen=True)
class ExactModel:
    """Values and first derivatives of `problem.exact`, by UFL; the fields without one come from `other`."""

    problem: Any
    other: Model | None = None
    functions: dict[str, Any] = field(init=False, repr=False)
    kind: ClassVar[str] = "exact"

    def __post_init__(self) -> None:
        from mlpde.formulation.residual import exact_functions

        object.__setattr__(self, "functions", exact_functions(self.problem))

    def jets(self, points: Array, derivatives: Iterable[Derivative]) -> dict[Derivative, Array]:
        """() and (i,) with i < d, in time i = d too; anything else raises InputError."""
        import torch

        derivatives, dim = list(derivatives), self.problem.dim
        directions = dim if getattr(self.problem, "time", None) is None else dim + 1
        if any(len(alpha) > 1 or max(alpha, default=0) >= directions for alpha in derivatives):
            raise InputError("an exact solution offers its first derivatives, an output needs higher ones")
        points = np.asarray(points, dtype=np.float64)
        columns: dict[Derivative, list[Array]] = {alpha: [] for alpha in derivatives}
        rest = self.other.jets(points, derivatives) if self.other is not None else {}
        start = 0
        for f in self.problem.fields:
            if f.name in self.functions:
                value, *slopes = (
                    part.numpy().reshape(len(points), f.size, -1)
                    for part in self.functions[f.name](torch.from_numpy(points))
                )
                first = np.concatenate(slopes, axis=2)
                for alpha in derivatives:
                    columns[alpha].append(first[:, :, alpha[0]] if alpha else value[:, :, 0])
            else:
                for alpha in derivatives:
                    columns[alpha].append(rest[alpha][:, start : start + f.size])
            start += f.size
        return {alpha: np.concatenate(parts, axis=1) for alpha, parts in columns.items()}

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """An exact solution is text of the case: it cannot be saved."""
        raise InputError("the exact solution is part of the case and is not saved: save the other solutions")

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray], settings: Mapping[str, Any]) -> ExactModel:
        """Never saved, so never restored."""
        raise InputError("an exact solution cannot be restored from a file")


def exact_solution(case: Any, fem: Solution | None = None) -> Solution:
    """The exact solution of the case on a fine mesh, if it has one; its quadrature points measure the errors.

    On the whole space only its value at (0, x0) is compared.
    fem: provides the fields of which no exact solution is known.
    """
    problem = case.problem
    model = ExactModel(problem, fem.model if fem else None)
    mesh = problem.domain.mesh(fine_size(problem.domain)) if hasattr(problem.domain, "mesh") else None
    measures = ("l2", "h1") if getattr(problem, "time", None) is None else ("l2", "h1", "l2_time")
    zero = {f.name: dict.fromkeys(measures, 0.0) for f in problem.fields}
    estimated = (
        zero
        if fem is None
        else {
            name: zero[name] if name in model.functions else fem.info.get("estimated_error", {}).get(name, {})
            for name in zero
        }
    )
    cost = {key: fem.info[key] if fem else 0 for key in ("seconds", "cpu_seconds", "unknowns")}
    solution = Solution(
        "exact",
        "exact solution" + (f", the rest by {fem.config}" if fem else ""),
        problem.fields,
        model,
        mesh,
        {**cost, "estimated_error": estimated},
        case,
    )
    if problem.domain is None:
        if not np.isfinite(solution.quantities["y0"]):
            raise InputError("the exact solution is not finite at (0, x0)")
        return solution
    samples = solution.samples
    bad = ~(np.isfinite(samples.values).all(1) & np.isfinite(samples.gradients).all((1, 2)))
    if bad.any():
        where = rounded(samples.points[bad.argmax()], samples.points)
        raise InputError(
            f"the exact solution or its gradient is not finite at x = {where}: exact=... must hold in the whole domain"
        )
    return solution


def fine_size(domain: Any) -> float:
    """The element size of a reference: what is compared with it must be resolved."""
    return domain.default_size / REFINEMENT[domain.dim]
