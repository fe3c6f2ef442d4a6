"""Dirichlet values on a boundary where the weak form has said all there is to say, as a pressure at a free outlet.

The pressure's own equation has no boundary term, and the natural condition nu du/dn - p n = 0 of the velocity gives its
value. Finite elements meet both, p = 0 in a layer one cell wide; as the mesh becomes finer the natural condition is
left. Least squares would take a compromise between them, far into the domain.
"""

from __future__ import annotations

from collections.abc import Collection

import ufl.classes as uc

from mlpde.errors import InputError
from mlpde.formulation.condition_rows import boundary_rows
from mlpde.formulation.symbolic import expand, partials
from mlpde.formulation.torch_expression import layout_of
from mlpde.formulation.weak_form import WeakForm, weak_form
from mlpde.language import BOUNDED_DIMENSION
from mlpde.problem import Problem, component_names


def overruled(form: WeakForm, boundary: str, given: Collection[int]) -> set[int]:
    """Of the components given those whose equation has no boundary term, and which a natural condition contains."""
    natural = [expand(e) for e in form.natural_residual(boundary)]
    without = {m for m in given if isinstance(natural[m], uc.Zero)}
    if not without:
        return set()
    layout = layout_of(form.unknowns)
    free = [e for k, e in enumerate(natural) if k not in given]
    found = {entry for e in free for entry in partials(e, form.unknowns) if not entry.directions}
    return without & {layout[entry.terminal].offset + entry.component for entry in found}


def overruled_sentences(problem: Problem) -> list[str]:
    """One for the boundaries that such values of the same components have."""
    names = component_names(problem.fields)
    if len(names) == 1 or problem.domain.dim > BOUNDED_DIMENSION:
        return []
    try:
        form = weak_form(problem)
    except InputError:
        return []  # a form that FEM alone takes: no solver leaves a condition out
    places: dict[str, list[str]] = {}
    for boundary in problem.domain.boundaries:
        lost = overruled(form, boundary, boundary_rows(problem, form, boundary))
        if lost:
            places.setdefault(", ".join(names[m] for m in sorted(lost)), []).append(repr(boundary))
    return [
        f"the natural condition on {' and '.join(where)} contains {which} already: the Dirichlet value of {which} "
        "there is right only if it agrees with that. PINN, DGM, RFM and WAN leave it out, FEM meets it in the last "
        "cells, and where it does not agree FEM's solution is spoiled; another value belongs into the boundary terms "
        "of the weak form"
        for which, where in places.items()
    ]
