"""The search for the settings of random features: activation and scale by probing, then larger and larger fits.

Residuals on independent points decide, nothing else.  The best scale R grows with the number of features, so the one
that was ranked first on a small fit is raised, where a number of features appears first, as long as that helps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from mlpde.formulation.residual import StrongForm
from mlpde.formulation.sampling import Located, collocate, lattice, relative_residual
from mlpde.formulation.space_time import SpaceTime
from mlpde.formulation.time_blocks import continued
from mlpde.optimize.least_squares import RowGroup
from mlpde.optimize.newton import NewtonFailure
from mlpde.representation.adapted_partition import Adaptation, adapted_partition
from mlpde.representation.corner_functions import CornerFunction, corner_functions
from mlpde.representation.determinacy import undetermined
from mlpde.representation.fitting import Ansatz, Fit, fit
from mlpde.representation.partition_of_unity import PartitionOfUnity
from mlpde.representation.random_features import CORNER_FEATURES, RandomFeatures
from mlpde.representation.sharp_windows import continuity

POINTS_PER_FEATURE = 1.3  # fewer points than this make a subdomain's least squares nearly singular
FEATURES = {  # small and large subdomains, by dimension
    1: (50, 200),
    2: (100, 400),
    3: (200, 800),
    4: (400, 800),
}
LISTED = 5  # subdomains in the warnings, at most
HELD_OUT = 2000  # independent points that judge a solution
# (activation, scale) that are probed where the user gives none, the usual best one first
PAIRS = (("sin", 3.0), ("sin", 1.5), ("sin", 5.0), ("sin", 8.0), ("tanh", 1.0), ("tanh", 0.5))
DECIDED = 1e-3  # a residual below shows which pair is best; above, nothing is resolved yet

Pair = tuple[str, float]


class Judged(NamedTuple):
    """A fit with its residual on independent points, its scale R, and what was done to subdomains with few points."""

    fit: Fit
    residual: float
    scale: float
    adaptations: tuple[Adaptation, ...]


@dataclass
class Search:
    """On one domain, or one block of time that continues the one `before`.

    settings: the solver, an RFM.  report(step, total, **figures) is called for every candidate.
    device, communicator: where the rows are built, and the MPI ranks that share them; None is the processor, one rank.
    probes: the fits that settled activation and scale, one dict each.
    """

    settings: Any
    form: StrongForm
    domain: Any
    seed: int
    report: Callable[..., None]
    before: Judged | None = None
    device: torch.device | None = None
    communicator: Any = None
    probes: list[dict[str, Any]] = field(default_factory=list)
    failure: NewtonFailure | None = None

    def best(self) -> Judged:
        """The fit of the first candidate that meets the tolerance, or of the best one.

        Raises NewtonFailure if Newton's method fails on every candidate.
        """
        settings, domain = self.settings, self.domain
        self.judges = self._located(domain.interior(HELD_OUT, rule="sobol", seed=self.seed), self.seed)
        self.corners: tuple[CornerFunction, ...] = ()
        if settings.corners:
            time = isinstance(domain, SpaceTime)
            self.corners = corner_functions(
                self.form, domain.domain if time else domain, domain.start if time else None
            )
        candidates = self._candidates()
        pairs, raised = self._pairs(), dict[int, Pair]()
        best: Judged | None = None
        for step, (cells, count) in enumerate(candidates, start=1):
            if len(pairs) > 1 and (step == 1 or math.prod(cells) * count <= settings.max_unknowns / 10):
                pairs = self._ranked(pairs, cells, max(count // 2, 1) if len(candidates) == 1 else count)
            found = self._fit(cells, count, raised.get(count, pairs[0]), best)
            if found is not None and len(pairs) == 1 and count not in raised:
                found = self._raised(found, cells, count, best)
                raised[count] = found.fit.features.activation, found.scale
            if found is None:
                continue
            self.report(
                step,
                len(candidates),
                residual=found.residual,
                unknowns=found.fit.unknowns,
                features=count,
                **({"newton_steps": len(found.fit.newton)} if not self.form.linear else {}),
            )
            if best is None or found.residual < best.residual:
                best = found
            if best.residual <= settings.tolerance:
                break
        if best is None:
            assert self.failure is not None
            raise self.failure
        return best

    def warnings(self, best: Judged) -> list[str]:
        """What a user must know about the result."""
        sentences = list(best.fit.diagnostics["warnings"])
        sentences += undetermined(self.judges, best.fit, best.residual, self.form.free)
        sentences += [_sentence(adaptation) for adaptation in best.adaptations[:LISTED]]
        if len(best.adaptations) > LISTED:
            sentences.append(f"the same for {len(best.adaptations) - LISTED} more subdomains")
        tolerance = self.settings.tolerance
        if best.residual > tolerance:
            digits = 1 if best.residual > 1.1 * tolerance else 6
            sentences.append(
                f"the relative residual on independent points is {best.residual:.{digits}e}, above the tolerance "
                f"{tolerance:g}: more features, cells or unknowns may help, unless the solution is "
                "singular or the data contradict each other"
            )
            if self.failure is not None:
                sentences.append(f"with other numbers of features {self.failure}")
        return sentences

    def _candidates(self) -> list[tuple[tuple[int, ...], int]]:
        """(partition, features) to try, the cheap ones first."""
        settings, (lower, upper) = self.settings, self.domain.bounding_box
        lengths = upper - lower
        if isinstance(self.domain, SpaceTime):
            lengths[-1] = self.domain.length
        counts = FEATURES[len(lengths)] if settings.features is None else (settings.features,)
        partitions = (
            [settings.partition]
            if settings.partition is not None
            else [
                tuple(round(n) for n in along_shortest * lengths / lengths.min())
                for along_shortest in (1, *(n for power in range(16) for n in (2 * 2**power, 3 * 2**power)))
            ]
        )
        work = {
            (cells, count): math.prod(cells) * self.form.components * count**2
            for cells in partitions
            for count in counts
        }
        cheap = sorted(work, key=lambda candidate: work[candidate])
        return [c for i, c in enumerate(cheap) if i == 0 or work[c] <= 100 * settings.max_unknowns]

    def _pairs(self) -> list[Pair]:
        """(activation, scale) to choose from, as far as the user leaves the choice."""
        activation, scale = self.settings.activation, self.settings.scale
        if self.before is not None:
            return [(self.before.fit.features.activation, self.before.scale)]
        found = [
            (activation or a, s if scale is None else scale)
            for a, s in PAIRS
            if activation is None or a == _family(activation)
        ]
        return list(dict.fromkeys(found))

    def _ranked(self, pairs: list[Pair], cells: tuple[int, ...], count: int) -> list[Pair]:
        """The pairs by their residual on a small fit, the best first; it alone where the residual shows it clearly."""
        residuals: dict[Pair, float] = {}
        for pair in pairs:
            found = self._probed(cells, count, pair, None)
            residuals[pair] = math.inf if found is None else found.residual
            if residuals[pair] <= self.settings.tolerance:
                break
        ranked = sorted(pairs, key=lambda pair: residuals.get(pair, math.inf))
        return ranked[:1] if residuals[ranked[0]] <= DECIDED else ranked

    def _raised(self, found: Judged, cells: tuple[int, ...], count: int, start: Judged | None) -> Judged:
        """The fit with the next larger scales, as long as they lower the residual."""
        activation = found.fit.features.activation
        if self.settings.scale is not None or self.before is not None:
            return found
        for scale in sorted(s for a, s in PAIRS if a == _family(activation) and s > found.scale):
            if found.residual <= self.settings.tolerance:
                break
            larger = self._probed(cells, count, (activation, scale), start)
            if larger is None or larger.residual >= found.residual:
                break
            found = larger
        return found

    def _probed(self, cells: tuple[int, ...], count: int, pair: Pair, start: Judged | None) -> Judged | None:
        found = self._fit(cells, count, pair, start)
        record = {"activation": pair[0], "scale": pair[1], "partition": list(cells), "features": count}
        self.probes.append(record | {"residual": math.inf if found is None else found.residual})
        return found

    def _fit(self, cells: tuple[int, ...], count: int, pair: Pair, start: Judged | None) -> Judged | None:
        """One fit on one partition; None where Newton's method fails."""
        settings, (activation, scale) = self.settings, pair
        regions = self.domain.regions if self.form.jumps else ()
        whole = settings.global_features + CORNER_FEATURES * len(self.corners)
        per_cell = count + whole / math.prod(cells)
        located = self._located(lattice(self.domain, cells, settings.points * per_cell))
        minimum = min(POINTS_PER_FEATURE, 0.9 * settings.points) * count
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
            sets.append(
                RandomFeatures.draw(
                    partition,
                    count,
                    scale,
                    activation,
                    settings.global_features,
                    self.seed + 7919 * len(sets),
                    self.corners,
                    settings.polynomials,
                )
            )
        ansatz = Ansatz(tuple(sets), tuple(regions))
        joints: list[RowGroup] = []
        if settings.window == "psi_a":
            per_direction = int(np.ceil((settings.points * count) ** (1 / self.domain.dim)))
            joints = continuity(
                sets[0], self.form.order, self.form.components, per_direction, self.domain.contains
            )
        try:
            found = fit(
                ansatz,
                located,
                self.form.components,
                settings.method,
                start.fit.state if start else None,
                joints,
                self.device,
                self.communicator,
            )
        except NewtonFailure as error:
            self.failure = error
            return None
        residual = relative_residual(self.judges, found.state, self.form.free)
        return Judged(found, residual, scale, tuple(adaptations))

    def _located(self, inside: np.ndarray, seed: int | None = None) -> list[Located]:
        located = collocate(self.form, self.domain, inside, seed)
        return located if self.before is None else continued(located, self.before.fit.state)


def _family(activation: str) -> str:
    return "sin" if activation == "cos" else activation  # a cosine is a sine with another bias


def _sentence(adaptation: Adaptation) -> str:
    what = f"merged into {adaptation.into}" if adaptation.into is not None else "left to its neighbours"
    return f"subdomain {adaptation.cell} has {adaptation.points:.0f} points, too few: {what}"
