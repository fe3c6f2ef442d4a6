"""UFL expressions as torch functions on batches of points and jets.

A lowered UFL expression (see `symbolic.lower`) is a directed acyclic graph whose leaves are coordinates, the normal,
the time, constants, and the unknowns with their derivatives.  `TorchFunction` walks it once, makes one torch operation
a node, and replays the list for every batch.  A tensor of a node has the layout
(points, *free indices in UFL's order, *ufl_shape), so any number of dimensions works, also gdim = 100.

Jets: a mapping `alpha -> (n, M)`; alpha is a sorted tuple of derivative directions (() value, (0,) d/dx0, (0, 1)
mixed, laplacian(d) the sum of all (i, i)), M counts the scalar components of all unknowns, and direction `d` (after
the d coordinates of space) is time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
import ufl.classes as uc
from ufl.core.expr import Expr

from mlpde.errors import InputError
from mlpde.formulation.symbolic import postorder, shortened, strip_gradients
from mlpde.formulation.torch_operators import RULES, sources
from mlpde.formulation.weak_form import rates
from mlpde.language import is_time

Tensor = torch.Tensor
Alpha = tuple[int, ...]
Jets = Mapping[Alpha, Tensor]


def laplacian(dim: int) -> Alpha:
    """The name, among derivatives, of the sum of d^2/dx_i^2 over the first `dim` directions."""
    return (-dim, -dim)


class Slot(NamedTuple):
    """Where an unknown lives in the jets: its first component, and how many time derivatives it stands for.

    laplacian: it stands for the Laplacian of the unknown.
    """

    offset: int
    time_order: int = 0
    laplacian: bool = False


def layout_of(unknowns: Sequence[Expr]) -> dict[Expr, Slot]:
    """The slots of unknowns and their rates, in jets that hold the unknowns' components one after the other."""
    layout, offset = {}, 0
    for unknown in unknowns:
        for order, level in enumerate(rates(unknown)):
            layout[level] = Slot(offset, order)
        offset += math.prod(unknown.ufl_shape)
    return layout


class TorchFunction:
    """`expressions` evaluated together, shared subexpressions once.

    layout: `{unknown: Slot}`.  `derivatives` names the jets that a call needs.
    Call: (points (n, D), normals (n, d) or None, jets) -> list of tensors (n, *ufl_shape); D = d, or d + 1 with time.
    Raises InputError naming a UFL node that has no torch rule.
    """

    def __init__(self, expressions: Sequence[Expr], layout: Mapping[Expr, Slot], dim: int):
        self.dim = dim
        self.layout = dict(layout)
        self.derivatives: set[Alpha] = set()
        self._program: list[tuple[Callable, list[int]]] = []
        self._constants: dict[int, Tensor] = {}
        position: dict[Expr, int] = {}
        self._leaves: set[int] = set()
        for k, node in enumerate(postorder(expressions, self._is_leaf, sources)):
            position[node] = k
            if self._is_leaf(node):
                operation, arguments = self._leaf(node), []
                self._leaves.add(k)
                if isinstance(node, uc.ConstantValue):
                    self._constants[k] = operation(None)
            else:
                operation, arguments = self._rule(node), [position[s] for s in sources(node)]
                if all(a in self._constants for a in arguments):
                    self._constants[k] = operation(*(self._constants[a] for a in arguments))
            self._program.append((operation, arguments))
        self._outputs = [position[e] for e in expressions]
        self._needed = self._reachable()

    def __call__(
        self, points: Tensor, normals: Tensor | None = None, jets: Jets | None = None
    ) -> list[Tensor]:
        data = _Batch(points, normals, jets or {}, self.dim)
        values: dict[int, Tensor] = {}
        for k in self._needed:
            operation, arguments = self._program[k]
            if k in self._constants:
                values[k] = _constant(self._constants[k], points)
            elif k in self._leaves:
                values[k] = operation(data)
            else:
                values[k] = operation(*(values[a] for a in arguments))
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
            return is_time(node)
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
        tensor, index = node, None
        if isinstance(node, uc.Indexed):
            tensor, index = node.ufl_operands[0], tuple(int(i) for i in node.ufl_operands[1])
        terminal, k = strip_gradients(tensor)
        if terminal not in self.layout:
            raise _no_rule(terminal)
        return self._jet(terminal, k, index)

    def _jet(self, terminal: Expr, k: int, index: tuple[int, ...] | None) -> Callable:
        offset, time_order, is_laplacian = self.layout[terminal]
        shape = terminal.ufl_shape
        strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
        tail = laplacian(self.dim) if is_laplacian else (self.dim,) * time_order

        def alpha(directions: tuple[int, ...]) -> Alpha:
            return tuple(sorted(directions)) + tail

        if index is not None:
            component, directions = index[: len(shape)], index[len(shape) :]
            m = offset + sum(c * s for c, s in zip(component, strides, strict=True))
            self.derivatives.add(alpha(directions))
            return lambda data: data.jet(alpha(directions))[:, m]
        size = math.prod(shape)
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
        raise _no_rule(node)


def _no_rule(node: Expr) -> InputError:
    return InputError(
        f"the UFL node {type(node).__name__} has no torch rule (no value at a point without a mesh?): "
        f"{shortened(node)}; write it in other terms, or use FEM"
    )


def _constant(value: Tensor, points: Tensor) -> Tensor:
    return value.to(points.device) if value.dtype == torch.bool else value.to(points)


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
