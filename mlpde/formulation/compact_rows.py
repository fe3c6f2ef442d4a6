"""The rows of a pointwise residual in any dimension, from value, gradient and Laplacian; coefficients by autograd."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
import ufl
import ufl.classes as uc
from ufl.core.expr import Expr

from geometry.places import rounded
from mlpde.errors import InputError
from mlpde.formulation.residual import Term
from mlpde.formulation.symbolic import (
    derivative_by,
    is_terminal,
    nonlinear_part,
    postorder,
    strip_gradients,
    substitute,
)
from mlpde.formulation.torch_expression import Alpha, Jets, Slot, Tensor, TorchFunction, layout_of
from mlpde.formulation.weak_form import Unknown, rates


@dataclass(frozen=True)
class CompactRows:
    """As `residual.Rows`, for expressions in index notation; `where` of conditions: the names of boundaries.

    laplacians: the symbols that stand for the Laplacians of the unknowns.
    """

    kind: str
    where: Any
    expressions: Sequence[Expr] = field(repr=False)
    unknowns: tuple[Unknown, ...] = field(repr=False)
    laplacians: Mapping[Unknown, Unknown] = field(repr=False)
    dim: int
    region: str | None = None
    _residual: TorchFunction = field(init=False, repr=False)

    def __post_init__(self) -> None:
        layout = layout_of(self.unknowns)
        slots = {lap: Slot(layout[u].offset, 0, True) for u, lap in self.laplacians.items()}
        function = TorchFunction(self.expressions, layout | slots, self.dim)
        if any(len(alpha) > 2 for alpha in function.derivatives):
            raise InputError(
                "the pointwise residual has derivatives of third order, space and time together; solvers without a "
                "mesh take two"
            )
        object.__setattr__(self, "_residual", function)

    @cached_property
    def linear(self) -> bool:
        """True if the residual is affine in the unknowns."""
        terminals = [*(level for u in self.unknowns for level in rates(u)), *self.laplacians.values()]
        leaves = {
            node: node
            for node in postorder(self.expressions, lambda e: is_terminal(e) or isinstance(e, uc.Grad))
            if strip_gradients(node)[0] in terminals
        }
        for expression in self.expressions:
            derivatives = []
            for leaf in leaves:
                variable = ufl.variable(leaf)
                derivatives.append(derivative_by(substitute(expression, leaves | {leaf: variable}), variable))
            if nonlinear_part(expression, derivatives, terminals) is not None:
                return False
        return True

    @property
    def equations(self) -> int:
        """Number of equations K a point contributes."""
        return len(self.expressions)

    @property
    def derivatives(self) -> set[Alpha]:
        """The jets that the residual needs."""
        return set(self._residual.derivatives)

    @property
    def valued(self) -> set[int]:
        """The components of the unknowns that appear by their values, not only by their derivatives."""
        leaves = postorder(self.expressions, lambda e: is_terminal(e) or isinstance(e, uc.Grad))
        slots = layout_of(self.unknowns)
        return {
            slots[u].offset + m for u in self.unknowns if u in leaves for m in range(math.prod(u.ufl_shape))
        }

    def order(self, component: int, direction: int) -> int:
        """The highest order of derivatives in time (direction d) of the unknown with this component."""
        if direction != self.dim:
            raise ValueError("orders in space are not kept: a Laplacian has all directions")
        nodes = set(postorder(self.expressions))
        (levels,) = (
            rates(u)
            for u in self.unknowns
            if 0 <= component - layout_of(self.unknowns)[u].offset < math.prod(u.ufl_shape)
        )
        return max((k for k, level in enumerate(levels) if level in nodes), default=0)

    def residual(self, points: Tensor, normals: Tensor | None, jets: Jets) -> Tensor:
        """r (n, K) of the functions whose jets are given."""
        return torch.stack(self._residual(points, normals, jets), 1)

    def linearise(
        self, points: Tensor, normals: Tensor | None = None, jets: Jets | None = None
    ) -> tuple[Tensor, list[Term]]:
        """(r (n, K), terms) about the state `jets`; InputError if one of them is not finite at a point."""
        if jets is None:
            raise InputError("a residual without a mesh is linearised about a state: give its jets")
        state = {alpha: jets[alpha].detach().requires_grad_() for alpha in self.derivatives}
        terms = []
        with torch.enable_grad():
            residual = self.residual(points, normals, state)
            for k in range(self.equations):
                found = torch.autograd.grad(
                    residual[:, k].sum(), list(state.values()), retain_graph=True, allow_unused=True
                )
                for alpha, coefficients in zip(state, found, strict=True):
                    if coefficients is not None:
                        terms += [Term(k, m, alpha, c) for m, c in enumerate(coefficients.T) if c.any()]
        for values in (residual.T, *(term.coefficient[None] for term in terms)):
            bad = ~values.isfinite().all(0)
            if bad.any():
                x = points.numpy()
                raise InputError(
                    f"a coefficient or datum of the {self.kind} residual on {self.where!r} is not finite at "
                    f"x = {rounded(x[int(bad.nonzero()[0, 0])], x)}"
                )
        return residual.detach(), terms
