"""Points for pointwise residuals: where each group of rows is collocated, and how large a residual is there.

The spacing on the boundary follows the interior's: h = (|Omega| / n)^(1/d), so |Gamma| / h^(d-1) points on Gamma.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from mlpde.formulation.residual import Rows, StrongForm
from mlpde.formulation.torch_expression import Alpha, Jets, Tensor


class Located(NamedTuple):
    """A group of rows with its points (n, D) and outward normals (n, d), None inside."""

    rows: Rows
    points: Tensor
    normals: Tensor | None


def collocate(form: StrongForm, domain: Any, interior: int, rule: str, seed: int = 0) -> list[Located]:
    """Points for every group of rows: about `interior` of them inside by `rule`, "grid", "sobol" or "uniform".

    "grid" has evenly spread boundary points and does not depend on the seed; the others take random boundary points.
    """
    inside = domain.interior(interior, rule=rule, seed=seed)
    volume = float(domain.quadrature(0)[1].sum())
    spacing = (volume / interior) ** (1 / domain.dim)
    located = []
    for rows in form.rows:
        normals = None
        if rows.kind == "interior":
            points = inside if len(domain.regions) == 1 else inside[_regions(domain, inside) == rows.where]
        elif rows.kind == "point":
            points = np.asarray(rows.where, float).reshape(1, -1)
        else:
            measure = domain.boundary(rows.where, 1)[1].sum()
            count = int(np.ceil(measure / spacing ** (domain.dim - 1)))
            points, _, normals = domain.boundary(rows.where, count, seed=None if rule == "grid" else seed)
        located.append(
            Located(rows, torch.as_tensor(points), None if normals is None else torch.as_tensor(normals))
        )
    return located


def _regions(domain: Any, points: np.ndarray) -> np.ndarray:
    mesh = domain.mesh()
    return np.asarray(mesh.regions)[mesh.cell_regions[mesh.locate(points)[0]]]


def relative_residual(located: Sequence[Located], jets: Callable[[Tensor, Iterable[Alpha]], Jets]) -> float:
    """How well the equations hold at the points: 0 perfectly, 1 not at all; independent of units.

    The largest over all equations of rms(r) / (rms(data) + sum over terms of rms(c) rms(D^alpha u)), where the size of
    D^alpha u is taken inside the domain: so a condition u = 0 is measured against u, no flux against the flux.
    """
    derivatives = set().union(*(part.rows.derivatives for part in located)) | {()}
    inside = torch.cat([part.points for part in located if part.rows.kind == "interior"])
    worst = 0.0
    with torch.no_grad():
        size = {alpha: _rms(values) for alpha, values in jets(inside, derivatives).items()}
        for rows, points, normals in located:
            values = jets(points, rows.derivatives)
            residual, terms = rows.linearise(points, normals, values)
            data, scale = residual.clone(), residual.new_zeros(rows.equations)
            for equation, component, alpha, coefficient in terms:
                data[:, equation] -= coefficient * values[alpha][:, component]
                scale[equation] += _rms(coefficient) * size[alpha][component]
            scale += _rms(data)
            worst = max(worst, float(torch.where(scale > 0, _rms(residual) / scale, 0.0).max()))
    return worst


def _rms(values: Tensor) -> Tensor:
    return values.square().mean(0).sqrt()
