"""Controls by Stein's identity, on samples of densities that are known."""

import math

import torch

from mlpde.formulation.stein_controls import means

SETS, SAMPLES, DIM, FACTOR = 8, 256, 10, 3.0


def gaussian(seed: int, mean: float, variance: float) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    w = torch.randn(SETS, SAMPLES, DIM, generator=random, dtype=torch.float64)
    return mean + math.sqrt(variance) * w


def test_means_of_what_the_controls_span_are_exact():
    """g = |w|^2 / 2 makes w Gaussian with variance 1 / (1 + factor): |w|^2 has the mean of d of these."""
    variance = 1 / (1 + FACTOR)
    w = gaussian(0, 0.0, variance)
    square = (w**2).sum(-1)
    found = means(square, w, square / 2, w, FACTOR)
    torch.testing.assert_close(found, torch.full_like(found, DIM * variance))


def test_a_slope_moves_the_mean():
    """g = sum w makes w Gaussian about -factor: sum w has the mean -factor d."""
    w = gaussian(1, -FACTOR, 1.0)
    g = w.sum(-1)
    found = means(g, w, g, torch.ones_like(w), FACTOR)
    torch.testing.assert_close(found, torch.full_like(found, -FACTOR * DIM))


def test_no_bias_and_a_smaller_error_where_they_leave_a_rest():
    variance, seeds = 1 / (1 + FACTOR), range(40)
    plain, controlled = [], []
    for seed in seeds:
        w = gaussian(seed, 0.0, variance)
        square = (w**2).sum(-1)
        e = torch.exp(-square)
        plain.append(e.mean(1))
        controlled.append(means(e, w, square / 2, w, FACTOR))
    exact = (1 + 2 * variance) ** (-DIM / 2)
    every, before = torch.cat(controlled), torch.cat(plain)
    assert every.std() < before.std() / 3
    assert abs(float(every.mean()) - exact) < 3 * float(every.std()) / math.sqrt(len(every))


def test_controls_that_do_not_help_or_are_not_finite_are_left_out():
    w = gaussian(2, 0.0, 1.0)
    random = torch.Generator().manual_seed(3)
    noise = torch.rand(SETS, SAMPLES, generator=random, dtype=torch.float64)
    g = torch.cos(w).sum(-1)
    slope = -torch.sin(w)
    torch.testing.assert_close(means(noise, w, g, slope, 0.0), noise.mean(1), rtol=0.1, atol=0.0)
    assert torch.equal(means(noise, w, g, slope * math.inf, 0.0), noise.mean(1))
