"""Index notation without Kronecker deltas: sum_i delta_ij A_i = A_j, so that a hundred dimensions stay one operation.

UFL differentiates x, and a variable by itself, into Identity matrices and leaves their sums as they are.  In d
dimensions these would cost d^2 numbers a point, and would hide the Laplacian u_ii inside u_ij delta_ij.
"""

from __future__ import annotations

import ufl.classes as uc
from ufl.algorithms.remove_component_tensors import IndexReplacer, remove_component_tensors
from ufl.core.expr import Expr
from ufl.corealg.map_dag import map_expr_dag

from mlpde.formulation.symbolic import postorder, rebuilt


def contract(expression: Expr) -> Expr:
    """A lowered scalar expression with component tensors and, where they are summed over, Identity matrices removed."""
    expression = remove_component_tensors(expression)
    results: dict[Expr, Expr] = {}
    for node in postorder([expression]):
        new = rebuilt(node, results)
        if isinstance(new, uc.IndexSum):
            summand, (index,) = new.ufl_operands
            new = _sum_over(summand, index, new.dimension())
        results[node] = new
    return results[expression]


def _sum_over(summand: Expr, index: uc.Index, dimension: int) -> Expr:
    """sum over `index` of the summand, written as a sum over as few factors as possible."""
    if isinstance(summand, uc.Zero):
        return uc.IndexSum(summand, uc.MultiIndex((index,)))
    if isinstance(summand, uc.Sum):
        a, b = summand.ufl_operands
        return _sum_over(a, index, dimension) + _sum_over(b, index, dimension)
    if isinstance(summand, uc.Division):
        numerator, denominator = summand.ufl_operands
        if not _has(denominator, index):
            return _sum_over(numerator, index, dimension) / denominator
    factors = _factors(summand)
    outside, inside = [f for f in factors if not _has(f, index)], [f for f in factors if _has(f, index)]
    if not inside:
        return _product([uc.IntValue(dimension), *outside])
    for k, factor in enumerate(inside):
        rest = inside[:k] + inside[k + 1 :]
        other = _other_index(factor, index)
        # sum_i delta_ij = 1 for every j stays: UFL would miss the free index j
        if other is not None and (rest or isinstance(other, uc.FixedIndex)):
            renamed = [map_expr_dag(IndexReplacer({index: other}), f) for f in rest]
            return _product(outside + renamed)
        if isinstance(factor, uc.Sum) and _has_delta(factor, index):
            parts = [_sum_over(_product([part, *rest]), index, dimension) for part in factor.ufl_operands]
            return _product([*outside, parts[0] + parts[1]])
    return _product([*outside, uc.IndexSum(_product(inside), uc.MultiIndex((index,)))])


def _other_index(factor: Expr, index: uc.Index) -> uc.Index | uc.FixedIndex | None:
    """j of a factor delta_ij with i the given index; None if it is something else."""
    if not (isinstance(factor, uc.Indexed) and isinstance(factor.ufl_operands[0], uc.Identity)):
        return None
    i, j = factor.ufl_operands[1]
    if i == j:
        return None
    return j if i == index else i


def _has(expression: Expr, index: uc.Index) -> bool:
    return index.count() in expression.ufl_free_indices


def _has_delta(expression: Expr, index: uc.Index) -> bool:
    return any(
        _has(node, index) and _other_index(node, index) is not None
        for node in postorder([expression])
        if isinstance(node, uc.Indexed)
    )


def _factors(expression: Expr) -> list[Expr]:
    if not isinstance(expression, uc.Product):
        return [expression]
    a, b = expression.ufl_operands
    return _factors(a) + _factors(b)


def _product(factors: list[Expr]) -> Expr:
    result: Expr = uc.IntValue(1)
    for factor in factors:
        result = uc.Product(result, factor)  # the operator * would sum over an index that both have
    return result
