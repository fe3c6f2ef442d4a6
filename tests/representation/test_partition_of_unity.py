"""Windows that sum to one, with the right derivatives, on full grids and on adapted ones."""

import numpy as np
import pytest
import torch

from mlpde.representation.adapted_partition import adapted_partition
from mlpde.representation.partition_of_unity import PartitionOfUnity

GRIDS = [((0,), (8,), (5,)), ((-1, 2), (3, 4), (3, 4)), ((0, 0, 0), (1, 2, 3), (2, 1, 3))]


def sample(grid, n=4000, seed=0):
    """Random points of the box, and points exactly on the edges between plateaus and ramps."""
    lower, upper = (
        torch.tensor(grid.lower, dtype=torch.float64),
        torch.tensor(grid.upper, dtype=torch.float64),
    )
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand((n, grid.dim), generator=generator, dtype=torch.float64)
    return lower + (upper - lower) * torch.cat([points, torch.round(points * 120) / 120])


def alphas(dim):
    return [(), *((i,) for i in range(dim)), *((i, j) for i in range(dim) for j in range(i, dim))]


def referee(grid, points):
    """psi_b (n, cells) from the formula of the paper, cell by cell."""
    radius = (np.array(grid.upper) - grid.lower) / grid.cells / 2
    out = np.ones((len(points), int(np.prod(grid.cells))))
    for cell, index in enumerate(np.ndindex(*grid.cells)):
        for k, i in enumerate(index):
            t = (points[:, k] - grid.lower[k]) / radius[k] - (2 * i + 1)
            hat = np.where(
                np.abs(t) < 0.75, 1.0, np.where(np.abs(t) < 1.25, (1 - np.sin(2 * np.pi * np.abs(t))) / 2, 0)
            )
            if i == 0:
                hat[t < 0] = 1
            if i == grid.cells[k] - 1:
                hat[t > 0] = 1
            out[:, cell] *= hat
    return out


def values(partition, points, alpha=()):
    """D^alpha psi (n, subdomains), and how often each point was covered."""
    out, times = np.zeros((len(points), partition.subdomains)), np.zeros(len(points))
    for cover in partition.covers(points):
        times[cover.rows] += 1
        weights = partition.weights(points[cover.rows], cover, alphas(partition.dim))
        for subdomain, weight in zip(cover.subdomains, weights, strict=True):
            if alpha in weight:
                out[cover.rows, subdomain] = weight[alpha]
    return out, times


@pytest.mark.parametrize(("lower", "upper", "cells"), GRIDS)
def test_full_grid_is_psi_b(lower, upper, cells):
    grid = PartitionOfUnity.grid(lower, upper, cells)
    points = sample(grid)
    psi, times = values(grid, points)
    assert (times == 1).all()
    assert np.abs(psi - referee(grid, points.numpy())).max() < 1e-14
    assert np.abs(psi.sum(axis=1) - 1).max() < 1e-15


def disc(n=60, radius=1.0):
    t = -1 + 2 * (torch.arange(n, dtype=torch.float64) + 0.5) / n
    points = torch.cartesian_prod(t, t)
    return points[points.norm(dim=1) < radius]


def l_shape(n=48):
    t = -1 + 2 * (torch.arange(n, dtype=torch.float64) + 0.5) / n
    points = torch.cartesian_prod(t, t)
    return points[~((points[:, 0] > 0) & (points[:, 1] < 0))]


def sliver(n=64):
    """A square of which a thin oblique strip is added on the right, and two separate dots."""
    t = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    points = torch.cartesian_prod(t, t)
    x, y = points.T
    dots = ((x - 0.95).abs() < 0.02) & (((y - 0.95).abs() < 0.02) | ((y - 0.05).abs() < 0.02))
    return points[(x < 0.5) | ((x - y).abs() < 0.03) | dots]


ADAPTED = {
    "disc": (((-1, -1), (1, 1), (6, 6)), disc(), 60),
    "disc in a fine grid": (((-1, -1), (1, 1), (12, 12)), disc(), 15),
    "L": (((-1, -1), (1, 1), (4, 4)), l_shape(), 100),
    "L with one large cell": (((-1, -1), (1, 1), (2, 2)), l_shape(), 100),
    "sliver": (((0, 0), (1, 1), (5, 5)), sliver(), 100),
    "all poor": (((0, 0), (1, 1), (5, 5)), sliver(), 10**6),
    "ball": (
        ((-1, -1, -1), (1, 1, 1), (4, 4, 4)),
        sample(PartitionOfUnity.grid((-1,) * 3, (1,) * 3, (1,) * 3)),
        60,
    ),
}
ADAPTED["ball"] = (*ADAPTED["ball"][:1], ADAPTED["ball"][1][ADAPTED["ball"][1].norm(dim=1) < 1], 60)


@pytest.mark.parametrize("case", ADAPTED)
def test_adapted_partition_covers_every_point_with_enough_points_each(case):
    box, points, minimum = ADAPTED[case]
    grid = PartitionOfUnity.grid(*box)
    partition, done = adapted_partition(grid, points, minimum)
    psi, times = values(partition, points)
    assert (times == 1).all()
    assert np.abs(psi.sum(axis=1) - 1).max() < 1e-14
    if partition.subdomains > 1:
        assert psi.sum(axis=0).min() >= minimum * (1 - 1e-12)
    # Everywhere in the box, also far from the points: no nan when it is evaluated there.
    anywhere = sample(grid)
    psi, times = values(partition, anywhere)
    assert (times == 1).all()
    assert np.abs(psi.sum(axis=1) - 1).max() < 1e-14
    # What was done is what the partition says.
    counts = referee(grid, points.numpy()).sum(axis=0)
    for cell, number, into in done:
        i = int(np.ravel_multi_index(cell, grid.cells))
        assert number == pytest.approx(counts[i])
        if into is None:
            assert partition.owner[i] == -1
        else:
            assert partition.owner[i] == partition.owner[np.ravel_multi_index(into, grid.cells)] >= 0
    assert len(done) == np.prod(grid.cells) - partition.subdomains
    # The points of a subdomain's cells are in its box: no feature is used far outside [-1, 1].
    share, _ = values(partition, points)
    for s in range(partition.subdomains):
        mine = points.numpy()[share[:, s] > 0.99]
        if len(mine):
            assert np.abs((mine - partition.centres[s]) / partition.radii[s]).max() < 1.6


def test_a_full_box_is_left_alone():
    grid = PartitionOfUnity.grid((0, 0), (1, 1), (4, 4))
    points = torch.cartesian_prod(*[(torch.arange(40, dtype=torch.float64) + 0.5) / 40] * 2)
    partition, done = adapted_partition(grid, points, 90)
    assert done == ()
    assert np.array_equal(partition.owner, grid.owner)
    assert np.array_equal(partition.centres, grid.centres)
    assert np.allclose(partition.radii, grid.radii, rtol=1e-15)


def test_a_poor_cell_is_merged_over_its_largest_face():
    """Cells 1/2 x 1/6: the right column holds a strip; its upper and lower neighbours share the longer face."""
    grid = PartitionOfUnity.grid((0, 0), (1, 1), (2, 6))
    t = (torch.arange(60, dtype=torch.float64) + 0.5) / 60
    points = torch.cartesian_prod(t, t)
    x, y = points.T
    points = points[(x < 0.5) | (y < 1 / 6) | ((y < 2 / 6) & (x > 0.9))]
    _, done = adapted_partition(grid, points, 150)
    assert {(a.cell, a.into) for a in done if a.into} == {((1, 1), (1, 0))}


@pytest.mark.parametrize("case", [None, *ADAPTED])
def test_derivatives_are_those_of_automatic_differentiation(case):
    """Also of the quotient beside dropped cells and of the sums over merged ones."""
    grid = PartitionOfUnity.grid(*(ADAPTED[case][0] if case else GRIDS[2]))
    partition = adapted_partition(grid, *ADAPTED[case][1:])[0] if case else grid
    points = ADAPTED[case][1][::7] if case else sample(grid, 500)
    for cover in partition.covers(points):
        x = points[cover.rows].clone().requires_grad_()
        for weight in partition.weights(x, cover, alphas(grid.dim)):
            value = weight[()]
            if not value.requires_grad:
                assert torch.equal(value, torch.ones_like(value))
                assert set(weight) == {()}
                continue
            gradient = torch.autograd.grad(value.sum(), x, create_graph=True)[0]
            for i in range(grid.dim):
                zero = torch.zeros_like(value)
                assert torch.allclose(weight.get((i,), zero), gradient[:, i], rtol=1e-10, atol=1e-8)
                if not gradient.requires_grad:
                    continue
                second = torch.autograd.grad(gradient[:, i].sum(), x, retain_graph=True)[0]
                for j in range(i, grid.dim):
                    assert torch.allclose(weight.get((i, j), zero), second[:, j], rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (((0, 0), (1, 1), (2,)), "one number a direction"),
        (((0, 0), (1, 0), (2, 2)), "lower < upper"),
        (((0, 0), (1, np.nan), (2, 2)), "lower < upper"),
        (((0, 0), (1, 1), (2, 0)), "at least one cell"),
    ],
)
def test_bad_grids_are_named(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        PartitionOfUnity.grid(*arguments)


def test_bad_points_are_named():
    grid = PartitionOfUnity.grid((0, 0), (1, 1), (2, 2))
    with pytest.raises(ValueError, match=r"points of shape \(n, 2\)"):
        grid.covers(torch.zeros(3, 1))
    with pytest.raises(ValueError, match="finite"):
        grid.covers(torch.full((3, 2), torch.nan))
    partition, _ = adapted_partition(grid, torch.rand(50, 2, dtype=torch.float64) / 2, 20)
    with pytest.raises(ValueError, match="adapted once"):
        adapted_partition(partition, torch.rand(50, 2), 20)
    with pytest.raises(ValueError, match="no points"):
        adapted_partition(grid, torch.zeros(0, 2), 20)
