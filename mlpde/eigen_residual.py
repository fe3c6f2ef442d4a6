"""How well eigenmodes solve their equation: the strong residual of a(u, v) = lambda m(u, v)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from mlpde.formulation.residual import strong_form
from mlpde.formulation.sampling import Located, collocate, relative_residual
from mlpde.formulation.torch_expression import Alpha, Jets
from mlpde.problem import Eigenproblem, Problem
from mlpde.representation.network_modes import NetworkModes


def eigen_residual(problem: Eigenproblem, modes: NetworkModes, inside: np.ndarray, seed: int) -> float:
    """The largest relative residual of all modes with their eigenvalues, at points `inside` (n, d).

    That of the conditions is taken on the boundary.  0 perfectly, 1 not at all, as `relative_residual`.  An eigenvalue
    errs by about four times its square (times eigenvalue over gap where the next one is near); it does not tell whether
    one was skipped.

    Raises InputError if there is no strong form.
    """
    found = [_of_mode(problem, modes.mode(k), inside, seed) for k in range(len(modes.eigenvalues))]
    return float(np.max(found))  # which keeps a nan


def _of_mode(problem: Eigenproblem, mode: NetworkModes, inside: np.ndarray, seed: int) -> float:
    (eigenvalue,) = mode.eigenvalues.tolist()

    def weak_form(u: Any, v: Any, omega: Any) -> Any:
        return problem.stiffness(u, v, omega) - eigenvalue * problem.mass(u, v, omega)

    static = Problem(problem.domain, list(problem.fields), weak_form, dirichlet=problem.dirichlet)
    form = strong_form(static)

    def state(part: Located, derivatives: Iterable[Alpha]) -> Jets:
        jets = mode.jets(part.points.numpy(), derivatives)
        return {alpha: torch.as_tensor(jet) for alpha, jet in jets.items()}

    # the equation not on the boundary: distance functions may have no second derivatives there
    known = set(map(tuple, inside.tolist()))
    located = []
    for part in collocate(form, problem.domain, inside, seed=seed):
        if part.rows.kind == "interior":
            part = part._replace(points=part.points[[tuple(x) in known for x in part.points.tolist()]])
        if len(part.points):  # a small region may have none
            located.append(part)
    return relative_residual(located, state, form.free)
