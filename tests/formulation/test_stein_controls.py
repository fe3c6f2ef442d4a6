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
        controlled.append(means(e, w, square / 2, w, FACTOR).diagonal())
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
    torch.testing.assert_close(
        means(noise, w, g, slope, 0.0), noise.mean(1)[:, None].expand(SETS, SETS), rtol=0.1, atol=0.0
    )
    assert torch.equal(means(noise, w, g, slope * math.inf, 0.0), noise.mean(1)[:, None].expand(SETS, SETS))


def test_leaving_sets_out_shows_the_error_that_their_direction_brings():
    """Halves that find each other's direction m err together: their spread alone would be less than the error."""
    dim, samples, factor, small = 6, 256, 30.0, 3.0
    variance, place = 1 / (1 + factor), 0.5
    spread, jackknife, errors = [], [], []
    exact = (1 + small * variance) ** (-dim / 2) * math.exp(
        -small * dim * (place * variance) ** 2 / (2 * (1 + small * variance))
    )
    for seed in range(100):
        random = torch.Generator().manual_seed(seed)
        y = torch.randn(SETS, samples, dim, generator=random, dtype=torch.float64) * math.sqrt(variance)
        y += place * variance  # w + place, where g = |w + place|^2 / 2
        g = (y**2).sum(-1) / 2
        found = means(torch.exp(-small * g), y - place, g, y, factor)
        each = found.diagonal()
        without = torch.stack([found[torch.arange(SETS) != k, k].mean() for k in range(SETS)])
        errors.append(float(each.mean()) - exact)
        spread.append(float(each.var()) / SETS)
        jackknife.append(float(without.var()) * (SETS - 1) ** 2 / SETS)
    square_error = sum(e**2 for e in errors) / len(errors)
    print(sum(spread) / len(spread) / square_error, sum(jackknife) / len(jackknife) / square_error)
    assert sum(spread) / len(spread) < 0.75 * square_error
    assert 0.75 * square_error < sum(jackknife) / len(jackknife)
