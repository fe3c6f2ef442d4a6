"""DeepBSDE: its parts against plain torch, a small problem with its exact solution, resuming, and refusals."""

import numpy as np
import pytest
import torch
import ufl

from cases.allen_cahn_100d import allen_cahn
from mlpde import InputError, SemilinearParabolic, case_files
from mlpde.bench._bsde_by_hand import Plain, default_risk
from mlpde.formulation.stochastic import ForwardBackwardSDE
from mlpde.monitor import Monitor
from mlpde.referees.radial import radial
from mlpde.representation.step_networks import StepNetworks
from mlpde.solution import Solution
from mlpde.solvers import solver
from mlpde.solvers.deep_bsde import DeepBSDE, Training
from mlpde.solving import solve

QUICK = {"time_steps": 4, "batch": 32, "precision": "double"}


def linear(x0=0.5):
    """u = sum x exp(2 (T - t)): dY = -2 Y dt + Z.dW, T = 0.5, and its gradient is exp(1) in all directions."""
    return SemilinearParabolic(
        3, 0.5, x0, driver=lambda t, x, y, z: 2 * y, terminal=lambda x: x[0] + x[1] + x[2]
    )


def test_it_finds_the_value_that_the_referee_finds():
    problem = allen_cahn(10)  # without the driver the value would be a fifth smaller
    found = DeepBSDE(time_steps=10, iterations=200, learning_rate=2e-3, network="shared").solve(problem)
    y0, true = found.info["quantities"]["y0"], radial(problem, tolerance=1e-4).value
    assert y0["value"] == pytest.approx(true, rel=0.03)
    assert found([problem.x0])[0] == y0["value"]
    assert found.info["compile_seconds"] > 0 and found.info["unknowns"] > 0


def test_value_and_gradient_of_a_linear_problem():
    """Euler's value is sum x0 (1 + 2 dt)^N; a driver with y takes the steps one by one."""
    found = DeepBSDE(time_steps=10, iterations=300, learning_rate=3e-2, precision="double").solve(linear())
    assert found.info["quantities"]["y0"]["value"] == pytest.approx(1.5 / (1 - 0.1) ** 10, rel=0.03)
    assert np.allclose(found.gradient([[0.5] * 3]), np.exp(1), rtol=0.25)


@pytest.mark.parametrize("network", ["steps", "shared"])
def test_a_step_of_newton_corrects_what_training_left(network):
    """A driver that is linear in y and z: the step is exact but for the time grid, however little was trained."""
    problem = SemilinearParabolic(
        3,
        0.5,
        0.5,
        driver=lambda t, x, y, z: y / 2 + 0.4 * z[0],
        terminal=lambda x: ufl.dot(x, x),
    )
    chosen = {"time_steps": 40, "iterations": 20, "precision": "double", "network": network}
    y0 = DeepBSDE(**chosen, finish=True).solve(problem).info["quantities"]["y0"]
    exact = np.exp(0.25) * (0.7**2 + 2 * 0.5**2 + 3 * 0.5)  # the drift moves the first component by 0.2
    trained = DeepBSDE(**chosen).solve(problem).info["quantities"]["y0"]["value"]
    assert abs(y0["value"] - exact) < 1.5 * y0["ci95"] + 0.005 * exact < abs(trained - exact)
    assert y0["bias"] < 1e-6 * exact


def test_what_the_linearisation_leaves_out_is_told():
    """Half the variance of what the untrained paths leave, for a driver -|z|^2 / 2."""
    problem = SemilinearParabolic(
        3, 0.5, 0.5, driver=lambda t, x, y, z: -ufl.dot(z, z) / 2, terminal=lambda x: x[0] + x[1]
    )
    found = DeepBSDE(time_steps=10, iterations=1, precision="double", finish=True).solve(problem)
    y0 = found.info["quantities"]["y0"]
    true = 1.0 - 0.5  # 1 - |grad g|^2 T / 2
    assert 0.3 < y0["bias"] / (y0["value"] - true) < 3
    assert "the linearisation leaves out" in found.info["warnings"][0]


def test_a_value_that_still_moves_is_not_said_to_be_known():
    """Adam with a large rate: y0 jumps about, and where it stops is chance."""
    found = DeepBSDE(**QUICK, iterations=400, learning_rate=0.2).solve(linear(), seed=0)
    late = [row["y0"] for row in found.info["history"]][-len(found.info["history"]) // 4 :]
    assert found.info["quantities"]["y0"]["bias"] > (max(late) - min(late)) / 4 > 0.0


def test_the_stack_of_networks_is_the_networks_of_the_transcription():
    """Values, gradients by the parameters and running moments."""
    plain = Plain(default_risk(5, 4), 1.0, 1e-2).double()
    stack = StepNetworks(3, 5, torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        for k, network in enumerate(plain.networks):
            norms, linears = (
                [layer for layer in network if isinstance(layer, kind)]
                for kind in (torch.nn.BatchNorm1d, torch.nn.Linear)
            )
            for matrix, layer in zip(stack.matrices, linears, strict=True):
                matrix[k] = layer.weight
            for gamma, beta, layer in zip(stack.gammas, stack.betas, norms, strict=True):
                gamma.view(3, -1)[k], beta.view(3, -1)[k] = layer.weight, layer.bias
    x = torch.randn(3, 20, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for mode in (True, False):
        plain.train(mode)
        stack.train(mode)
        one_by_one = torch.stack([network(row) for network, row in zip(plain.networks, x, strict=True)]) / 5
        torch.testing.assert_close(stack(x), one_by_one, rtol=1e-11, atol=1e-13)
    stack(x).square().sum().backward()
    (one_by_one.square().sum()).backward()
    slope = torch.stack([network[1].weight.grad for network in plain.networks])
    torch.testing.assert_close(stack.matrices[0].grad, slope, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("uses_y", [True, False])
def test_paths_of_y_by_hand(uses_y):
    """One loss, written out: the steps at once if the driver has no y, else one by one."""
    problem = SemilinearParabolic(
        2,
        1.0,
        0.3,
        driver=lambda t, x, y, z: t * z[0] ** 2 + x[1] + (y**2 if uses_y else 0),
        terminal=lambda x: ufl.sin(x[0]) * x[1],
    )
    training = Training(DeepBSDE(**QUICK), ForwardBackwardSDE(problem), seed=0)
    x, dw = training._paths(32, 7)
    y, z, dt = training.y0.expand(32), training.z0.expand(32, -1), 0.25
    inner = training.network(x[1:-1])
    for k in range(4):
        z = inner[k - 1] if k else z
        f = k * dt * z[:, 0] ** 2 + x[k, :, 1] + (y**2 if uses_y else 0)
        y = y - dt * f + (z * dw[k]).sum(1)
    ends, g = training._ends(32, 7)
    torch.testing.assert_close(ends, y, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(g, x[-1, :, 0].sin() * x[-1, :, 1])


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("network", ["steps", "shared"])
def test_a_resumed_run_ends_where_the_whole_one_does(network, tmp_path, monkeypatch):
    monkeypatch.setattr(Monitor, "save_every", 0.0)
    chosen = DeepBSDE(**QUICK, iterations=12, network=network)
    whole = chosen.solve(linear(), seed=3)
    advance = Training.advance

    def broken(self):
        if self.step == 7:
            raise Interrupted
        return advance(self)

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(Training, "advance", broken)
        chosen.solve(linear(), seed=3, monitor=Monitor(tmp_path / "checkpoint"))
    again = chosen.solve(linear(), seed=3, monitor=Monitor(tmp_path / "checkpoint", resume=True))
    assert again.info["quantities"] == whole.info["quantities"]
    assert np.array_equal(again.model.gradient, whole.model.gradient)


def test_start_precision_and_seed():
    problem = linear()
    by_seed = [DeepBSDE(**QUICK, iterations=2, start=(5.0, 6.0)).solve(problem, seed=s) for s in (0, 0, 1)]
    values = [found.info["quantities"]["y0"]["value"] for found in by_seed]
    assert values[0] == values[1] != values[2]
    assert all(4.9 < value < 6.1 for value in values)
    assert by_seed[0].info["warnings"]  # it is far off, and says so
    single = Training(DeepBSDE(time_steps=4), ForwardBackwardSDE(problem, torch.float32), 0)
    assert {p.dtype for p in single.parameters} == {torch.float32}


def test_the_solution_is_one_point_and_is_saved(tmp_path):
    found = solve(linear(), DeepBSDE(**QUICK, iterations=2), seed=1)
    restored = Solution.load(found.save(tmp_path / "saved"))
    x0 = [[0.5] * 3] * 2
    assert np.array_equal(restored.evaluate(x0)["u"], found.evaluate(x0)["u"])
    assert np.array_equal(restored.gradient(x0), found.gradient(x0))
    for points, t in (([[0.5, 0.5, 0.4]], 0.0), (x0, 0.1)):
        with pytest.raises(InputError, match="at t = 0 and x = x0 alone"):
            found(points, t)


def test_a_singular_sigma_hides_the_gradient():
    problem = SemilinearParabolic(
        2,
        0.5,
        1.0,
        driver=lambda t, x, y, z: 0 * y,
        terminal=lambda x: x[0],
        diffusion=lambda t, x: ((1.0, 1.0), (1.0, 1.0)),
    )
    found = DeepBSDE(**QUICK, iterations=2).solve(problem)
    assert np.isnan(found.gradient([[1.0, 1.0]])).all()
    assert any("singular" in warning for warning in found.info["warnings"])


def test_a_loss_that_is_not_finite_is_an_error():
    problem = SemilinearParabolic(
        2, 1.0, 0.0, driver=lambda t, x, y, z: ufl.exp(10 * y**2), terminal=lambda x: x[0]
    )
    with pytest.raises(FloatingPointError, match="not finite at step"):
        DeepBSDE(**QUICK, iterations=50, learning_rate=1.0).solve(problem)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"time_steps": 1}, "time_steps must be an integer from 2 on"),
        ({"network": "none"}, "unknown value of deep_bsde.network"),
        ({"precision": "half"}, "unknown value of deep_bsde.precision"),
        ({"start": (1.0, 0.0)}, "start must be two numbers"),
        ({"device": "abacus"}, "There is no device 'abacus'"),
    ],
)
def test_bad_settings_are_named(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        DeepBSDE(**settings).solve(linear())


def test_the_command_line_reads_its_settings():
    chosen = solver("deep_bsde", start="0,1", network="shared", iterations="3")
    assert chosen == DeepBSDE(start=(0.0, 1.0), network="shared", iterations=3)
    with pytest.raises(InputError, match="'steady'"):
        solve(case_files.load("square_poisson"), chosen)


@pytest.mark.gpu
def test_it_trains_on_the_device():
    found = DeepBSDE(time_steps=4, iterations=5, device="cuda").solve(linear())
    assert np.isfinite(found.info["quantities"]["y0"]["value"])
