"""Fits of random features to one problem, with what judges them: residuals on independent points, other fits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from mlpde.formulation.residual import StrongForm
from mlpde.formulation.sampling import Located, collocate, lattice, relative_residual, sizes
from mlpde.formulation.space_time import SpaceTime
from mlpde.formulation.time_blocks import continued
from mlpde.optimize.least_squares import RowGroup
from mlpde.optimize.newton import NewtonFailure
from mlpde.representation.adapted_partition import Adaptation, adapted_partition
from mlpde.representation.candidates import Candidate, Pair, candidates
from mlpde.representation.corner_functions import CornerFunction, corner_functions
from mlpde.representation.error_estimate import Sample, estimated_errors, sampled
from mlpde.representation.fitting import Ansatz, Fit, fit
from mlpde.representation.hole_functions import HoleFunction
from mlpde.representation.partition_of_unity import PartitionOfUnity
from mlpde.representation.random_features import CORNER_FEATURES, RandomFeatures
from mlpde.representation.sharp_windows import continuity, relative_jump
from mlpde.representation.subdivision import Subdivision

POINTS_PER_FEATURE = 1.3  # fewer points than this make a subdomain's least squares nearly singular
HOLE_FEATURES = (10, 20)  # with each hole function, at least and at most
BORDER = 700  # columns with hole functions, at most: they are part of every subdomain's QR
HELD_OUT = 2000  # independent points that judge a solution
DECIDED = 1e-3  # a residual below shows which of two fits is better; above, nothing is resolved yet
NEAR = 10.0  # residuals of the least one: worse fits show their own errors alone


class Judged(NamedTuple):
    """A fit with its residual on independent points, its scale R, and what was done to subdomains with few points.

    errors: the estimated relative L2 error of every field by name, empty while there is no other fit to compare with.
    subdivision: of subdomains of different size, None of a grid.
    """

    fit: Fit
    residual: float
    scale: float
    adaptations: tuple[Adaptation, ...]
    sample: Sample
    errors: Mapping[str, float] = {}
    subdivision: Subdivision | None = None


@dataclass
class Fits:
    """On one domain, or one block of time that continues the one `before`.

    settings: the solver, an RFM.  fields: the problem's.
    device, communicator: where the rows are built, and the MPI ranks that share them; None is the processor, one rank.
    made: every fit by what it was made with; None where Newton's method failed, `failure` is the last one.
    """

    settings: Any
    form: StrongForm
    domain: Any
    fields: Sequence[Any]
    seed: int
    before: Judged | None = None
    device: torch.device | None = None
    communicator: Any = None
    made: dict[tuple[Any, ...], Judged | None] = field(default_factory=dict)
    holes: tuple[HoleFunction, ...] = ()
    failure: NewtonFailure | None = None
    failures: int = 0

    def __post_init__(self) -> None:
        domain = self.domain
        self.judges = self._located(domain.interior(HELD_OUT, rule="sobol", seed=self.seed), self.seed)
        self.corners: tuple[CornerFunction, ...] = ()
        if self.settings.corners:
            time = isinstance(domain, SpaceTime)
            self.corners = corner_functions(
                self.form, domain.domain if time else domain, domain.start if time else None
            )
        self.alone = len(self.candidates()) == 1

    def candidates(self) -> list[Candidate]:
        """(partition, features) to try."""
        border = self.hole_features(self.holes) * len(self.holes)
        return candidates(self.settings, self.domain, self.form.components, border)

    def fit(self, cells: tuple[int, ...], count: int, pair: Pair, start: Judged | None) -> Judged | None:
        """One fit on one partition; None where Newton's method fails."""
        key = (cells, count, pair, bool(self.holes))
        if key not in self.made:
            self.made[key] = self._fitted(cells, count, pair, start)
        return self.made[key]

    def _fitted(self, cells: tuple[int, ...], count: int, pair: Pair, start: Judged | None) -> Judged | None:
        settings = self.settings
        regions = self.domain.regions if self.form.jumps else ()
        per_cell = count + self.border / math.prod(cells)
        located = self._located(lattice(self.domain, cells, settings.points * per_cell))
        minimum = self.fewest_points(count)
        sets: list[RandomFeatures] = []
        adaptations: list[Adaptation] = []
        for region in regions or (None,):
            inside = torch.cat(
                [
                    part.points
                    for part in located
                    if part.rows.kind == "interior" and region in (None, part.rows.region)
                ]
            )
            lower, upper = self.domain.bounding_box
            if region is not None:
                lower, upper = inside.amin(0).numpy(), inside.amax(0).numpy()
            partition, adapted = adapted_partition(
                PartitionOfUnity.grid(lower, upper, cells), inside, minimum
            )
            partition = replace(partition, sharp=settings.window == "psi_a")
            adaptations += adapted
            sets.append(self.drawn(partition, count, pair, self.seed + 7919 * len(sets)))
        ansatz = Ansatz(tuple(sets), tuple(regions))
        joints = self.joints(sets[0]) if settings.window == "psi_a" else []
        return self.judged(ansatz, located, pair[1], joints, start, tuple(adaptations))

    def judged(
        self,
        ansatz: Ansatz,
        located: Sequence[Located],
        scale: float,
        joints: Sequence[RowGroup] = (),
        start: Judged | None = None,
        adaptations: tuple[Adaptation, ...] = (),
    ) -> Judged | None:
        """The fit of an ansatz to located rows, with its residual; None where Newton's method fails."""
        try:
            found = fit(
                ansatz,
                located,
                self.form.components,
                self.settings.method,
                start.fit.state if start else None,
                joints,
                self.device,
                self.communicator,
            )
        except NewtonFailure as error:
            self.failure = error
            self.failures += 1
            return None
        residual = relative_residual(self.judges, found.state, self.form.free)
        if joints:  # what jumps may hold in every subdomain and be no solution
            size = sizes(self.judges, found.state, self.form.free)
            jump = relative_jump(
                found.features, found.coefficients[0], self.form.order, self.domain.contains, size
            )
            residual = max(residual, jump)
        sample = sampled(self.judges, found.state, residual, self.form.free)
        return Judged(found, residual, scale, adaptations, sample)

    def drawn(self, partition: PartitionOfUnity, count: int, pair: Pair, seed: int) -> RandomFeatures:
        """`count` features in each subdomain, and those on the whole box."""
        settings, (activation, scale) = self.settings, pair
        whole, each = settings.global_features, self.hole_features(self.holes)
        return RandomFeatures.draw(
            *(partition, count, scale, activation, whole, seed, self.corners, settings.polynomials),
            *(self.holes, each),
        )

    def joints(self, features: RandomFeatures) -> list[RowGroup]:
        """The rows that join sharp subdomains on their faces."""
        per_direction = int(np.ceil((self.settings.points * features.features) ** (1 / self.domain.dim)))
        form, domain = self.form, self.domain
        return continuity(features, form.order, form.components, per_direction, domain.contains)

    def errors(self, found: Judged) -> dict[str, float]:
        """The estimated error of every field by the other fits that resolve the solution, else the best of them."""
        samples = [f.sample for f in self.made.values() if f is not None and f.sample is not found.sample]
        if not samples:
            return {}
        final = None
        if isinstance(self.domain, SpaceTime):
            times = torch.cat([p.points[:, -1] for p in self.judges if p.rows.kind == "interior"])
            final = times == self.domain.end
        enough = max(DECIDED, NEAR * min(sample.residual for sample in samples))
        near = [sample for sample in samples if sample.residual <= enough]
        return estimated_errors(found.sample, near, self.fields, final)

    def done(self, found: Judged) -> bool:
        """Whether the estimated error, or without one the residual, is below the tolerance."""
        errors = self.errors(found)
        if not errors and not self.alone:
            return False
        return max(errors.values(), default=found.residual) <= self.settings.tolerance

    @property
    def border(self) -> int:
        """Features on the whole box, for every component."""
        holes = self.hole_features(self.holes) * len(self.holes)
        return int(self.settings.global_features) + CORNER_FEATURES * len(self.corners) + holes

    def hole_features(self, holes: tuple[HoleFunction, ...]) -> int:
        """How many features with each hole function can be afforded, 0 for none."""
        least, most = HOLE_FEATURES
        affordable = BORDER // max(self.form.components * len(holes), 1)
        return min(affordable, most) if affordable >= least else 0

    def fewest_points(self, count: int) -> float:
        """Points that a subdomain with so many features needs."""
        return float(min(POINTS_PER_FEATURE, 0.9 * self.settings.points) * count)

    def _located(self, inside: np.ndarray, seed: int | None = None) -> list[Located]:
        located = collocate(self.form, self.domain, inside, seed)
        return located if self.before is None else continued(located, self.before.fit.state)
