"""One torch operation for each UFL operator: `RULES[class](node)` is a function of the tensors of `sources(node)`.

A tensor of a node has the layout (points, *free indices in UFL's order, *ufl_shape); a leading 1 stands for any number
of points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import ufl.classes as uc
from ufl.core.expr import Expr

from mlpde.errors import InputError
from mlpde.formulation.symbolic import operands

Tensor = torch.Tensor
Rule = Callable[[Any], Callable[..., Any]]


class Components(NamedTuple):
    """All components of a tensor, taken apart at once: the gradient of a hundred single selections is slow."""

    tensor: Expr


def sources(node: Expr | Components) -> list:
    """The nodes whose values the rule of `node` takes: its operands, or fewer and larger ones."""
    if isinstance(node, Components):
        return [node.tensor]
    if _picks_component(node):
        return [Components(node.ufl_operands[0])]
    if isinstance(node, uc.MinValue | uc.MaxValue):
        return _leaves(node)
    return operands(node)


def _picks_component(node: Expr) -> bool:
    return (
        isinstance(node, uc.Indexed)
        and not node.ufl_operands[0].ufl_free_indices
        and all(isinstance(i, uc.FixedIndex) for i in node.ufl_operands[1])
    )


def _leaves(node: Expr) -> list[Expr]:
    """What a tree of minima (or maxima) compares; one vector if that is all components of it."""
    leaves, stack = [], [node]
    while stack:
        top = stack.pop()
        if isinstance(top, type(node)):
            stack.extend(reversed(top.ufl_operands))
        else:
            leaves.append(top)
    vectors = {leaf.ufl_operands[0] if _picks_component(leaf) else leaf for leaf in leaves}
    if len(vectors) == 1:
        (vector,) = vectors
        if len(vector.ufl_shape) == 1 and len(set(leaves)) == vector.ufl_shape[0]:
            return [vector]
    return leaves


def _aligned(node: Expr, free: Sequence[int]) -> Callable[[Tensor], Tensor]:
    """Insert broadcast dimensions so that an operand has the free indices `free`."""
    own = list(node.ufl_free_indices)
    missing = [p for p, i in enumerate(free) if i not in own]

    def align(value: Tensor) -> Tensor:
        for p in missing:
            value = value.unsqueeze(1 + p)
        return value

    return align


def _binary(operation: Callable) -> Rule:
    def rule(node: Expr) -> Callable:
        a, b = (_aligned(o, node.ufl_free_indices) for o in node.ufl_operands)
        return lambda x, y: operation(a(x), b(y))

    return rule


def _power(node: Expr) -> Callable:
    exponent = node.ufl_operands[1]
    if isinstance(exponent, uc.ScalarValue):
        value = float(exponent)  # a plain number keeps the derivative at base = 0 finite
        value = int(value) if value.is_integer() else value
        return lambda x, _: x**value
    return _binary(torch.pow)(node)


def _math(node: Expr) -> Callable:
    name = {"ln": "log"}.get(node._name, node._name)
    if not hasattr(torch, name):
        raise InputError(f"no torch rule for the UFL function {node._name}")
    return getattr(torch, name)


CONDITIONS: dict[str, Callable[..., Tensor]] = {
    "==": torch.eq,
    "!=": torch.ne,
    "<": torch.lt,
    ">": torch.gt,
    "<=": torch.le,
    ">=": torch.ge,
    "&&": torch.logical_and,
    "||": torch.logical_or,
}


def _conditional(node: Expr) -> Callable:
    free = node.ufl_free_indices
    a, b = (_aligned(o, free) for o in node.ufl_operands[1:])
    ones = [1] * (len(free) + len(node.ufl_shape))
    return lambda condition, x, y: torch.where(condition.reshape(-1, *ones), a(x), b(y))


def _extremum(pairwise: Callable, reduction: Callable) -> Rule:
    def rule(node: Expr) -> Callable:
        compared = _leaves(node)
        if len(compared) == 1:
            return lambda vector: reduction(vector, 1)
        if len(compared) == 2:
            return pairwise
        return lambda *values: reduction(torch.stack(torch.broadcast_tensors(*values)), 0)

    return rule


def _indexed(node: Expr) -> Callable:
    tensor, multi = node.ufl_operands
    if _picks_component(node):
        flat = 0
        for index, n in zip(multi, tensor.ufl_shape, strict=True):
            flat = flat * n + int(index)
        return lambda components: components[flat]
    own = list(tensor.ufl_free_indices)
    steps: list[tuple[Callable[..., Tensor], tuple[int, int]]] = []
    axis = 1 + len(own)
    for index in multi:
        if isinstance(index, uc.FixedIndex):
            steps.append((torch.select, (axis, int(index))))
        elif index.count() in own:  # a repeated index takes the diagonal
            steps.append((_diagonal, (1 + own.index(index.count()), axis)))
        else:
            p = sum(j < index.count() for j in own)
            own.insert(p, index.count())
            steps.append((torch.movedim, (axis, 1 + p)))
            axis += 1

    def evaluate(value: Tensor) -> Tensor:
        for operation, arguments in steps:
            value = operation(value, *arguments)
        return value

    return evaluate


def _diagonal(value: Tensor, p: int, axis: int) -> Tensor:
    return torch.diagonal(value, dim1=p, dim2=axis).movedim(-1, p)


def _index_sum(node: Expr) -> Callable:
    summand, multi = node.ufl_operands
    axis = 1 + list(summand.ufl_free_indices).index(multi[0].count())
    return lambda value: value.sum(axis)


def _component_tensor(node: Expr) -> Callable:
    inner, multi = node.ufl_operands
    own, axes = list(inner.ufl_free_indices), []
    for index in multi:
        p = own.index(index.count())
        own.pop(p)
        axes.append(1 + p)

    def evaluate(value: Tensor) -> Tensor:
        for axis in axes:
            value = value.movedim(axis, -1)
        return value

    return evaluate


def _list_tensor(node: Expr) -> Callable:
    axis = 1 + len(node.ufl_free_indices)
    return lambda *rows: torch.stack(torch.broadcast_tensors(*rows), axis)


RULES: dict[type, Rule] = {
    uc.Sum: lambda node: torch.add,
    uc.Product: _binary(torch.mul),
    uc.Division: _binary(torch.div),
    uc.Power: _power,
    uc.Abs: lambda node: torch.abs,
    uc.MinValue: _extremum(torch.minimum, torch.amin),
    uc.MaxValue: _extremum(torch.maximum, torch.amax),
    uc.Atan2: _binary(torch.atan2),
    uc.MathFunction: _math,
    uc.Conditional: _conditional,
    uc.NotCondition: lambda node: torch.logical_not,
    uc.BinaryCondition: lambda node: CONDITIONS[node._name],
    uc.Variable: lambda node: lambda value: value,
    uc.Indexed: _indexed,
    Components: lambda node: lambda value: value.flatten(1).unbind(1),
    uc.IndexSum: _index_sum,
    uc.ComponentTensor: _component_tensor,
    uc.ListTensor: _list_tensor,
}
