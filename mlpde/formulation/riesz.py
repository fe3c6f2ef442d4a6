"""The weak residual against its exact adversary in a finite-dimensional test space V, as a least-squares residual.

sup over v in V of |F(u; v)| / |v|_V  =  |L^-1 F(u; phi)|,      L L^T = ((phi_i, phi_j)_V)

so the best test function, the Riesz representative of the residual, need not be trained.  An equation with grad v is
measured in H1, (v, w)_V = (grad v, grad w) + (v, w) / l^2 with the domain's size l, v = 0 where u is given; one
without in L2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from mlpde.errors import InputError
from mlpde.formulation.residual import Rows, Term
from mlpde.formulation.torch_expression import Alpha, Jets, Tensor
from mlpde.formulation.weak_residual import Integrand, WeakResidual

CHUNK = 2048  # quadrature points at a time: their parameter Jacobian has to fit in memory

State = Callable[[Tensor, Iterable[Alpha]], Jets]  # a function: its jets at points
Jacobian = Callable[[Tensor, Sequence[Alpha], Callable[[Jets], Tensor]], tuple[Tensor, Tensor]]


class _Piece(NamedTuple):
    """Some quadrature points of an integrand; `test` (tests, n * columns) integrates its columns with all tests."""

    rows: Rows
    points: Tensor
    normals: Tensor | None
    test: Any

    def values(self, jets: Jets) -> Tensor:
        return self.rows.residual(self.points, self.normals, jets)

    def functional(self, values: Tensor) -> NDArray:
        """(tests,) of values (n, columns)."""
        return self.test @ values.numpy().ravel()


class RieszResidual:
    """r(u) = L^-1 F(u; phi) (tests,), divided by the size of the equation, and its Jacobian in parameters.

    space: of the test functions (see `reference_fem.test_functions`).  start: the state for which sizes are taken, as a
    mean square in the units of the unknown (see `size_of`).
    """

    def __init__(self, form: WeakResidual, space: Any, start: State, length: float):
        self.components, self.fields = form.components, form.fields
        count = space.mass.shape[0]
        self._free = [_free(form, space, m, count) for m in range(form.components)]
        position = np.full((form.components, count), -1)
        stop = 0
        self.blocks: list[slice] = []
        for m, free in enumerate(self._free):
            position[m, free] = np.arange(stop, stop + len(free))
            self.blocks.append(slice(stop, stop := stop + len(free)))
        self.tests = stop
        self._pieces: list[_Piece] = []
        self._known = np.zeros(stop)
        for integrand in form.integrands:
            for piece in _pieces(integrand, space, position, stop):
                if integrand.known:
                    data, _ = piece.rows.linearise(piece.points, piece.normals)
                    self._known += piece.functional(data)
                else:
                    self._pieces.append(piece)
        self._gram = [
            (space.stiffness + space.mass / length**2 if divergence else space.mass)[free][:, free].tocsc()
            for divergence, free in zip(form.in_divergence_form, self._free, strict=True)
        ]
        self._size = self._sizes(form, start, length, float(space.mass.sum()))

    def _sizes(self, form: WeakResidual, start: State, length: float, volume: float) -> NDArray:
        """By how much each test's row is divided, (tests,)."""
        size = np.zeros(self.components)
        for integrand in form.integrands:
            if integrand.known or integrand.rows.kind != "weak":
                continue
            pieces = [p for p in self._pieces if p.rows is integrand.rows]
            found = [self._terms(piece, start)[1] for piece in pieces]
            for terms in zip(*found, strict=True):
                factor = integrand.factors[terms[0].equation]
                coefficient = torch.cat([t.coefficient for t in terms]).square().mean().sqrt()
                order = len(terms[0].derivative)
                if form.in_divergence_form[factor.component] and factor.direction is None:
                    order -= 1
                size[factor.component] += float(coefficient) * (math.pi / length) ** order
        if not (size > 0).all():
            raise InputError("an equation of the weak form does not contain the unknowns")
        return np.repeat(size * math.sqrt(volume), [len(free) for free in self._free])

    @staticmethod
    def _terms(piece: _Piece, state: State) -> tuple[Tensor, list[Term]]:
        with torch.no_grad():
            return piece.rows.linearise(
                piece.points, piece.normals, state(piece.points, piece.rows.derivatives)
            )

    @cached_property
    def _solvers(self) -> list[Callable[[NDArray], NDArray]]:
        return [splu(gram).solve for gram in self._gram]

    def factorise(self) -> list[Tensor]:
        """The Cholesky factors L (n, n), one for each component."""
        return [torch.linalg.cholesky(torch.as_tensor(gram.toarray())) for gram in self._gram]

    def functional(self, state: State) -> NDArray:
        """F(u; phi) (tests,), divided by the sizes."""
        total = self._known.copy()
        for piece in self._pieces:
            total += piece.functional(piece.values(state(piece.points, piece.rows.derivatives)))
        return total / self._size

    def jacobian(self, jacobian: Jacobian) -> tuple[NDArray, NDArray]:
        """F (tests,) and dF/dtheta (tests, P), divided by the sizes, from those of pointwise residuals."""
        total, slope = self._known.copy(), 0.0
        for piece in self._pieces:
            values, part = jacobian(piece.points, sorted(piece.rows.derivatives), piece.values)
            total += piece.functional(values)
            slope = slope + piece.test @ part.numpy()
        return total / self._size, slope / self._size[:, None]

    def rms(self, state: State) -> NDArray:
        """The size (M,) of a function, as the root mean square of the whole field at the quadrature points."""
        inside = [piece.points for piece in self._pieces if piece.rows.kind == "weak"]
        values = torch.cat([state(points, [()])[()] for points in inside])
        squares = values.square().mean(0).numpy()
        return np.concatenate([np.full(len(f), math.sqrt(squares[f].sum())) for f in self.fields])

    def relative(self, state: State) -> float:
        """0 if the equations hold for every test function, 1 if they do not at all; the largest of the fields.

        The dual norm of F over the sum of those of its terms c D^alpha u_m v_k, and of the rest.
        """
        terms: dict[tuple, NDArray] = {}
        rest, total = self._known.copy(), self._known.copy()
        for piece in self._pieces:
            values, found = self._terms(piece, state)
            jets = state(piece.points, piece.rows.derivatives)
            for k, m, alpha, coefficient in found:
                column = torch.zeros_like(values)
                column[:, k] = coefficient * jets[alpha][:, m]
                key = (piece.rows.kind, k, m, alpha)
                terms[key] = terms.get(key, 0.0) + piece.functional(column)
                rest -= piece.functional(column)
            rest += piece.functional(values)
            total += piece.functional(values)
        worst = 0.0
        for f in self.fields:
            norms = [self._norm(functional, f) for functional in (total, rest, *terms.values())]
            worst = max(worst, norms[0] / sum(norms[1:]) if any(norms[1:]) else 0.0)
        return worst

    def _norm(self, functional: NDArray, components: range) -> float:
        """The dual norm on some components of the test functions."""
        parts = [(functional[self.blocks[m]], self._solvers[m]) for m in components]
        return math.sqrt(sum(max(0.0, part @ solve(part)) for part, solve in parts))


def _free(form: WeakResidual, space: Any, component: int, count: int) -> NDArray:
    """The numbers of the test functions for an equation."""
    free = np.ones(count, dtype=bool)
    if form.in_divergence_form[component]:
        for name, fixed in form.fixed.items():
            if component in fixed:
                free[space.on_boundary[name]] = False
    return np.flatnonzero(free)


def _pieces(integrand: Integrand, space: Any, position: NDArray, tests: int) -> list[_Piece]:
    rows = integrand.rows
    at = (space.regions if rows.kind == "weak" else space.boundaries)[rows.where]
    pieces, columns = [], len(integrand.factors)
    for start in range(0, len(at.points), CHUNK):
        part = slice(start, min(start + CHUNK, len(at.points)))
        weights = at.weights[part]
        blocks = []
        for k, factor in enumerate(integrand.factors):
            matrix = at.values if factor.direction is None else at.gradients[factor.direction]
            entries = matrix[part].tocoo()
            where = position[factor.component][entries.col]
            kept = where >= 0
            values = (entries.data * weights[entries.row])[kept]
            blocks.append((values, where[kept], entries.row[kept] * columns + k))
        values, row, column = (np.concatenate(part) for part in zip(*blocks, strict=True))
        test = sparse.csr_array((values, (row, column)), shape=(tests, len(weights) * columns))
        normals = None if at.normals is None else torch.as_tensor(at.normals[part])
        pieces.append(_Piece(rows, torch.as_tensor(at.points[part]), normals, test))
    return pieces
