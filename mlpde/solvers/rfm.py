"""Random feature method: u = sum_n psi_n sum_j u_nj s(k_nj . (x - x_n)/r_n + b_nj), collocated, least squares.

Chen, Chi, E, Yang, J. Machine Learning 1(3), 2022, doi:10.4208/jml.220726.  The features are random and fixed, so a
linear problem is one linear least-squares problem, solved by a block QR over the subdomains; a nonlinear one takes
damped Gauss-Newton steps on its linearised form, of which each is such a problem.
"""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from mlpde.errors import InputError
from mlpde.formulation.balance import check_balance, imbalance
from mlpde.formulation.determined import check_determined
from mlpde.formulation.residual import strong_form
from mlpde.formulation.space_time import SpaceTime
from mlpde.monitor import Monitor
from mlpde.optimize.device import available
from mlpde.optimize.least_squares import Method
from mlpde.parallel import world
from mlpde.representation.fits import Fits, Judged
from mlpde.representation.models import RandomFeatureModel, Regionwise, TimeBlocks, mean_free
from mlpde.representation.search import Search
from mlpde.representation.search_warnings import search_warnings
from mlpde.settings import chosen, flags, is_whole, positive, whole
from mlpde.solution import Solution

LARGEST_SCALE = 1e6
ATTAINABLE = 1e-14  # by double precision
BALANCED = 1e-8  # relative imbalance of the data that is worth no word


@dataclass(frozen=True)
class RFM:
    """Random feature method.

    features: J random features in each subdomain, for every component.
    partition: number of cells in each direction of the bounding box, in time the last one.
    Where one of them, or both, are None, few large and many small subdomains are tried with more and more unknowns, up
    to `max_unknowns`, until the relative L2 error of every field (in time, at the final one as well), estimated by
    comparing the fits, is below `tolerance`; sizes that gain nothing are passed over. If none meets it, subdomains of
    steady linear problems are divided where the equations hold worst (at most `Solution.info["divided"]` times, joined
    as with psi_a), unless that is everywhere or the solution is singular there. The best is returned, with a
    warning if it misses the tolerance. Of several time blocks each is held to it on its own.
    activation, scale: s and R; weights and biases are drawn from U[-R, R].  "sin" wants R to cover the solution's
    wave number times the subdomain's radius; "tanh" wants R near 1.  Where one of them, or both, are None, a few pairs
    are probed on small fits and ranked by the residual on independent points.
    global_features: additional features on the whole box.
    points: collocation points for each feature.
    method: of the least squares: "dense" (the referee, slow), "block_qr", "mixed_qr", "cholesky", "two_level" or
    "auto" (see mlpde.optimize.least_squares).
    device: torch's, "cpu" or "cuda", for features, rows, local filter and block QR; PETSc's methods go on on the CPU,
    or where PETSC_OPTIONS="-rfm_mat_type aijcusparse" puts them.
    window: subdomains overlap smoothly (psi_b), or are joined by rows on their faces (psi_a; linear problems only, with
    one smooth flux).
    corners: in plane domains, 60 features times r^a sin(a theta) for every singular exponent a below 2 of every corner,
    where one scalar unknown has the principal part c Lap u.  Systems (elasticity, Stokes) get none: their singular
    solutions stay unresolved at corners, and the residual there is large.
    holes: in steady linear problems in the plane, 10 to 20 features times log r and (R/r)^k cos and sin of k theta,
    k = 2, 4, 6, about the centre of every circular hole, where a small fit resolves nothing without them and less with
    as many other features; none where these would be more than 700 columns, or the flux differs between regions.
    polynomials: as many features as there are monomials of degree <= 3 are polynomials, if that is at most half.
    time_blocks: a problem in time is solved in so many intervals, one after the other; with 1 all at once.  Partition,
    features, scale and least squares in `Solution.info` are then those of the last one, and those of all are under
    "time_blocks".
    """

    features: int | None = None
    partition: tuple[int, ...] | None = None
    activation: Literal["sin", "cos", "tanh"] | None = None
    scale: float | None = None
    global_features: int = 0
    points: float = 4.0
    tolerance: float = 1e-10
    max_unknowns: int = 10000
    method: Method = "auto"
    device: str = "cpu"
    time_blocks: int = 1
    window: Literal["psi_b", "psi_a"] = "psi_b"
    corners: bool = True
    holes: bool = True
    polynomials: bool = True

    name: ClassVar[str] = "rfm"
    parallel: ClassVar[bool] = True  # the subdomains are spread over the MPI ranks
    accepts: ClassVar[frozenset[str]] = frozenset(
        {"steady", "time", "several fields", "point condition", "periodic"}
    )

    def __post_init__(self) -> None:
        whole(self, 1, "max_unknowns", "time_blocks", *(["features"] if self.features is not None else []))
        whole(self, 0, "global_features")
        positive(self, "points", *(["scale"] if self.scale is not None else []))
        positive(self, "tolerance", zero=True)
        chosen(self, "method", "activation", "window")
        flags(self, "corners", "holes", "polynomials")
        if self.scale is not None and self.scale > LARGEST_SCALE:
            raise InputError(
                f"rfm.scale {self.scale:g} is too large, above {LARGEST_SCALE:g}: features would oscillate so often in "
                "a subdomain; 1 to 10 is usual"
            )
        if isinstance(self.partition, list):  # a fit is known by its partition, which must be hashable
            object.__setattr__(self, "partition", tuple(self.partition))
        cells = self.partition
        if cells is not None and not (isinstance(cells, tuple | list) and all(is_whole(n, 1) for n in cells)):
            raise InputError(
                "rfm.partition must be numbers of cells from 1 on, one in each direction, such as (4, 4), not "
                f"{cells!r}"
            )
        if not isinstance(self.device, str):
            raise InputError(f"rfm.device must be a text such as 'cpu' or 'cuda', not {self.device!r}")
        if 0 < self.tolerance < ATTAINABLE:
            raise InputError(
                f"rfm.tolerance {self.tolerance:g} is below what double precision can give, about {ATTAINABLE:g}: ask "
                "for that or more, or 0 to go on as long as more unknowns gain anything"
            )

    def solve(self, problem: Any, *, seed: int = 0, monitor: Monitor | None = None) -> Solution:
        """Solve a problem, steady or in time; larger candidates of a nonlinear one start from the best solution so far.

        Raises InputError for fewer points than features, if Newton's method fails on every candidate, and for data that
        do not balance where the constant function tests nothing but them, as in a pure Neumann problem.
        """
        if self.time_blocks > 1 and problem.time is None:
            raise InputError(
                f"rfm.time_blocks={self.time_blocks} splits time, and the problem has none: leave it out"
            )
        device, communicator = available(self.device), world()
        monitor = monitor or Monitor()
        wall, cpu = time.perf_counter(), time.process_time()
        form = strong_form(problem, jumps=True)
        check_determined(problem, form)
        if self.window == "psi_a" and (form.jumps or not form.linear):
            raise InputError(
                "rfm.window='psi_a' takes linear problems whose flux does not differ between regions: use 'psi_b'"
            )
        if form.jumps and self.global_features:
            raise InputError(
                "rfm.global_features are smooth, and the flux differs between the regions "
                f"{', '.join(map(repr, problem.domain.regions))}: leave them out"
            )
        uneven = imbalance(problem)
        check_balance(uneven)
        parts = self._parts(problem)
        if self.partition is not None and len(self.partition) != parts[0].dim:
            raise InputError(
                f"rfm.partition needs {parts[0].dim} numbers of cells"
                f"{', the last one for time' if problem.time else ''}, not {self.partition}"
            )
        blocks: list[Judged] = []
        warnings: list[str] = []
        probes: list[dict[str, Any]] = []
        for part in parts:
            before = blocks[-1] if blocks else None
            fits = Fits(self, form, part, problem.fields, seed, before, device, communicator)
            search = Search(fits, monitor.update)
            blocks.append(search.best())
            probes += search.probes
            when = f"from t = {part.start:g} to {part.end:g}: " if len(parts) > 1 else ""
            warnings += [when + sentence for sentence in search_warnings(fits, blocks[-1])]
        if any(max(b.errors.values(), default=b.residual) > self.tolerance for b in blocks):
            warnings += [
                f"the sources and boundary fluxes of field {name!r} balance up to {value:.1e} of their size only: no "
                "function meets the equations better than that"
                for name, value in uneven.items()
                if value > BALANCED
            ]
        models = [_model(b, problem) for b in blocks]
        model: Any = models[0]
        if len(parts) > 1:
            model = TimeBlocks(tuple(models), tuple(part.end for part in parts[:-1]))
        model = mean_free(model, problem)
        errors = {  # those of time blocks add up
            name: {"l2": sum(b.errors.get(name, math.inf) for b in blocks)} for name in blocks[-1].errors
        }
        info = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu,
            "unknowns": sum(b.fit.unknowns for b in blocks),
            "seed": seed,
            "history": monitor.history,
            **_facts(blocks[-1], form.linear),
            "corner_functions": [asdict(corner) for corner in blocks[-1].fit.features.corners],
            "hole_functions": [asdict(hole) for hole in blocks[-1].fit.features.holes],
            "probes": probes,
            "residual": max(b.residual for b in blocks),
            **({"estimated_error": errors} if errors else {}),
            **({"time_blocks": [_facts(b, form.linear) for b in blocks]} if len(blocks) > 1 else {}),
            "warnings": warnings,
        }
        return Solution(self.name, repr(self), problem.fields, model, problem.domain.mesh(), info, problem)

    def _parts(self, problem: Any) -> list[Any]:
        """What is solved one after the other: the domain, or the domain in one block of time after the other."""
        if problem.time is None:
            return [problem.domain]
        start, end = problem.time
        edges = np.linspace(start, end, self.time_blocks + 1).tolist()
        return [SpaceTime(problem.domain, *ends) for ends in itertools.pairwise(edges)]


def _facts(found: Judged, linear: bool) -> dict[str, Any]:
    """What was chosen in one block of time, or in the steady problem, and how it was solved."""
    divided = found.subdivision
    grid = found.fit.features.partition
    return {
        "partition": list(grid.cells if divided is None else divided.cells),
        "subdomains": grid.subdomains,
        "divided": 0 if divided is None else divided.levels,
        **({} if divided is None else {"division": divided.boxes}),
        "features": found.fit.features.features,
        "activation": found.fit.features.activation,
        "scale": found.scale,
        "polynomials": found.fit.features.polynomials,
        "residual": found.residual,
        "least_squares": found.fit.diagnostics,
        **({"newton": found.fit.newton} if not linear else {}),
    }


def _model(found: Judged, problem: Any) -> Any:
    """The fitted function as a model: one set of features, or one a region."""
    ansatz, coefficients = found.fit.ansatz, found.fit.coefficients
    zero = torch.zeros(len(coefficients[0]), dtype=torch.float64)
    models = [RandomFeatureModel(f, c, zero) for f, c in zip(ansatz.sets, coefficients, strict=True)]
    return Regionwise(tuple(models), problem.domain.mesh()) if ansatz.regions else models[0]
