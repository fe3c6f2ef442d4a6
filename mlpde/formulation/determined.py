"""What the rows leave undetermined: an unknown that appears only by its derivatives, a pure Neumann problem."""

from __future__ import annotations

from mlpde.errors import InputError
from mlpde.formulation.residual import StrongForm
from mlpde.formulation.weak_residual import WeakResidual
from mlpde.problem import Problem


def check_determined(problem: Problem, form: StrongForm | WeakResidual) -> None:
    """Refuse a field to which any constant could be added: least squares would choose one without a word."""
    fixed = {component for rows in form.rows for component in rows.valued}
    start = 0
    for f in problem.fields:
        components = range(start, start := start + f.size)
        if not f.mean_zero and not fixed.issuperset(components):
            raise InputError(
                f"pure Neumann problem: the solution of field {f.name!r} is determined up to a constant; add a "
                "Dirichlet condition or a point value Dirichlet(at=...)"
                + ("" if f.shape else f", or Field({f.name!r}, mean_zero=True)")
            )
