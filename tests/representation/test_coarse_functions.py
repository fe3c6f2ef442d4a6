"""The coarse space: polynomials of degree 1 by random features, and what it does to two-level iterations."""

import pytest
import torch
from test_published_problems import Poisson

from mlpde.optimize.least_squares import solve_blocks
from mlpde.representation.coarse_functions import coarse_functions
from mlpde.representation.partition_of_unity import PartitionOfUnity
from mlpde.representation.random_features import RandomFeatures


@pytest.mark.parametrize(("activation", "scale"), [("tanh", 1.0), ("sin", 3.0)])
def test_coarse_functions_are_linear_on_their_subdomain(activation, scale):
    grid = PartitionOfUnity.grid((0, 0), (3, 1), (3, 2))
    features = RandomFeatures.draw(grid, 60, scale, activation)
    functions = coarse_functions(features, components=2)
    assert [tuple(f.shape) for f in functions] == [(120, 6)] * 6
    centre, radius = (torch.as_tensor(a[4]) for a in (grid.centres, grid.radii))
    inside = centre + 0.7 * radius * (2 * torch.rand(50, 2, dtype=torch.float64) - 1)
    x = torch.zeros(6, 120, dtype=torch.float64)
    for column, expected in enumerate((inside[:, 0] * 0 + 1, *((inside - centre) / radius).T)):
        x[4] = functions[4][:, 3 + column]
        u = features.evaluate(inside, features.coefficients(x.reshape(-1)), [()])[()]
        assert (u[:, 1] - expected).abs().max() < 1e-4
        assert (u[:, 0] == 0).all()


@pytest.mark.parametrize("method", ["mixed_qr", "cholesky", "two_level"])
@pytest.mark.parametrize("problem", [(4, 60, 14, 1.0, "tanh"), (3, 60, 14, 3.0, "sin")])
def test_every_method_is_as_accurate_as_the_referee(problem, method):
    features, groups = Poisson.rows(*problem)
    widths = [features.features] * features.partition.subdomains
    arguments = {"centres": features.partition.centres, "coarse": lambda: coarse_functions(features, 1)}
    x, info = solve_blocks(groups, widths, method=method, **arguments)
    referee, _ = solve_blocks(groups, widths, method="dense")
    assert info["method"] == method
    assert Poisson.error(features, x) < 1.1 * Poisson.error(features, referee)


@pytest.mark.parametrize("method", ["block_qr", "mixed_qr", "cholesky", "two_level"])
def test_every_method_reaches_rounding_where_the_features_do(method):
    features, groups = Poisson.rows(2, 400, 30, 3.0)
    x, info = solve_blocks(groups, [400] * 4, method=method, coarse=lambda: coarse_functions(features, 1))
    assert info["method"] == method
    assert Poisson.error(features, x) < 1e-13


def test_two_level_iterations_do_not_grow_with_the_number_of_subdomains():
    iterations = []
    for cells in (6, 12):
        features, groups = Poisson.rows(cells, 40, 12, 1.0, "tanh")
        _, info = solve_blocks(
            groups, [40] * cells**2, method="two_level", coarse=lambda f=features: coarse_functions(f, 1)
        )
        iterations.append(info["iterations"])
    assert iterations[1] < 1.2 * iterations[0]
    one_level = solve_blocks(
        groups, [40] * 144, method="two_level", coarse=lambda: [torch.ones(40, 1, dtype=torch.float64)] * 144
    )[1]
    assert one_level["iterations"] > 3 * iterations[1]
