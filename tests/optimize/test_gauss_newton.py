"""Gauss-Newton against closed-form minima, scipy, and a Poisson problem with a known solution."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from mlpde.optimize.gauss_newton import _Model, gauss_newton
from mlpde.representation.networks import MLP


def tensor(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def with_jacobian(residual):
    return lambda theta: (residual(theta), torch.autograd.functional.jacobian(residual, theta))


def run(residual, theta0, **options):
    return gauss_newton(with_jacobian(residual), residual, theta0, **options)


def rosenbrock(theta):
    return torch.stack([10.0 * (theta[1] - theta[0] ** 2), 1.0 - theta[0]])


def poisson(width: int = 16, points: int = 20):
    """-Lap u = 2 pi^2 sin(pi x) sin(pi y) on the unit square, u = 0 on its boundary: residuals and the error."""
    network = MLP(2, 1, (0.0, 0.0), (1.0, 1.0), width=width, depth=2)
    line = (torch.arange(points, dtype=torch.float64) + 0.5) / points
    interior, zero = torch.cartesian_prod(line, line), torch.zeros_like(line)
    sides = [(line, zero), (line, zero + 1.0), (zero, line), (zero + 1.0, line)]
    boundary = torch.cat([torch.stack(side, dim=1) for side in sides])
    exact = torch.sin(math.pi * interior).prod(dim=1, keepdim=True)
    source = 2.0 * math.pi**2 * exact
    groups = [
        (interior, [(0, 0), (1, 1)], lambda j: -(j[(0, 0)] + j[(1, 1)] + source) / points),
        (boundary, [()], lambda j: 10.0 * j[()] / math.sqrt(len(boundary))),
    ]

    def residual(theta):
        return torch.cat([f(network.jets(theta, x, alphas)).flatten() for x, alphas, f in groups])

    def residual_and_jacobian(theta):
        parts = [network.jacobian(theta, x, alphas, f) for x, alphas, f in groups]
        return torch.cat([r.flatten() for r, _ in parts]), torch.cat([j for _, j in parts])

    def error(theta):
        check = torch.rand(2000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        value = torch.sin(math.pi * check).prod(dim=1, keepdim=True)
        return float((network.jets(theta, check, [()])[()] - value).norm() / value.norm())

    return network, residual_and_jacobian, residual, error


def test_a_linear_problem_takes_one_long_step():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(30, 8, dtype=torch.float64, generator=generator)
    matrix = matrix * torch.logspace(0, -6, 8, dtype=torch.float64)
    rhs = torch.randn(30, dtype=torch.float64, generator=generator)
    result = run(lambda theta: matrix @ theta - rhs, torch.zeros(8, dtype=torch.float64))
    exact = np.linalg.lstsq(matrix.numpy(), rhs.numpy(), rcond=None)[0]
    assert np.linalg.norm(result.theta.numpy() - exact) < 1e-8 * np.linalg.norm(exact)
    assert result.state.iteration <= 8 and result.reason == "stagnation"


def test_rosenbrock_to_rounding():
    result = run(rosenbrock, tensor([-1.2, 1.0]), tolerance=1e-14)
    assert result.reason == "tolerance" and result.state.iteration < 30
    assert torch.allclose(result.theta, tensor([1.0, 1.0]), atol=1e-13, rtol=0)


def test_a_minimum_with_a_residual_agrees_with_scipy():
    times = torch.linspace(0, 3, 25, dtype=torch.float64)
    data = 2.0 * torch.exp(-1.3 * times) + 0.1 * torch.sin(7 * times)

    def residual(theta):
        return theta[0] * torch.exp(-theta[1] * times) + theta[2] - data

    result = run(residual, tensor([1.0, 0.1, 0.0]))
    reference = least_squares(
        lambda x: residual(tensor(x)).numpy(), [1.0, 0.1, 0.0], xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    assert result.reason == "stagnation"
    assert 2 * result.state.loss <= 2 * reference.cost * (1 + 1e-10)
    assert np.allclose(result.theta.numpy(), reference.x, rtol=1e-5)


def test_a_longer_step_that_only_the_linear_model_likes_is_not_taken():
    """r falls to 0 about 2 and from there like the linear model: radii 4 and 8 are acceptable, but worse."""

    def residual(theta):
        return 1.0 - 0.1 * theta + 0.003 * theta**2 - 0.84 * torch.exp(-4.0 * (theta - 2.0) ** 2)

    result = run(residual, tensor([0.0]), max_iterations=1)
    assert result.state.loss < 0.5 * 0.1**2 < 0.5 * float(residual(tensor([8.0]))) ** 2


def test_more_parameters_than_rows():
    result = run(lambda theta: torch.stack([theta.sum() - 1.0, theta[0] * theta[1]]), tensor([1.0, 2.0, 3.0, 4.0]),
                 tolerance=1e-13)  # fmt: skip
    assert result.reason == "tolerance"


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_first_radius_does_not_matter(scale):
    result = run(lambda theta: rosenbrock(theta / scale), scale * tensor([-1.2, 1.0]), tolerance=1e-10)
    assert result.reason == "tolerance" and result.state.iteration < 80


def test_a_resumed_run_is_bitwise_the_same():
    network, residual_and_jacobian, residual, _ = poisson(width=8, points=10)
    states = []
    whole = gauss_newton(
        residual_and_jacobian, residual, network.initial(0), max_iterations=12, callback=states.append
    )
    assert whole.reason == "max_iterations" and [s.iteration for s in states] == list(range(1, 13))
    resumed = gauss_newton(
        residual_and_jacobian, residual, network.initial(5), max_iterations=12, state=states[4]
    )
    assert torch.equal(whole.theta, resumed.theta) and whole.state.radius == resumed.state.radius


def test_a_damped_step_is_the_same_by_normal_equations():
    network, residual_and_jacobian, residual, _ = poisson(width=8, points=10)
    theta = network.initial(0)
    r, jacobian = residual_and_jacobian(theta)
    singular, normal = _Model.of(r, jacobian), _Model.of_normal_equations(r, jacobian)
    (one, _, predicted), (other, _, same) = (
        model.step(residual, theta, 10 * normal.floor) for model in (singular, normal)
    )
    assert 0 < (one - other).norm() < 1e-6 * (one - theta).norm()
    assert same == pytest.approx(predicted, rel=1e-8)


def test_a_step_with_little_damping_leaves_the_normal_equations():
    """Singular values 1e-9 and 1e-10 are below the rounding errors of J^T J."""
    scale = torch.tensor([1.0, 1e-9, 1e-10], dtype=torch.float64)
    states = []
    result = run(
        lambda theta: torch.cat([scale * (theta - 1.0), 0.0 * theta]),
        torch.zeros(3, dtype=torch.float64),
        tolerance=1e-20,
        callback=states.append,
    )
    assert not states[-1].damped and torch.allclose(result.theta, torch.ones_like(scale), atol=1e-6)


def test_the_loss_never_rises_and_the_callback_stops():
    losses = []

    def callback(state):
        losses.append(state.loss)
        return state.iteration == 2

    result = run(rosenbrock, tensor([-1.2, 1.0]), callback=callback)
    assert result.reason == "stopped" and result.state.iteration == 2
    assert losses[1] < losses[0] < 0.5 * float(rosenbrock(tensor([-1.2, 1.0])).square().sum())


def test_values_that_are_not_finite_are_named_with_their_iteration():
    with pytest.raises(
        FloatingPointError, match="residual is not finite at Gauss-Newton iteration 0: 1 of 2 entries"
    ):
        run(lambda theta: torch.log(theta), tensor([-1.0, 1.0]))
    with pytest.raises(FloatingPointError, match="Jacobian is not finite at Gauss-Newton iteration 0"):
        run(lambda theta: torch.sqrt(theta), tensor([0.0, 1.0]))


def test_a_step_into_nan_is_shortened():
    result = run(lambda theta: torch.log(theta) + 3.0, tensor([5.0]), tolerance=1e-13)
    assert result.reason == "tolerance" and math.isclose(
        float(result.theta[0]), math.exp(-3.0), rel_tol=1e-12
    )


def test_stagnation_is_reported():
    result = run(lambda theta: torch.cat([theta**2 + 1.0, theta]), tensor([1.0]))
    assert result.reason == "stagnation" and abs(float(result.theta[0])) < 1e-3
    flat = run(lambda theta: 0.0 * theta + 1.0, tensor([1.0]))
    assert flat.reason == "stagnation" and flat.state.iteration == 0


def test_poisson_in_a_few_dozen_iterations():
    """337 parameters, soft boundary, median of three seeds: 1e-4 after 20 iterations, 1e-6 after 40."""
    network, residual_and_jacobian, residual, error = poisson()
    early, late = [], []
    for seed in range(3):
        states = []
        gauss_newton(
            residual_and_jacobian, residual, network.initial(seed), max_iterations=40, callback=states.append
        )
        early.append(error(states[19].theta))
        late.append(error(states[39].theta))
    assert sorted(early)[1] < 1e-4 and sorted(late)[1] < 1e-6


@pytest.mark.slow
def test_poisson_to_ten_digits():
    network, residual_and_jacobian, residual, error = poisson(points=28)
    errors = [
        error(gauss_newton(residual_and_jacobian, residual, network.initial(seed), max_iterations=150).theta)
        for seed in range(3)
    ]
    assert sorted(errors)[1] < 1e-9
