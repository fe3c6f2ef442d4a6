"""Random feature method: u = sum_n psi_n sum_j u_nj s(k_nj . (x - x_n)/r_n + b_nj), collocated, least squares.

Chen, Chi, E, Yang, J. Machine Learning 1(3), 2022, doi:10.4208/jml.220726.  The features are random and fixed, so a
linear problem is one linear least-squares problem; it is solved by a block QR over the subdomains.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from mlpde.errors import InputError
from mlpde.formulation.residual import StrongForm, strong_form
from mlpde.formulation.sampling import collocate, relative_residual
from mlpde.monitor import Monitor
from mlpde.optimize.least_squares import RowGroup, solve_blocks
from mlpde.representation.adapted_partition import Adaptation, adapted_partition
from mlpde.representation.collocation import assemble
from mlpde.representation.models import RandomFeatureModel
from mlpde.representation.partition_of_unity import PartitionOfUnity
from mlpde.representation.random_features import RandomFeatures
from mlpde.solution import Solution

POINTS_PER_FEATURE = 1.3  # fewer points than this make a subdomain's least squares nearly singular
HELD_OUT = 2000  # independent points that judge a solution


@dataclass(frozen=True)
class RFM:
    """Random feature method for linear problems.

    features: J random features in each subdomain, for every component.
    partition: number of cells in each direction of the bounding box; None: nearly square cells, halved until the
    residual on independent points is below `tolerance` or the unknowns would exceed `max_unknowns`.
    activation, scale: s and R; weights and biases are drawn from U[-R, R].  "sin" wants R to cover the solution's
    wave number times the subdomain's radius; "tanh" wants R near 1.
    global_features: additional features on the whole box.
    points: collocation points inside the domain for each feature.
    method: "block_qr", "dense" (the referee, slow) or "auto".
    """

    features: int = 200
    partition: tuple[int, ...] | None = None
    activation: Literal["sin", "cos", "tanh"] = "sin"
    scale: float = 3.0
    global_features: int = 0
    points: float = 4.0
    tolerance: float = 1e-10
    max_unknowns: int = 7000
    method: Literal["auto", "dense", "block_qr"] = "auto"

    name: ClassVar[str] = "rfm"
    accepts: ClassVar[frozenset[str]] = frozenset({"steady", "several fields", "point condition"})

    def solve(self, problem: Any, *, seed: int = 0, monitor: Monitor | None = None) -> Solution:
        """Solve a linear steady problem.

        Raises InputError for a nonlinear problem, and for fewer points than features.
        """
        monitor = monitor or Monitor()
        wall, cpu = time.perf_counter(), time.process_time()
        domain = problem.domain
        form = strong_form(problem)
        if not form.linear:
            raise InputError(
                "solver 'rfm' takes linear problems, and this weak form is nonlinear: use FEM or PINN"
            )
        if self.partition is not None and len(self.partition) != domain.dim:
            raise InputError(f"rfm.partition needs {domain.dim} numbers of cells, not {self.partition}")
        judges = collocate(form, domain, HELD_OUT, rule="sobol", seed=seed + 1)
        sizes = self._partitions(form, domain.bounding_box)
        for step, cells in enumerate(sizes, start=1):
            features, coefficients, diagnostics, adaptations = self._solve(form, domain, cells, seed)
            residual = relative_residual(
                judges,
                lambda points, alphas: features.evaluate(points, coefficients, alphas),  # noqa: B023
            )
            unknowns = coefficients.numel()
            monitor.update(
                step, len(sizes), residual=residual, unknowns=unknowns, subdomains=math.prod(cells)
            )
            if residual <= self.tolerance:
                break
        warnings = [_sentence(adaptation) for adaptation in adaptations]
        if residual > self.tolerance:
            warnings.append(
                f"the relative residual on independent points is {residual:.1e}, above the tolerance "
                f"{self.tolerance:.0e}: more features, cells or unknowns may help, unless the solution is singular"
            )
        info = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu,
            "unknowns": unknowns,
            "seed": seed,
            "history": monitor.history,
            "partition": list(cells),
            "residual": residual,
            "least_squares": diagnostics,
            "warnings": warnings,
        }
        model = RandomFeatureModel(features, coefficients)
        return Solution(self.name, repr(self), problem.fields, model, domain.mesh(), info, problem)

    def _partitions(self, form: StrongForm, box: np.ndarray) -> list[tuple[int, ...]]:
        """The partitions to try, from coarse to fine."""
        if self.partition is not None:
            return [self.partition]
        lengths = box[1] - box[0]
        sizes = []
        for power in range(32):
            cells = tuple(round(n) for n in 2**power * lengths / lengths.min())
            if sizes and math.prod(cells) * self.features * form.components > self.max_unknowns:
                break
            sizes.append(cells)
        return sizes

    def _solve(
        self, form: StrongForm, domain: Any, cells: tuple[int, ...], seed: int
    ) -> tuple[RandomFeatures, torch.Tensor, dict[str, Any], tuple[Adaptation, ...]]:
        grid = PartitionOfUnity.grid(*domain.bounding_box, cells)
        total = self.features * grid.subdomains + self.global_features
        located = collocate(form, domain, math.ceil(self.points * total), rule="grid")
        inside = torch.cat([part.points for part in located if part.rows.kind == "interior"])
        minimum = min(POINTS_PER_FEATURE, 0.9 * self.points) * self.features
        partition, adaptations = adapted_partition(grid, inside, minimum)
        features = RandomFeatures.draw(
            partition, self.features, self.scale, self.activation, self.global_features, seed
        )
        groups: list[RowGroup] = []
        for rows, points, normals in located:
            residual, terms = rows.linearise(points, normals)
            groups += assemble(features, points, terms, residual, form.components)
        widths = [form.components * self.features] * partition.subdomains
        global_width = form.components * self.global_features
        x, diagnostics = solve_blocks(groups, widths, global_width, self.method, centres=partition.centres)
        return features, features.coefficients(x), diagnostics, adaptations


def _sentence(adaptation: Adaptation) -> str:
    what = f"merged into {adaptation.into}" if adaptation.into is not None else "left to its neighbours"
    return f"subdomain {adaptation.cell} has {adaptation.points:.0f} points, too few: {what}"
