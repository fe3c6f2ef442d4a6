"""The search for the settings of random features: activation and scale by probing, then larger and larger fits.

Residuals on independent points decide which fit is the best, and the errors estimated by comparing the fits when it is
good enough; nothing else.  The best scale R grows with the number of features, so the one
that was ranked first on a small fit is raised, where a number of features appears first, as long as that helps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlpde.formulation.space_time import SpaceTime
from mlpde.representation.candidates import Pair, activations_and_scales, other_scales
from mlpde.representation.fits import DECIDED, Fits, Judged
from mlpde.representation.hole_functions import HoleFunction, hole_functions
from mlpde.representation.refinement import refined

ENOUGH = 3  # failures of Newton's method without a single success: more fits would only take time


@dataclass
class Search:
    """Among the fits of one problem.

    report(step, total, **figures) is called for every candidate.
    probes: the fits that settled activation and scale, one dict each.
    """

    fits: Fits
    report: Callable[..., None]
    probes: list[dict[str, Any]] = field(default_factory=list)

    def best(self) -> Judged:
        """The fit of the first candidate that meets the tolerance, or of the best one.

        Raises NewtonFailure if Newton's method fails on every candidate, or on the first three fits.
        """
        fits, settings = self.fits, self.fits.settings
        candidates = fits.candidates()
        fits.holes = self._chosen_holes(*candidates[0])
        if fits.holes and not fits.alone:
            candidates = fits.candidates()  # in another order: their columns are part of every subdomain's QR
        pairs, tuned = activations_and_scales(settings, fits.before), dict[int, Pair]()
        best: Judged | None = None
        reached: dict[int, float] = {}  # the best residual with each number of features
        stalled: set[int] = set()
        for step, (cells, count) in enumerate(candidates, start=1):
            if self._hopeless:
                break
            later = {larger for _, larger in candidates[step:]} - stalled
            if count in stalled or _overtaken(count, reached, later):
                continue
            if len(pairs) > 1 and (step == 1 or math.prod(cells) * count <= settings.max_unknowns / 10):
                pairs = self._ranked(pairs, cells, max(count // 2, 1) if fits.alone else count)
            found = fits.fit(cells, count, tuned.get(count, pairs[0]), best)
            if found is None:
                continue
            if len(fits.made) == 1 and not fits.alone and found.residual <= settings.tolerance:
                fits.fit(cells, max(count // 2, 1), pairs[0], best)  # to estimate the error by
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
                **({"newton_steps": len(found.fit.newton)} if not fits.form.linear else {}),
            )
            if fits.done(best):
                break
            if _stalls(found.residual, reached.get(count)):
                stalled.add(count)
            reached[count] = min(found.residual, reached.get(count, math.inf))
        if best is None:
            assert fits.failure is not None
            raise fits.failure
        if not fits.done(best):
            best = refined(fits, best, self.report)
        return best._replace(errors=fits.errors(best))

    def _ranked(self, pairs: list[Pair], cells: tuple[int, ...], count: int) -> list[Pair]:
        """The pairs by their residual on a small fit, the best first; it alone where the residual shows it clearly."""
        residuals: dict[Pair, float] = {}
        for pair in pairs:
            found = self._probed(cells, count, pair, None)
            residuals[pair] = math.inf if found is None else found.residual
            if self._hopeless:
                break
            if residuals[pair] <= self.fits.settings.tolerance:
                break
        ranked = sorted(pairs, key=lambda pair: residuals.get(pair, math.inf))
        return ranked[:1] if residuals[ranked[0]] <= DECIDED else ranked

    def _chosen_holes(self, cells: tuple[int, ...], count: int) -> tuple[HoleFunction, ...]:
        """The hole functions where a small fit resolves nothing without them, and less with as many more features.

        None for nonlinear problems, in time, across interfaces, and where holes are so many that their columns would be
        too many.
        """
        fits = self.fits
        linear = fits.form.linear and not fits.form.jumps
        if not (fits.settings.holes and linear) or isinstance(fits.domain, SpaceTime):
            return ()
        circles = hole_functions(fits.domain)
        columns = fits.hole_features(circles) * len(circles)
        least = fits.form.components * (math.prod(cells) + columns)
        if not columns or least > fits.settings.max_unknowns:
            return ()
        pairs = activations_and_scales(fits.settings, fits.before)
        if fits.alone:
            count = max(count // (2 if len(pairs) > 1 else 4), 1)
        pair = self._ranked(pairs, cells, count)[0]
        plain = self._probed(cells, count, pair, None)
        if plain is not None and plain.residual <= DECIDED:
            return ()
        larger = self._probed(cells, count + math.ceil(columns / math.prod(cells)), pair, None)
        fits.holes = circles
        found = self._probed(cells, count, pair, None)
        if found is None or (larger is not None and found.residual >= larger.residual):
            return ()
        return circles

    def _tuned(
        self, found: Judged, cells: tuple[int, ...], count: int, start: Judged | None, upwards: bool
    ) -> Judged:
        """The fit with the next larger (or smaller) scales, as long as they lower the residual."""
        fits, activation = self.fits, found.fit.features.activation
        for scale in other_scales(fits.settings, fits.before, activation, found.scale, upwards):
            if fits.done(found):
                break
            other = self._probed(cells, count, (activation, scale), start)
            if other is None or other.residual >= found.residual:
                break
            found = other
        return found

    @property
    def _hopeless(self) -> bool:
        return self.fits.failures >= ENOUGH and not any(self.fits.made.values())

    def _probed(self, cells: tuple[int, ...], count: int, pair: Pair, start: Judged | None) -> Judged | None:
        found = self.fits.fit(cells, count, pair, start)
        record: dict[str, Any] = {"activation": pair[0], "scale": pair[1], "partition": list(cells)}
        record |= {"features": count, "hole_functions": len(self.fits.holes)}
        record["residual"] = math.inf if found is None else found.residual
        if record not in self.probes:
            self.probes.append(record)
        return found


def _stalls(residual: float, before: float | None) -> bool:
    """Whether more cells have gained little where the solution was resolved."""
    return before is not None and before <= DECIDED and residual > before / 2


def _overtaken(count: int, reached: Mapping[int, float], later: Collection[int]) -> bool:
    """Whether a larger number of features, of higher order, is ahead and has candidates left."""
    best = min((reached[c] for c in later if c > count and c in reached), default=math.inf)
    return best <= DECIDED and best < reached.get(count, math.inf)
