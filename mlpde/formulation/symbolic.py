"""UFL algebra that the formulation needs: walk, lower, substitute, differentiate by the jet entries of an unknown.

Everything is done by UFL; `expand` then writes a scalar expression in scalar components, so that a zero entry is a
symbolic Zero and costs nothing later, and each derivative of an unknown is one node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import ufl
import ufl.classes as uc
from ufl.algorithms import expand_indices
from ufl.algorithms.apply_algebra_lowering import apply_algebra_lowering
from ufl.algorithms.apply_derivatives import apply_derivatives
from ufl.algorithms.remove_complex_nodes import remove_complex_nodes
from ufl.core.expr import Expr
from ufl.domain import extract_unique_domain

from mlpde.errors import InputError
from mlpde.language import BOUNDED_DIMENSION, is_time


class Entry(NamedTuple):
    """One scalar entry of an unknown's jet: terminal, flat component, sorted directions of the x-derivatives."""

    terminal: Expr
    component: int
    directions: tuple[int, ...]


# -------------------------------------------------------------------- walking
def strip_gradients(node: Expr) -> tuple[Expr, int]:
    """(terminal, k) for grad^k(terminal)."""
    k = 0
    while isinstance(node, uc.Grad):
        k, node = k + 1, node.ufl_operands[0]
    return node, k


def operands(node: Expr) -> list[Expr]:
    """The operands that carry values (no indices, no labels)."""
    return [o for o in node.ufl_operands if not isinstance(o, uc.MultiIndex | uc.Label)]


def is_terminal(node: Expr) -> bool:
    """True for a leaf of UFL's own."""
    return isinstance(node, uc.Terminal)


def postorder(
    roots: Iterable[Expr],
    is_leaf: Callable[[Expr], bool] = is_terminal,
    operands: Callable[[Expr], list[Expr]] = operands,
) -> list[Expr]:
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


def terms(expression: Expr) -> list[Expr]:
    """The summands of a scalar sum, nested sums flattened."""
    result, stack = [], [expression]
    while stack:
        node = stack.pop()
        if isinstance(node, uc.Sum):
            stack.extend(reversed(node.ufl_operands))
        else:
            result.append(node)
    return result


def add_up(summands: Sequence[Expr]) -> Expr:
    """The sum of scalars as a balanced tree: UFL's own recursion fails at some 300 nested operands."""
    if len(summands) < 2:
        return summands[0] if summands else uc.Zero()
    half = len(summands) // 2
    return add_up(summands[:half]) + add_up(summands[half:])


def depends_on(expression: Expr, terminals: Iterable[Expr]) -> bool:
    """True if one of `terminals` stands in the expression."""
    wanted = set(terminals)
    return any(node in wanted for node in postorder([expression]))


def shortened(expression: object) -> str:
    """The text of an expression for a message."""
    text = str(expression)
    return text if len(text) < 120 else text[:117] + "..."


# -------------------------------------------------------------------- lowering
def lower(expression: Expr) -> Expr:
    """`expression` with div, inner, det, ... and all derivatives worked out; up to 3-D a scalar one in components.

    Above three dimensions index sums stay, which torch evaluates as one operation.  Raises InputError for complex
    numbers and for expressions nested too deeply.
    """
    domain = extract_unique_domain(expression)
    if domain is not None and domain.geometric_dimension > BOUNDED_DIMENSION:
        return _checked(_work_out, expression)
    return expand(expression)


def expand(expression: Expr) -> Expr:
    """A scalar expression with all derivatives worked out, in scalar components, in any dimension."""
    return _checked(lambda e: expand_indices(_work_out(e)), expression)


def _work_out(expression: Expr) -> Expr:
    expression = remove_complex_nodes(apply_derivatives(apply_algebra_lowering(expression)))
    return _without_variables(expression)


def _checked(operation: Callable[[Expr], Expr], expression: Expr) -> Expr:
    try:
        return operation(expression)
    except RecursionError:
        raise InputError(
            "an expression is nested too deeply for UFL (a Python sum over hundreds of terms?): for the components of "
            "a vector write total(vector), smallest(vector) or largest(vector)"
        ) from None
    except ValueError as error:
        if "complex" in str(error):
            raise InputError(
                "complex numbers are not supported: write the real and the imaginary part as a pair of fields"
            ) from error
        raise


def _without_variables(expression: Expr) -> Expr:
    # after differentiation a variable is its value (omega.t stays);
    # UFL's expand_indices would take one component of a tensor variable for all
    results: dict[Expr, Expr] = {}
    for node in postorder([expression]):
        wrapped = isinstance(node, uc.Variable) and not is_time(node)
        results[node] = results[node.ufl_operands[0]] if wrapped else rebuilt(node, results)
    return results[expression]


def scalars(expression: Expr) -> list[Expr]:
    """The scalar components of an expression in C order, lowered."""
    indices: list[tuple[int, ...]] = [()]
    for n in expression.ufl_shape:
        indices = [(*i, j) for i in indices for j in range(n)]
    return [lower(expression[i]) for i in indices]


def tensor(expression: Expr) -> Expr:
    """The lowered expression, of the same shape."""
    domain = extract_unique_domain(expression)
    shape = expression.ufl_shape
    if not shape or (domain is not None and domain.geometric_dimension > BOUNDED_DIMENSION):
        return lower(expression)
    # components are expanded one by one and put together again
    return ufl.as_tensor(
        [tensor(expression[(i, *[slice(None)] * (len(shape) - 1))]) for i in range(shape[0])]
    )


# -------------------------------------------------------------------- substitution and derivatives
def rebuilt(node: Expr, results: Mapping[Expr, Expr]) -> Expr:
    """`node` over the new operands; UFL's constructors simplify zeros on the way."""
    if not node.ufl_operands:
        return node
    parts = [results.get(o, o) for o in node.ufl_operands]
    if isinstance(node, uc.Conditional) and all(isinstance(p, uc.Zero) for p in parts[1:]):
        return parts[1]
    if all(a is b for a, b in zip(parts, node.ufl_operands, strict=True)):
        return node
    return node._ufl_expr_reconstruct_(*parts)


def substitute(expression: Expr, replacement: Mapping[Expr, Expr]) -> Expr:
    """`expression` with nodes replaced."""
    results: dict[Expr, Expr] = {}
    for node in postorder([expression], lambda node: node in replacement or is_terminal(node)):
        results[node] = replacement[node] if node in replacement else rebuilt(node, results)
    return results[expression]


def entries(expression: Expr, terminals: Iterable[Expr]) -> dict[Expr, Entry]:
    """The scalar jet entries of `terminals` that stand in an expanded expression: `{node: Entry}`."""
    wanted, found = set(terminals), {}

    def is_entry(node: Expr) -> bool:
        tensor = node.ufl_operands[0] if isinstance(node, uc.Indexed) else node
        return strip_gradients(tensor)[0] in wanted

    for node in postorder([expression], lambda node: is_terminal(node) or is_entry(node)):
        if is_entry(node):
            index: tuple[int, ...] = ()
            tensor = node
            if isinstance(node, uc.Indexed):
                tensor, index = node.ufl_operands[0], tuple(int(i) for i in node.ufl_operands[1])
            terminal, _ = strip_gradients(tensor)
            shape, component = terminal.ufl_shape, 0
            for i, n in zip(index, shape, strict=False):
                component = component * n + i
            found[node] = Entry(terminal, component, tuple(sorted(index[len(shape) :])))
    return found


def partials(expression: Expr, terminals: Sequence[Expr]) -> dict[Entry, Expr]:
    """Derivatives of an expanded scalar expression by each jet entry of `terminals` (symmetric entries summed)."""
    summands: dict[Entry, list[Expr]] = {}
    for term in terms(expression):  # term by term: most entries stand in few of them
        found = entries(term, terminals)
        variables = {node: ufl.variable(node) for node in found}
        wrapped = substitute(term, variables)
        for node, entry in found.items():
            derivative = derivative_by(wrapped, variables[node])
            if not isinstance(derivative, uc.Zero):
                summands.setdefault(entry, []).append(derivative)
    return {entry: add_up(parts) for entry, parts in summands.items()}


def derivative_by(expression: Expr, variable: Expr) -> Expr:
    """The derivative of a lowered expression by a UFL variable in it, without variables."""
    return _checked(
        lambda e: _without_variables(remove_complex_nodes(apply_derivatives(e))),
        ufl.diff(expression, variable),
    )


def at_zero(expression: Expr, terminals: Iterable[Expr]) -> Expr:
    """The expression with every jet entry of `terminals` set to zero."""
    return substitute(expression, {node: uc.Zero() for node in entries(expression, terminals)})


def nonlinear_part(expression: Expr, derivatives: Iterable[Expr], terminals: Sequence[Expr]) -> Expr | None:
    """What keeps `expression` from being affine in `terminals`, by whose entries its `derivatives` are given."""
    for derivative in derivatives:
        if depends_on(derivative, terminals):
            return derivative
    for node in postorder([expression]):  # a switch between constants has no derivative
        if isinstance(node, uc.Condition) and depends_on(node, terminals):
            return node
    return None
