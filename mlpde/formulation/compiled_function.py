"""Functions of (t, x) that a user writes in UFL, in any dimension, as torch functions of batches, with gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from ufl.core.expr import Expr

from mlpde.errors import InputError
from mlpde.formulation.symbolic import depends_on
from mlpde.formulation.torch_expression import TorchFunction

Tensor = torch.Tensor


class CompiledFunction:
    """A user's function of (t, x), in UFL, as torch: `function(t, x (n, d)) -> (n, *shape)`.

    Where neither t nor x stands in it, `constant` is its value (*shape,); None otherwise.
    """

    def __init__(self, expression: Expr, x: Expr, t: Expr, like: Tensor):
        self.shape = expression.ufl_shape
        self.uses_x, self.uses_t = depends_on(expression, [x]), depends_on(expression, [t])
        self.expression = expression
        self._function = TorchFunction([expression], {}, like.shape[-1])
        self.constant: Tensor | None = None
        if not (self.uses_x or self.uses_t):
            self.constant = self._function(like[None])[0][0]

    def __call__(self, t: float | Tensor, x: Tensor) -> Tensor:
        return self._function(with_time(t, x) if self.uses_t else x)[0]


def gradient_of(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """(values (n,), gradients (n, d)) of a function of x (n, d) that acts on each row alone; zero for a constant."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = function(x)
        if not value.requires_grad:
            return value, torch.zeros_like(x)
        (gradient,) = torch.autograd.grad(value.sum(), x)
    return value.detach(), gradient


def with_time(t: float | Tensor, x: Tensor) -> Tensor:
    """(n, d + 1): x with the time, one or n, as the last column."""
    times = torch.as_tensor(t, dtype=x.dtype, device=x.device)
    return torch.cat([x, times.expand(len(x))[:, None]], 1)


def not_too_deep(build: Callable[[], Any], what: str) -> Any:
    """`build()`; InputError that names `what` where UFL's own recursion fails."""
    try:
        return build()
    except RecursionError:
        raise InputError(
            f"{what} is nested too deeply for UFL (sum, min or max over hundreds of components?): write total(vector), "
            "smallest(vector) or largest(vector)"
        ) from None
