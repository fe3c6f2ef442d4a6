"""Fit random features to located rows: one linear least-squares problem, or one in each step of Newton's method."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from mlpde.formulation.residual import Term
from mlpde.formulation.sampling import Located, State
from mlpde.optimize.distributed import owned, total
from mlpde.optimize.least_squares import RowGroup, solve_blocks
from mlpde.optimize.newton import Linearised, NewtonFailure, newton
from mlpde.representation.coarse_functions import coarse_functions
from mlpde.representation.collocation import Assembled, Side, assembled
from mlpde.representation.random_features import RandomFeatures

SMALLEST_GROWTH = 1 / 16  # of the load
DATA_BEFORE_SLOPES = 100.0  # weight of the rows
SMOOTH = 1e-4  # regularisation where the rows contradict each other: large coefficients lose later digits


@dataclass(frozen=True)
class Ansatz:
    """One set of features for the whole domain (no `regions`), or one for each region, without global features."""

    sets: tuple[RandomFeatures, ...]
    regions: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Number of features in all sets."""
        return sum(features.count for features in self.sets)

    def number(self, part: Located) -> int:
        """The set that rows are about."""
        return self.regions.index(part.rows.region) if self.regions else 0  # type: ignore[arg-type]

    def side(self, part: Located, terms: Sequence[Any]) -> Side:
        """Terms at located rows, in the features of their region."""
        number = self.number(part)
        first = sum(features.partition.subdomains for features in self.sets[:number])
        return Side(self.sets[number], part.points, terms, first)

    def coefficients(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The coefficients (components, count) of every set from the least-squares unknowns."""
        components = len(x) // self.count
        parts = x.split([components * features.count for features in self.sets])
        return tuple(f.coefficients(part) for f, part in zip(self.sets, parts, strict=True))

    def state(self, coefficients: Sequence[torch.Tensor]) -> State:
        """The function with these coefficients."""

        def jets(part: Located, alphas: Any) -> dict[tuple[int, ...], torch.Tensor]:
            number = self.number(part)
            return self.sets[number].evaluate(part.points, coefficients[number], list(alphas))

        return jets


class Fit(NamedTuple):
    """An ansatz with the coefficients (components, count) of its sets, facts of the (last) solve, the Newton steps.

    response: the coefficients that noise in the data of the (last) solve would give, None where that is not known.
    """

    ansatz: Ansatz
    coefficients: tuple[torch.Tensor, ...]
    diagnostics: dict[str, Any]
    newton: list[dict[str, float]]
    response: tuple[torch.Tensor, ...] | None

    @property
    def features(self) -> RandomFeatures:
        """The first set, whose settings are those of all."""
        return self.ansatz.sets[0]

    @property
    def unknowns(self) -> int:
        """Number of coefficients."""
        return sum(part.numel() for part in self.coefficients)

    @property
    def state(self) -> State:
        """The fitted function."""
        return self.ansatz.state(self.coefficients)


def fit(
    ansatz: Ansatz,
    located: Sequence[Located],
    components: int,
    method: Any = "auto",
    start: State | None = None,
    joints: Sequence[RowGroup] = (),
    device: torch.device | None = None,
    communicator: Any = None,
) -> Fit:
    """Minimise the scaled residuals of the rows over the coefficients.

    joints: further rows, of linear problems only.

    start: a function from which Newton's method begins, by default zero, or where an equation vanishes at zero, as
    div(u^3 grad u) does, a smooth one that takes the boundary and initial values; linear rows need none.
    device: where rows are built and factorised, by default the processor; the coefficients come back to it.
    communicator: mpi4py's; each rank assembles the rows of its own subdomains, and all get the fit.
    Raises NewtonFailure if Newton's method comes to no solution.
    """
    problem = _Problem(ansatz, located, components, method, device, communicator)
    if all(one.rows.linear for part in located for one in part.sides):
        groups = [piece.group for pieces, _ in problem.assembled(None) for piece in pieces]
        x, facts = problem.solve(groups + problem.own(joints))
        return _fit(ansatz, x, facts, [])
    degenerate = start is None and _vanishes_at_zero(located, components)
    try:
        x = torch.zeros(components * ansatz.count, dtype=torch.float64)
        if degenerate:
            x = problem.lift()
        elif start is not None:
            x = problem.projection(start)
        found = newton(problem.linearise, x)
    except NewtonFailure:
        if degenerate:
            raise
        found = _along_the_load(problem)
    return _fit(ansatz, *found)


def _fit(ansatz: Ansatz, x: torch.Tensor, facts: dict[str, Any], history: list[dict[str, float]]) -> Fit:
    known = {key: value for key, value in facts.items() if key != "response"}
    response = ansatz.coefficients(facts["response"].cpu()) if "response" in facts else None
    return Fit(ansatz, ansatz.coefficients(x), known, history, response)


def _vanishes_at_zero(located: Sequence[Located], components: int) -> bool:
    """Whether an interior equation, linearised about u = 0, has no terms at any point."""

    def zero(part: Located, alphas: Any) -> dict[tuple[int, ...], torch.Tensor]:
        return {alpha: part.points.new_zeros((len(part.points), components)) for alpha in alphas}

    for part in located:
        if part.rows.kind == "interior":
            sizes = torch.zeros(part.rows.equations, dtype=torch.float64)
            for term in part.linearise(zero)[1]:
                sizes[term.equation] += term.coefficient.abs().sum()
            if (sizes == 0).any():
                return True
    return False


def _along_the_load(problem: _Problem) -> tuple[torch.Tensor, dict[str, Any], list[dict[str, float]]]:
    """Newton's method on r(u) = (1 - load) r(0), from load 0, which u = 0 solves, to 1.

    The load grows as far as the steps converge; NewtonFailure says how far it came.
    """
    x, load, growth = torch.zeros(problem.components * problem.ansatz.count, dtype=torch.float64), 0.0, 0.25
    history: list[dict[str, float]] = []
    at_zero = [part.residual(problem.function(x)) for part in problem.located]
    while True:
        to = min(load + growth, 1.0)
        try:
            part = problem._replace(shift=[(1 - to) * r for r in at_zero])
            x, facts, steps = newton(part.linearise, x)
        except NewtonFailure as error:
            if growth <= SMALLEST_GROWTH:
                raise NewtonFailure(
                    f"{error} (the data were scaled up step by step and came to {load:.2g} of theirs)"
                ) from None
            growth /= 2
            continue
        history += [{"load": to, **step} for step in steps]
        if to == 1.0:
            return x, facts, history
        load, growth = to, 2 * growth


class _Problem(NamedTuple):
    ansatz: Ansatz
    located: Sequence[Located]
    components: int
    method: Any
    device: torch.device | None = None
    communicator: Any = None
    shift: Sequence[torch.Tensor] = ()  # (n, K) of every part, subtracted from its residual

    def solve(
        self, groups: list[RowGroup], regularisation: float | None = None
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        sets = self.ansatz.sets
        widths = [self.components * f.features for f in sets for _ in range(f.partition.subdomains)]
        global_width = self.components * sets[0].global_features
        centres = np.concatenate([f.partition.centres for f in sets])
        x, facts = solve_blocks(
            groups,
            widths,
            global_width,
            self.method if regularisation is None else "block_qr",
            regularisation,
            centres=centres,
            coarse=lambda: [c for f in sets for c in coarse_functions(f, self.components)],
            communicator=self.communicator,
        )
        return x.cpu(), facts

    @property
    def owned(self) -> range:
        """The blocks whose rows this rank assembles."""
        return owned(sum(f.partition.subdomains for f in self.ansatz.sets), self.communicator)

    def own(self, groups: Sequence[RowGroup]) -> list[RowGroup]:
        """Those of the row groups that this rank owns, on the device."""
        return [
            g._replace(matrix=g.matrix.to(self.device), rhs=g.rhs.to(self.device))
            for g in groups
            if min(g.blocks) in self.owned
        ]

    def assembled(self, state: State | None) -> list[tuple[list[Assembled], torch.Tensor]]:
        """For every part the row groups about a state, and its linear terms J state (n, K)."""
        parts = []
        for number, part in enumerate(self.located):
            residual = torch.zeros((len(part.points), part.rows.equations), dtype=torch.float64)
            linear, sides = residual.clone(), []
            for one in part.sides:
                found, terms = one.linearise(state)
                residual = residual + found
                sides.append(self.ansatz.side(one, terms))
                if state is not None:
                    jets = state(one, {term.derivative for term in terms})
                    for k, m, alpha, coefficient in terms:
                        linear[:, k] += coefficient * jets[alpha][:, m]
            if self.shift:
                residual = residual - self.shift[number]
            pieces = assembled(sides, residual, self.components, owned=self.owned, device=self.device)
            parts.append((pieces, linear))
        return parts

    def projection(self, state: State) -> torch.Tensor:
        """The coefficients nearest to a function, in the norm of the equations linearised about it."""
        return self.solve(
            [
                piece.group._replace(rhs=(piece.factors * linear[piece.points].T).reshape(-1).to(self.device))
                for pieces, linear in self.assembled(state)
                for piece in pieces
            ]
        )[0]

    def lift(self) -> torch.Tensor:
        """A function that nearly takes the boundary and initial values, and whose gradient is small inside."""
        groups: list[RowGroup] = []
        for part in self.located:
            if part.rows.kind == "interior":
                ones = part.points.new_ones(len(part.points))
                slopes = list(itertools.product(range(part.points.shape[1]), range(self.components)))
                terms = [Term(k, m, (i,), ones) for k, (i, m) in enumerate(slopes)]
                residual, weight = part.points.new_zeros((len(part.points), len(terms))), 1.0
            elif part.rows.kind in ("dirichlet", "initial", "point") and part.rows.linear:
                (residual, terms), weight = part.linearise(None), DATA_BEFORE_SLOPES
            else:
                continue
            side = self.ansatz.side(part, terms)
            pieces = assembled(
                [side], residual, self.components, weight, owned=self.owned, device=self.device
            )
            groups += [piece.group for piece in pieces]
        return self.solve(groups, SMOOTH)[0]

    def linearise(self, x: torch.Tensor) -> Linearised:
        parts = self.assembled(self.function(x))

        def solve() -> tuple[torch.Tensor, float, dict[str, Any]]:
            direction, facts = self.solve([piece.group for pieces, _ in parts for piece in pieces])
            return direction, facts["residual"], facts

        def norm(x: torch.Tensor) -> float:
            state = self.function(x)
            residuals = [part.residual(state) for part in self.located]
            if self.shift:
                residuals = [r - s for r, s in zip(residuals, self.shift, strict=True)]
            return self.norm(parts, residuals)

        squares = sum(float(piece.group.matrix.square().sum()) for pieces, _ in parts for piece in pieces)
        bound = total(self.communicator, squares) ** 0.5 * float(x.norm())
        return Linearised(solve, norm, self.norm(parts, [linear for _, linear in parts]), bound)

    def norm(
        self, parts: Sequence[tuple[list[Assembled], torch.Tensor]], values: Sequence[torch.Tensor]
    ) -> float:
        """The norm of values (n, K) of every part, scaled like its rows, over all ranks."""
        square = sum(
            float((piece.factors * value[piece.points].T).square().sum())
            for (pieces, _), value in zip(parts, values, strict=True)
            for piece in pieces
        )
        return total(self.communicator, square) ** 0.5

    def function(self, x: torch.Tensor) -> State:
        """The function with the unknowns x."""
        return self.ansatz.state(self.ansatz.coefficients(x))
