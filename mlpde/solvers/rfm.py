"""Random feature method: u = sum_n psi_n sum_j u_nj s(k_nj . (x - x_n)/r_n + b_nj), collocated, least squares.

Chen, Chi, E, Yang, J. Machine Learning 1(3), 2022, doi:10.4208/jml.220726.  The features are random and fixed, so a
linear problem is one linear least-squares problem; it is solved by a block QR over the subdomains.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch

from mlpde.errors import InputError
from mlpde.formulation.determined import check_determined
from mlpde.formulation.residual import StrongForm, strong_form
from mlpde.formulation.sampling import Located, collocate, lattice, relative_residual
from mlpde.monitor import Monitor
from mlpde.optimize.device import available
from mlpde.optimize.distributed import world
from mlpde.optimize.least_squares import Method, RowGroup, solve_blocks
from mlpde.representation.adapted_partition import Adaptation, adapted_partition
from mlpde.representation.coarse_functions import coarse_functions
from mlpde.representation.collocation import assemble
from mlpde.representation.models import RandomFeatureModel, mean_free
from mlpde.representation.partition_of_unity import PartitionOfUnity
from mlpde.representation.random_features import RandomFeatures
from mlpde.settings import chosen, positive, whole
from mlpde.solution import Solution

POINTS_PER_FEATURE = 1.3  # fewer points than this make a subdomain's least squares nearly singular
FEATURES = {1: (50, 200), 2: (100, 400), 3: (200, 800)}  # small and large subdomains, by dimension
HELD_OUT = 2000  # independent points that judge a solution


@dataclass(frozen=True)
class RFM:
    """Random feature method for linear problems.

    features: J random features in each subdomain, for every component.
    partition: number of cells in each direction of the bounding box.
    Where one of them, or both, are None, few large and many small subdomains are tried with more and more unknowns,
    until the residual on independent points is below `tolerance` or unknowns * features / 100 would exceed
    `max_unknowns`; the best is returned, with a warning if it misses the tolerance.
    activation, scale: s and R; weights and biases are drawn from U[-R, R].  "sin" wants R to cover the solution's
    wave number times the subdomain's radius; "tanh" wants R near 1.
    global_features: additional features on the whole box.
    points: collocation points for each feature.
    method: of the least squares: "dense" (the referee, slow), "block_qr", "mixed_qr", "cholesky", "two_level" or
    "auto" (see mlpde.optimize.least_squares).
    device: torch's, "cpu" or "cuda", for features, rows, local filter and block QR; PETSc's methods go on on the CPU,
    or where PETSC_OPTIONS="-rfm_mat_type aijcusparse" puts them.
    """

    features: int | None = None
    partition: tuple[int, ...] | None = None
    activation: Literal["sin", "cos", "tanh"] = "sin"
    scale: float = 3.0
    global_features: int = 0
    points: float = 4.0
    tolerance: float = 1e-10
    max_unknowns: int = 10000
    method: Method = "auto"
    device: str = "cpu"

    name: ClassVar[str] = "rfm"
    parallel: ClassVar[bool] = True  # the subdomains are spread over the MPI ranks
    accepts: ClassVar[frozenset[str]] = frozenset({"steady", "several fields", "point condition"})

    def __post_init__(self) -> None:
        whole(self, 1, "max_unknowns", *(["features"] if self.features is not None else []))
        whole(self, 0, "global_features")
        positive(self, "scale", "points")
        positive(self, "tolerance", zero=True)
        chosen(self, "activation", "method")

    def solve(self, problem: Any, *, seed: int = 0, monitor: Monitor | None = None) -> Solution:
        """Solve a linear steady problem.

        Raises InputError for a nonlinear problem, and for fewer points than features.
        """
        available(self.device)
        monitor = monitor or Monitor()
        wall, cpu = time.perf_counter(), time.process_time()
        domain = problem.domain
        form = strong_form(problem)
        check_determined(problem, form)
        if not form.linear:
            raise InputError(
                "solver 'rfm' takes linear problems, and this weak form is nonlinear: use FEM or PINN"
            )
        if self.partition is not None and len(self.partition) != domain.dim:
            raise InputError(f"rfm.partition needs {domain.dim} numbers of cells, not {self.partition}")
        judges = collocate(form, domain, domain.interior(HELD_OUT, rule="sobol", seed=seed), seed=seed)
        candidates = self._candidates(form.components, domain.bounding_box)
        best: _Fit | None = None
        for step, (cells, count) in enumerate(candidates, start=1):
            fit = self._fit(form, domain, cells, count, seed, judges)
            monitor.update(
                step,
                len(candidates),
                residual=fit.residual,
                unknowns=fit.coefficients.numel(),
                features=count,
            )
            if best is None or fit.residual < best.residual:
                best = fit
            if best.residual <= self.tolerance:
                break
        assert best is not None
        warnings = [_sentence(adaptation) for adaptation in best.adaptations] + best.diagnostics["warnings"]
        if best.residual > self.tolerance:
            warnings.append(
                f"the relative residual on independent points is {best.residual:.1e}, above the tolerance "
                f"{self.tolerance:.0e}: more features, cells or unknowns may help, unless the solution is singular"
            )
        info = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu,
            "unknowns": best.coefficients.numel(),
            "seed": seed,
            "history": monitor.history,
            "partition": list(best.features.partition.cells),
            "features": best.features.features,
            "residual": best.residual,
            "least_squares": best.diagnostics,
            "warnings": warnings,
        }
        constants = torch.zeros(form.components, dtype=torch.float64)
        model = mean_free(RandomFeatureModel(best.features, best.coefficients, constants), problem)
        return Solution(self.name, repr(self), problem.fields, model, domain.mesh(), info, problem)

    def _candidates(self, components: int, box: np.ndarray) -> list[tuple[tuple[int, ...], int]]:
        """(partition, features) to try, the cheap ones first."""
        lengths = box[1] - box[0]
        counts = FEATURES[len(lengths)] if self.features is None else (self.features,)
        partitions = (
            [self.partition]
            if self.partition is not None
            else [
                tuple(round(n) for n in along_shortest * lengths / lengths.min())
                for along_shortest in (1, *(n for power in range(16) for n in (2 * 2**power, 3 * 2**power)))
            ]
        )
        work = {
            (cells, count): math.prod(cells) * components * count**2
            for cells in partitions
            for count in counts
        }
        cheap = sorted(work, key=lambda candidate: work[candidate])
        return [c for i, c in enumerate(cheap) if i == 0 or work[c] <= 100 * self.max_unknowns]

    def _fit(
        self,
        form: StrongForm,
        domain: Any,
        cells: tuple[int, ...],
        count: int,
        seed: int,
        judges: list[Located],
    ) -> _Fit:
        """One linear least-squares problem on one partition."""
        lower, upper = domain.bounding_box
        grid = PartitionOfUnity.grid(lower, upper, cells)
        per_cell = count + self.global_features / grid.subdomains
        located = collocate(form, domain, lattice(domain, cells, self.points * per_cell))
        inside = torch.cat([part.points for part in located if part.rows.kind == "interior"])
        partition, adaptations = adapted_partition(
            grid, inside, min(POINTS_PER_FEATURE, 0.9 * self.points) * count
        )
        features = RandomFeatures.draw(
            partition, count, self.scale, self.activation, self.global_features, seed
        )
        communicator = world()
        groups: list[RowGroup] = []
        for rows, points, normals in located:
            residual, terms = rows.linearise(points, normals)
            groups += assemble(features, points, terms, residual, form.components, communicator=communicator)
        widths = [form.components * count] * partition.subdomains
        global_width = form.components * self.global_features
        x, diagnostics = solve_blocks(
            groups,
            widths,
            global_width,
            self.method,
            centres=partition.centres,
            coarse=lambda: coarse_functions(features, form.components),
            communicator=communicator,
        )
        coefficients = features.coefficients(x.cpu())
        held_out = relative_residual(
            judges, lambda points, alphas: features.evaluate(points, coefficients, list(alphas))
        )
        return _Fit(features, coefficients, held_out, diagnostics, adaptations)


class _Fit(NamedTuple):
    features: RandomFeatures
    coefficients: torch.Tensor
    residual: float
    diagnostics: dict[str, Any]
    adaptations: tuple[Adaptation, ...]


def _sentence(adaptation: Adaptation) -> str:
    what = f"merged into {adaptation.into}" if adaptation.into is not None else "left to its neighbours"
    return f"subdomain {adaptation.cell} has {adaptation.points:.0f} points, too few: {what}"
