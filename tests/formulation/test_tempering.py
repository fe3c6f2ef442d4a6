"""Tempering against closed forms of the entropic risk, and which drivers it fits."""

import math

import numpy as np
import pytest
import ufl
from scipy.stats import chi2

from mlpde import SemilinearParabolic
from mlpde.formulation import tempered_samples
from mlpde.formulation.stochastic import ForwardBackwardSDE
from mlpde.formulation.tempering import quadratic, tempered

DIM, HORIZON, SPREAD = 20, 0.5, 1.3


def problem(a: float, terminal, **changes) -> SemilinearParabolic:
    chosen = {
        "dim": DIM,
        "horizon": HORIZON,
        "x0": 0.4,
        "drift": lambda t, x: ufl.as_vector([0.2] * DIM),
        "diffusion": lambda t, x: SPREAD,
        "driver": lambda t, x, y, z: -a * ufl.dot(z, z) / 2,
        "terminal": terminal,
    }
    return SemilinearParabolic(**(chosen | changes))


@pytest.mark.parametrize("a", [0.5, 3.0, 30.0, -0.5])
def test_a_quadratic_terminal_value(a):
    # u = |m|^2 / (2 (1 + a s)) + d ln(1 + a s) / (2 a), with the mean m and the variance s of X_T
    sde = ForwardBackwardSDE(problem(a, lambda x: ufl.dot(x, x) / 2))
    mean, variance = 0.4 + 0.2 * HORIZON, SPREAD**2 * HORIZON
    shrunk = 1 + a * variance
    exact = DIM * (mean**2 / (2 * shrunk) + math.log(shrunk) / (2 * a))
    found = tempered(sde, a, seed=0)
    assert abs(found.value - exact) < 1.5 * found.ci95 + found.apart
    assert found.ci95 < 0.02 * exact
    off = np.abs(found.z0.numpy() - SPREAD * mean / shrunk) / found.z0_error.numpy()
    assert np.sqrt((off**2).mean()) < 2.0


@pytest.mark.parametrize("a", [2.0, -2.0])
def test_a_lognormal_path(a):
    # g = sum ln x_i / d is Gaussian: u = its mean - a / 2 its variance
    changes = {"drift": lambda t, x: 0.1 * x, "diffusion": lambda t, x: 0.5 * x, "x0": 2.0}
    sde = ForwardBackwardSDE(
        problem(a, lambda x: sum(ufl.ln(x[i]) for i in range(DIM)) / math.sqrt(DIM), **changes)
    )
    assert sde.law == "geometric"
    exact = math.sqrt(DIM) * (math.log(2.0) + (0.1 - 0.125) * HORIZON) - a / 2 * 0.25 * HORIZON
    found = tempered(sde, a, seed=1)
    assert abs(found.value - exact) < 1.5 * found.ci95 + found.apart
    np.testing.assert_allclose(found.z0, 0.5 / math.sqrt(DIM), rtol=1e-6)  # sigma x0 times 1 / x0


def test_a_singular_terminal_value_whose_rare_paths_are_short():
    # exp(-a g) = |x|^-a: for Gaussian X about 0 its mean is (2 s)^(-a / 2) Gamma((d - a) / 2) / Gamma(d / 2)
    a, variance = DIM - 4.0, SPREAD**2 * HORIZON
    sde = ForwardBackwardSDE(problem(a, lambda x: ufl.ln(ufl.dot(x, x)) / 2, x0=1e-6, drift=None))
    logarithm = math.lgamma((DIM - a) / 2) - math.lgamma(DIM / 2) - a / 2 * math.log(2 * variance)
    found = tempered(sde, a, seed=0)
    assert abs(found.value + logarithm / a) < 1.5 * found.ci95 + found.apart
    assert found.ci95 < 0.02 * found.value


def test_a_terminal_value_that_jumps():
    # g = 1 for |x|^2 > c and 0 inside: with the chi-square probability p of the inside, E exp(-a g) = p + (1 - p) e^-a
    a, variance, c = 5.0, SPREAD**2 * HORIZON, 10.0
    terminal = lambda x: ufl.conditional(ufl.gt(ufl.dot(x, x), c), 1.0, 0.0)  # noqa: E731
    sde = ForwardBackwardSDE(problem(a, terminal, x0=0.0, drift=None))
    assert sde.terminal_jumps
    p = float(chi2.cdf(c / variance, DIM))
    exact = -math.log(p + (1 - p) * math.exp(-a)) / a
    found = tempered(sde, a, seed=0)
    assert abs(found.value - exact) < 1.5 * found.ci95 + found.apart
    assert found.ci95 < 0.05 * exact


def test_continuous_terminal_values_are_known_better_than_by_their_samples():
    # as above: what the length of the samples tells is taken out of their spread
    a, variance = 50.0, SPREAD**2 * HORIZON
    sde = ForwardBackwardSDE(problem(a, lambda x: ufl.dot(x, x) / 2, x0=1e-6, drift=None))
    exact = DIM * math.log(1 + a * variance) / (2 * a)
    found = tempered(sde, a, seed=0)
    assert not sde.terminal_jumps
    assert abs(found.value - exact) < 1.5 * found.ci95 + found.apart
    assert found.ci95 < 1e-3 * exact


def test_an_infinite_expectation_has_no_value(monkeypatch):
    monkeypatch.setattr(tempered_samples, "STEPS", 40)  # all of them are taken
    sde = ForwardBackwardSDE(problem(-3.0, lambda x: ufl.dot(x, x) / 2))  # 1 + a s < 0: u does not exist
    assert tempered(sde, -3.0, seed=0) is None


def test_the_seed_fixes_the_result():
    sde = ForwardBackwardSDE(problem(3.0, lambda x: ufl.dot(x, x) / 2))
    one, same, other = (tempered(sde, 3.0, seed) for seed in (0, 0, 1))
    assert one.value == same.value != other.value


@pytest.mark.parametrize(
    ("driver", "a"),
    [
        (lambda t, x, y, z: -3 * ufl.dot(z, z) / 2, 3.0),
        (lambda t, x, y, z: z[0] ** 2 + ufl.dot(z, z) - z[0] ** 2, -2.0),
        (lambda t, x, y, z: -ufl.dot(z, z) / 2 + 1, None),
        (lambda t, x, y, z: -ufl.dot(z, z) / 2 + 0.1 * z[0], None),
        (lambda t, x, y, z: -ufl.dot(z, z) / 2 + 0.1 * y, None),
        (lambda t, x, y, z: -ufl.dot(z, z) / 2 + x[0], None),
        (lambda t, x, y, z: -(ufl.dot(z, z) ** 1.5), None),
        (lambda t, x, y, z: -z[0] * z[0], None),
        (lambda t, x, y, z: -y, None),
        (lambda t, x, y, z: 0, None),
    ],
)
def test_which_drivers_are_purely_quadratic(driver, a):
    found = quadratic(ForwardBackwardSDE(problem(1.0, lambda x: x[0], driver=driver)))
    assert found is None if a is None else found == pytest.approx(a, rel=1e-12)


def test_steps_that_are_not_exact_are_none_of_its():
    sde = ForwardBackwardSDE(problem(1.0, lambda x: x[0], drift=lambda t, x: -x))
    assert sde.law == "euler" and quadratic(sde) is None
