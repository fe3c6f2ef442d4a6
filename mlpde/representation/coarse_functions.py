"""Coarse functions of random features: polynomials of degree 1 on each subdomain, as combinations of its features."""

import torch

from mlpde.representation.partition_of_unity import Cover
from mlpde.representation.random_features import RandomFeatures

REACH = 1.25  # of a subdomain's window, in its radii
CUTOFF = 1e-10  # below, more singular values cost accuracy by their large coefficients


def coarse_functions(features: RandomFeatures, components: int) -> list[torch.Tensor]:
    """Of each subdomain the coefficients (components * J, components * (1 + D)) that come nearest to 1, x_1, ..., x_D.

    Times the partition of unity these are the coarse space of two-level least squares.
    """
    count, grid = features.features, features.partition
    sobol = torch.quasirandom.SobolEngine(grid.dim, scramble=True, seed=0)
    points = REACH * (2 * sobol.draw(2 * count, dtype=torch.float64) - 1)
    linear = torch.cat([torch.ones_like(points[:, :1]), points], dim=1)
    identity = torch.eye(components, dtype=torch.float64)
    out = []
    for subdomain, (centre, radius) in enumerate(zip(grid.centres, grid.radii, strict=True)):
        where = torch.from_numpy(centre) + torch.from_numpy(radius) * points
        alone = Cover((subdomain,), torch.arange(len(points)), None)  # psi = 1
        values = features.derivatives(where, alone, subdomain, [()])[()]
        out.append(torch.kron(identity, torch.linalg.pinv(values, rtol=CUTOFF) @ linear))
    return out
