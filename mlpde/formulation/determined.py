"""What the rows determine of constants: those of unknowns that appear only by derivatives, those of mean-free ones."""

from __future__ import annotations

from mlpde.errors import InputError
from mlpde.formulation.residual import StrongForm, strong_form
from mlpde.formulation.sampling import collocate
from mlpde.formulation.space_time import SpaceTime
from mlpde.formulation.weak_residual import WeakResidual
from mlpde.problem import Problem

POINTS = 64  # inside, where coefficients are looked at
ROUNDING = 1e-10  # of a row's largest coefficient


def check_determined(problem: Problem, form: StrongForm | WeakResidual) -> None:
    """Refuse a field to which any constant could be added, and one with mean_zero=True to which none can.

    Least squares would choose a constant, or shift a solution, without a word.
    """
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
    if any(f.mean_zero for f in problem.fields):
        _check_free(form if isinstance(form, StrongForm) else strong_form(problem), problem)


def _check_free(form: StrongForm, problem: Problem) -> None:
    """Refuse a field with mean_zero=True whose constant linear rows fix: the solution would be off by it.

    By numbers: p n_x is nothing where n_x = 0.
    """
    domain = problem.domain if problem.time is None else SpaceTime(problem.domain, *problem.time)
    names = [f.name for f in problem.fields for _ in range(f.size)]
    for part in collocate(form, domain, domain.interior(POINTS)):
        if not all(side.rows.linear for side in part.sides):
            continue
        size = part.points.new_zeros(part.rows.equations)
        constants = part.points.new_zeros(len(part.points), part.rows.equations, form.components)
        for side in part.sides:
            for equation, component, alpha, coefficient in side.linearise(None)[1]:
                size[equation] += coefficient.abs().max()
                if not alpha:
                    constants[:, equation, component] += coefficient
        fixed = constants.abs().amax(0) > ROUNDING * size[:, None]
        for component in form.free:
            if fixed[:, component].any():
                where = (
                    ""
                    if part.rows.kind == "interior"
                    else f", the {part.rows.kind} condition on {part.rows.where!r}"
                )
                raise InputError(
                    f"field {names[component]!r} has mean_zero=True, but its equation{where} already fixes its "
                    "constant: leave mean_zero out"
                )
