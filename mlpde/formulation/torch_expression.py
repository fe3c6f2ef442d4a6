"""UFL expressions as torch functions on batches of points and jets.

A lowered UFL expression (see `weak_form.lower`) is a directed acyclic graph whose leaves are coordinates, the normal,
the time, constants, and the unknowns with their derivatives.  `TorchFunction` walks it once, makes one torch operation
a node, and replays the list for every batch.  A tensor of a node has the layout
(points, *free indices in UFL's order, *ufl_shape), so any number of dimensions works, also gdim = 100.

Jets: a mapping `alpha -> (n, M)`; alpha is a sorted tuple of derivative directions (() value, (0,) d/dx0, (0, 1) mixed),
M counts the scalar components of all unknowns, and direction `d` (after the d coordinates of space) is time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import ufl.classes as uc
from ufl.core.expr import Expr

from mlpde.errors import InputError

Tensor = torch.Tensor
Alpha = tuple[int, ...]
Jets = Mapping[Alpha, Tensor]


class Slot(NamedTuple):
    """Where an unknown lives in the jets: its first component, and how many time derivatives it stands for."""

    offset: int
    time_order: int = 0


def strip_gradients(node: Expr) -> tuple[Expr, int]:
    """(terminal, k) for grad^k(terminal)."""
    k = 0
    while isinstance(node, uc.Grad):
        k, node = k + 1, node.ufl_operands[0]
    return node, k


def operands(node: Expr) -> list[Expr]:
    """The operands that carry values (no indices, no labels)."""
    return [o for o in node.ufl_operands if not isinstance(o, uc.MultiIndex | uc.Label)]


def postorder(roots: Iterable[Expr], is_leaf: Callable[[Expr], bool]) -> list[Expr]:
    """Every node once, operands first; iterative because UFL trees can be deeper than Python's stack."""
    order: list[Expr] = []
    seen: set[Expr] = set()
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, expanded = stack.pop()
        if node in seen:
            continue
        if expanded or is_leaf(node):
            seen.add(node)
            order.append(node)
        else:
            stack.append((node, True))
            stack.extend((o, False) for o in reversed(operands(node)) if o not in seen)
    return order


class TorchFunction:
    """`expressions` evaluated together, shared subexpressions once.

    layout: `{unknown: Slot}`.  `derivatives` names the jets that a call needs.
    Call: (points (n, D), normals (n, d) or None, jets) -> list of tensors (n, *ufl_shape); D = d, or d + 1 with time last.
    Raises InputError naming a UFL node that has no torch rule.
    """

    def __init__(self, expressions: Sequence[Expr], layout: Mapping[Expr, Slot], dim: int):
        self.dim = dim
        self.layout = dict(layout)
        self.derivatives: set[Alpha] = set()
        self._program: list[tuple[Callable, list[int]]] = []
        self._constants: dict[int, Tensor] = {}
        position: dict[Expr, int] = {}
        for node in postorder(expressions, self._is_leaf):
            k = len(self._program)
            sources = [] if self._is_leaf(node) else [position[o] for o in operands(node)]
            operation = self._leaf(node) if self._is_leaf(node) else self._rule(node)
            if not self._is_leaf(node) and all(s in self._constants for s in sources):
                self._constants[k] = operation(*(self._constants[s] for s in sources))
            elif isinstance(node, uc.ConstantValue):
                self._constants[k] = operation(None)
            position[node] = k
            self._program.append((operation, sources))
        self._outputs = [position[e] for e in expressions]
        self._leaves = {position[n] for n in position if self._is_leaf(n)}
        self._needed = self._reachable()

    def __call__(
        self, points: Tensor, normals: Tensor | None = None, jets: Jets | None = None
    ) -> list[Tensor]:
        data = _Batch(points, normals, jets or {}, self.dim)
        values: dict[int, Tensor] = {}
        for k in self._needed:
            operation, sources = self._program[k]
            if k in self._constants:
                values[k] = self._constants[k].to(points)
            elif k in self._leaves:
                values[k] = operation(data)
            else:
                values[k] = operation(*(values[s] for s in sources))
        n = len(points)
        return [values[k].expand(n, *values[k].shape[1:]) for k in self._outputs]

    def _reachable(self) -> list[int]:
        # operands of folded constants need no evaluation
        needed, stack = set(), list(self._outputs)
        while stack:
            k = stack.pop()
            if k not in needed:
                needed.add(k)
                stack.extend([] if k in self._constants else self._program[k][1])
        return sorted(needed)

    # ---------------------------------------------------------------- leaves
    def _is_leaf(self, node: Expr) -> bool:
        if isinstance(node, uc.Variable):
            return getattr(node.ufl_operands[0], "is_time", False)
        if isinstance(node, uc.Indexed) and all(isinstance(i, uc.FixedIndex) for i in node.ufl_operands[1]):
            return strip_gradients(node.ufl_operands[0])[0] in self.layout
        return isinstance(node, uc.Terminal) or strip_gradients(node)[0] in self.layout

    def _leaf(self, node: Expr) -> Callable:
        if isinstance(node, uc.SpatialCoordinate):
            return lambda data: data.points[:, : data.dim]
        if isinstance(node, uc.FacetNormal):
            return lambda data: data.normal()
        if isinstance(node, uc.Variable):
            return lambda data: data.time()
        if isinstance(node, uc.Zero):
            shape = (1, *node.ufl_index_dimensions, *node.ufl_shape)
            return lambda _: torch.zeros(shape, dtype=torch.float64)
        if isinstance(node, uc.Identity):
            return lambda _: torch.eye(node.ufl_shape[0], dtype=torch.float64)[None]
        if isinstance(node, uc.ScalarValue):
            return lambda _: torch.tensor([float(node)], dtype=torch.float64)
        tensor, index = node, ()
        if isinstance(node, uc.Indexed):
            tensor, index = node.ufl_operands[0], tuple(int(i) for i in node.ufl_operands[1])
        terminal, k = strip_gradients(tensor)
        if terminal not in self.layout:
            raise InputError(f"no torch rule for the UFL node {type(terminal).__name__}: {terminal}")
        return self._jet(terminal, k, index if tensor is not node else None)

    def _jet(self, terminal: Expr, k: int, index: tuple[int, ...] | None) -> Callable:
        offset, time_order = self.layout[terminal]
        shape = terminal.ufl_shape
        strides = [int(np.prod(shape[i + 1 :])) for i in range(len(shape))]
        tail = (self.dim,) * time_order

        def alpha(directions: tuple[int, ...]) -> Alpha:
            return tuple(sorted(directions)) + tail

        if index is not None:
            component, directions = index[: len(shape)], index[len(shape) :]
            m = offset + sum(c * s for c, s in zip(component, strides, strict=True))
            self.derivatives.add(alpha(directions))
            return lambda data: data.jet(alpha(directions))[:, m]
        size = int(np.prod(shape))
        every = list(itertools.product(range(self.dim), repeat=k)) if k else [()]
        self.derivatives.update(alpha(d) for d in every)

        def evaluate(data: _Batch) -> Tensor:
            parts = [data.jet(alpha(d))[:, offset : offset + size] for d in every]
            flat = torch.stack(parts, -1) if k else parts[0]
            return flat.reshape(len(flat), *shape, *(self.dim,) * k)

        return evaluate

    # ---------------------------------------------------------------- operators
    def _rule(self, node: Expr) -> Callable:
        for cls in type(node).__mro__:
            if cls in RULES:
                return RULES[cls](node)
        raise InputError(f"no torch rule for the UFL node {type(node).__name__}: {node}")


class _Batch(NamedTuple):
    points: Tensor
    normals: Tensor | None
    jets: Jets
    dim: int

    def normal(self) -> Tensor:
        if self.normals is None:
            raise InputError("the normal omega.n has no value inside the domain: use it with omega.ds only")
        return self.normals

    def time(self) -> Tensor:
        return self.points[:, self.dim]

    def jet(self, alpha: Alpha) -> Tensor:
        return self.jets[alpha]


def _aligned(node: Expr, free: Sequence[int]) -> Callable[[Tensor], Tensor]:
    """Insert broadcast dimensions so that a scalar-shaped operand has the free indices `free`."""
    own = list(node.ufl_free_indices)
    missing = [p for p, i in enumerate(free) if i not in own]

    def align(value: Tensor) -> Tensor:
        for p in missing:
            value = value.unsqueeze(1 + p)
        return value

    return align


def _binary(operation: Callable) -> Callable:
    def rule(node: Expr) -> Callable:
        a, b = (_aligned(o, node.ufl_free_indices) for o in node.ufl_operands)
        return lambda x, y: operation(a(x), b(y))

    return rule


def _power(node: Expr) -> Callable:
    base, exponent = node.ufl_operands
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


def _extremum(node: Expr) -> Callable:
    return _binary(torch.minimum if isinstance(node, uc.MinValue) else torch.maximum)(node)


def _condition(node: Expr) -> Callable:
    operations = {
        "==": torch.eq,
        "!=": torch.ne,
        "<": torch.lt,
        ">": torch.gt,
        "<=": torch.le,
        ">=": torch.ge,
    }
    operations |= {"&&": torch.logical_and, "||": torch.logical_or}
    return operations[node._name]


def _conditional(node: Expr) -> Callable:
    free = node.ufl_free_indices
    a, b = (_aligned(o, free) for o in node.ufl_operands[1:])
    return lambda condition, x, y: torch.where(condition.reshape(-1, *[1] * len(free)), a(x), b(y))


def _indexed(node: Expr) -> Callable:
    tensor, multi = node.ufl_operands
    own, steps = list(tensor.ufl_free_indices), []
    axis = 1 + len(own)
    for index in multi:
        if isinstance(index, uc.FixedIndex):
            steps.append((torch.select, (axis, int(index))))
        elif index.count() in own:  # a repeated index takes the diagonal
            p = 1 + own.index(index.count())
            steps.append((_diagonal, (p, axis)))
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


RULES: dict[type, Callable[[Any], Callable]] = {
    uc.Sum: lambda node: torch.add,
    uc.Product: _binary(torch.mul),
    uc.Division: _binary(torch.div),
    uc.Power: _power,
    uc.Abs: lambda node: torch.abs,
    uc.MinValue: _extremum,
    uc.MaxValue: _extremum,
    uc.Atan2: _binary(torch.atan2),
    uc.MathFunction: _math,
    uc.Conditional: _conditional,
    uc.NotCondition: lambda node: torch.logical_not,
    uc.BinaryCondition: _condition,
    uc.Variable: lambda node: lambda value: value,
    uc.Indexed: _indexed,
    uc.IndexSum: _index_sum,
    uc.ComponentTensor: _component_tensor,
    uc.ListTensor: _list_tensor,
}
