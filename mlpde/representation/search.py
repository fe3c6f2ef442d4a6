"""The search for the settings of random features: activation and scale by probing, then larger and larger fits.

Residuals on independent points decide which fit is the best, and the errors estimated by comparing the fits when it is
good enough; nothing else.  The best scale R grows with the number of features, so the one
that was ranked first on a small fit is raised, where a number of features appears first, as long as that helps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
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
from mlpde.representation.candidates import Candidate, candidates
from mlpde.representation.corner_functions import CornerFunction, corner_functions
from mlpde.representation.error_estimate import Sample, estimated_errors, sampled
from mlpde.representation.fitting import Ansatz, Fit, fit
from mlpde.representation.hole_functions import HoleFunction, hole_functions
from mlpde.representation.partition_of_unity import PartitionOfUnity
from mlpde.representation.random_features import CORNER_FEATURES, RandomFeatures
from mlpde.representation.refinement import refined
from mlpde.representation.sharp_windows import continuity
from mlpde.representation.subdivision import Subdivision

POINTS_PER_FEATURE = 1.3  # fewer points than this make a subdomain's least squares nearly singular
HOLE_FEATURES = (10, 20)  # with each hole function, at least and at most
BORDER = 700  # columns with hole functions, at most: they are part of every subdomain's QR
HELD_OUT = 2000  # independent points that judge a solution
# (activation, scale) that are probed where the user gives none, the usual best one first
PAIRS = (("sin", 3.0), ("sin", 1.5), ("sin", 5.0), ("sin", 8.0), ("tanh", 1.0), ("tanh", 0.5))
ENOUGH = 3  # failures of Newton's method without a single success: more fits would only take time
DECIDED = 1e-3  # a residual below shows which pair is best; above, nothing is resolved yet

Pair = tuple[str, float]


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
class Search:
    """On one domain, or one block of time that continues the one `before`.

    settings: the solver, an RFM.  fields: the problem's.  report(step, total, **figures) is called for every candidate.
    device, communicator: where the rows are built, and the MPI ranks that share them; None is the processor, one rank.
    probes: the fits that settled activation and scale, one dict each.
    """

    settings: Any
    form: StrongForm
    domain: Any
    fields: Sequence[Any]
    seed: int
    report: Callable[..., None]
    before: Judged | None = None
    device: torch.device | None = None
    communicator: Any = None
    probes: list[dict[str, Any]] = field(default_factory=list)
    fits: dict[tuple[Any, ...], Judged | None] = field(default_factory=dict)
    holes: tuple[HoleFunction, ...] = ()
    failure: NewtonFailure | None = None
    failures: int = 0

    def best(self) -> Judged:
        """The fit of the first candidate that meets the tolerance, or of the best one.

        Raises NewtonFailure if Newton's method fails on every candidate, or on the first three fits.
        """
        settings, domain = self.settings, self.domain
        self.judges = self._located(domain.interior(HELD_OUT, rule="sobol", seed=self.seed), self.seed)
        self.corners: tuple[CornerFunction, ...] = ()
        if settings.corners:
            time = isinstance(domain, SpaceTime)
            self.corners = corner_functions(
                self.form, domain.domain if time else domain, domain.start if time else None
            )
        candidates = self.candidates()
        self.alone = len(candidates) == 1
        self.holes = self._chosen_holes(*candidates[0])
        if self.holes and not self.alone:
            candidates = self.candidates()  # in another order: their columns are part of every subdomain's QR
        pairs, tuned = self._pairs(), dict[int, Pair]()
        best: Judged | None = None
        reached: dict[int, float] = {}  # the best residual with each number of features
        stalled: set[int] = set()
        for step, (cells, count) in enumerate(candidates, start=1):
            if self.failures >= ENOUGH and not any(self.fits.values()):
                break
            later = {larger for _, larger in candidates[step:]} - stalled
            if count in stalled or _overtaken(count, reached, later):
                continue
            if len(pairs) > 1 and (step == 1 or math.prod(cells) * count <= settings.max_unknowns / 10):
                pairs = self._ranked(pairs, cells, max(count // 2, 1) if self.alone else count)
            found = self._fit(cells, count, tuned.get(count, pairs[0]), best)
            if found is None:
                continue
            if len(self.fits) == 1 and not self.alone and found.residual <= settings.tolerance:
                self._fit(cells, max(count // 2, 1), pairs[0], best)  # to estimate the error by
            first = count not in tuned and (len(pairs) == 1 or found.residual <= DECIDED)
            if first or _stalls(found.residual, reached.get(count)):
                found = self._tuned(found, cells, count, best, upwards=first)
                tuned[count] = found.fit.features.activation, found.scale
            if best is None or found.residual < best.residual:
                best = found
            self.report(
                step,
                len(candidates),
                residual=found.residual,
                unknowns=found.fit.unknowns,
                features=count,
                **({"newton_steps": len(found.fit.newton)} if not self.form.linear else {}),
            )
            if self.done(best):
                break
            if _stalls(found.residual, reached.get(count)):
                stalled.add(count)
            reached[count] = min(found.residual, reached.get(count, math.inf))
        if best is None:
            assert self.failure is not None
            raise self.failure
        if not self.done(best):
            best = refined(self, best)
        return best._replace(errors=self._errors(best))

    def _errors(self, found: Judged) -> dict[str, float]:
        """The estimated error of every field by the other fits, those that resolve the solution if there are any."""
        samples = [f.sample for f in self.fits.values() if f is not None and f.sample is not found.sample]
        if not samples:
            return {}
        final = None
        if isinstance(self.domain, SpaceTime):
            times = torch.cat([p.points[:, -1] for p in self.judges if p.rows.kind == "interior"])
            final = times == self.domain.end
        resolved = [sample for sample in samples if sample.residual <= DECIDED]
        return estimated_errors(found.sample, resolved or samples, self.fields, final)

    def done(self, found: Judged) -> bool:
        """Whether the estimated error, or without one the residual, is below the tolerance."""
        errors = self._errors(found)
        if not errors and not self.alone:
            return False
        return max(errors.values(), default=found.residual) <= self.settings.tolerance

    def candidates(self) -> list[Candidate]:
        """(partition, features) to try, the cheap ones first."""
        border = self._hole_features(self.holes) * len(self.holes)
        return candidates(self.settings, self.domain, self.form.components, border)

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
            if self.failures >= ENOUGH and not any(self.fits.values()):
                break
            if residuals[pair] <= self.settings.tolerance:
                break
        ranked = sorted(pairs, key=lambda pair: residuals.get(pair, math.inf))
        return ranked[:1] if residuals[ranked[0]] <= DECIDED else ranked

    def _chosen_holes(self, cells: tuple[int, ...], count: int) -> tuple[HoleFunction, ...]:
        """The hole functions where a small fit resolves nothing without them, and less with as many more features.

        None for nonlinear problems, in time, across interfaces, and where holes are so many that their columns would be
        too many.
        """
        linear = self.form.linear and not self.form.jumps
        if not (self.settings.holes and linear) or isinstance(self.domain, SpaceTime):
            return ()
        circles = hole_functions(self.domain)
        columns = self._hole_features(circles) * len(circles)
        if not columns:
            return ()
        pairs = self._pairs()
        if self.alone:
            count = max(count // (2 if len(pairs) > 1 else 4), 1)
        pair = self._ranked(pairs, cells, count)[0]
        plain = self._probed(cells, count, pair, None)
        if plain is not None and plain.residual <= DECIDED:
            return ()
        larger = self._probed(cells, count + math.ceil(columns / math.prod(cells)), pair, None)
        self.holes = circles
        found = self._probed(cells, count, pair, None)
        if found is None or (larger is not None and found.residual >= larger.residual):
            return ()
        return circles

    def _hole_features(self, holes: tuple[HoleFunction, ...]) -> int:
        """How many features with each hole function can be afforded, 0 for none."""
        least, most = HOLE_FEATURES
        affordable = BORDER // max(self.form.components * len(holes), 1)
        return min(affordable, most) if affordable >= least else 0

    def _tuned(
        self, found: Judged, cells: tuple[int, ...], count: int, start: Judged | None, upwards: bool
    ) -> Judged:
        """The fit with the next larger (or smaller) scales, as long as they lower the residual."""
        activation = found.fit.features.activation
        for scale in self.other_scales(activation, found.scale, upwards):
            if self.done(found):
                break
            other = self._probed(cells, count, (activation, scale), start)
            if other is None or other.residual >= found.residual:
                break
            found = other
        return found

    def other_scales(self, activation: str, scale: float, upwards: bool) -> list[float]:
        """The larger (or smaller) scales that may be tried, the nearest first."""
        if self.settings.scale is not None or self.before is not None:
            return []
        scales = sorted((s for a, s in PAIRS if a == _family(activation)), reverse=not upwards)
        return scales[scales.index(scale) + 1 :]

    def _probed(self, cells: tuple[int, ...], count: int, pair: Pair, start: Judged | None) -> Judged | None:
        found = self._fit(cells, count, pair, start)
        record: dict[str, Any] = {"activation": pair[0], "scale": pair[1], "partition": list(cells)}
        record |= {"features": count, "hole_functions": len(self.holes)}
        record["residual"] = math.inf if found is None else found.residual
        if record not in self.probes:
            self.probes.append(record)
        return found

    def _fit(self, cells: tuple[int, ...], count: int, pair: Pair, start: Judged | None) -> Judged | None:
        """One fit on one partition; None where Newton's method fails."""
        key = (cells, count, pair, bool(self.holes))
        if key not in self.fits:
            self.fits[key] = self._fitted(cells, count, pair, start)
        return self.fits[key]

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

    @property
    def border(self) -> int:
        """Features on the whole box, for every component."""
        holes = self._hole_features(self.holes) * len(self.holes)
        return int(self.settings.global_features) + CORNER_FEATURES * len(self.corners) + holes

    def fewest_points(self, count: int) -> float:
        """Points that a subdomain with so many features needs."""
        return float(min(POINTS_PER_FEATURE, 0.9 * self.settings.points) * count)

    def drawn(self, partition: PartitionOfUnity, count: int, pair: Pair, seed: int) -> RandomFeatures:
        """`count` features in each subdomain, and those on the whole box."""
        settings, (activation, scale) = self.settings, pair
        whole, each = settings.global_features, self._hole_features(self.holes)
        return RandomFeatures.draw(
            *(partition, count, scale, activation, whole, seed, self.corners, settings.polynomials),
            *(self.holes, each),
        )

    def joints(self, features: RandomFeatures) -> list[RowGroup]:
        """The rows that join sharp subdomains on their faces."""
        per_direction = int(np.ceil((self.settings.points * features.features) ** (1 / self.domain.dim)))
        form, domain = self.form, self.domain
        return continuity(features, form.order, form.components, per_direction, domain.contains)

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
        sample = sampled(self.judges, found.state, residual, self.form.free)
        return Judged(found, residual, scale, adaptations, sample)

    def _located(self, inside: np.ndarray, seed: int | None = None) -> list[Located]:
        located = collocate(self.form, self.domain, inside, seed)
        return located if self.before is None else continued(located, self.before.fit.state)


def _stalls(residual: float, before: float | None) -> bool:
    """Whether more cells have gained little where the solution was resolved."""
    return before is not None and before <= DECIDED and residual > before / 2


def _overtaken(count: int, reached: Mapping[int, float], later: Collection[int]) -> bool:
    """Whether a larger number of features, of higher order, is ahead and has candidates left."""
    best = min((reached[c] for c in later if c > count and c in reached), default=math.inf)
    return best <= DECIDED and best < reached.get(count, math.inf)


def _family(activation: str) -> str:
    return "sin" if activation == "cos" else activation  # a cosine is a sine with another bias
