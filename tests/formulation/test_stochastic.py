"""SemilinearParabolic as forward-backward SDEs: against what the same formulas give, written by hand in torch."""

import math
from functools import reduce

import pytest
import torch
import ufl
from manufactured import assert_close, random_points

from mlpde import InputError, SemilinearParabolic, largest, smallest, total
from mlpde.formulation.compiled_function import gradient_of
from mlpde.formulation.stochastic import ForwardBackwardSDE

N = 7


def problem(dim=3, **given):
    standard = {
        "horizon": 0.5,
        "x0": 1.0,
        "driver": lambda t, x, y, z: -ufl.dot(z, z) / 2,
        "terminal": lambda x: ufl.ln((1 + ufl.dot(x, x)) / 2),
    }
    return SemilinearParabolic(dim, **(standard | given))


def normal(n, dim, seed=3):
    return torch.randn(n, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def turning(t, x):
    return ufl.as_matrix([[1 + x[0], t, 0.0], [0.2, 2.0, x[2]], [0.0, 0.1, 1.0]])


def turning_by_hand(t, x):
    one, zero = torch.ones(len(x), dtype=x.dtype), torch.zeros(len(x), dtype=x.dtype)
    rows = [(1 + x[:, 0], t * one, zero), (0.2 * one, 2 * one, x[:, 2]), (zero, 0.1 * one, one)]
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


@pytest.mark.parametrize(
    ("diffusion", "by_hand", "law"),
    [
        (None, lambda t, x: torch.eye(3, dtype=x.dtype), "additive"),
        (lambda t, x: math.sqrt(2), lambda t, x: math.sqrt(2) * torch.eye(3, dtype=x.dtype), "additive"),
        (lambda t, x: (1.0, 2.0, 3.0), lambda t, x: torch.diag(torch.arange(1.0, 4.0)).to(x), "additive"),
        (lambda t, x: 1 + x[0] * t, lambda t, x: torch.diag_embed((1 + x[:, :1] * t).expand(-1, 3)), "euler"),
        (lambda t, x: ufl.elem_op(ufl.sin, x), lambda t, x: torch.diag_embed(x.sin()), "euler"),
        (turning, turning_by_hand, "euler"),
    ],
    ids=["default", "scalar", "diagonal", "scalar in x and t", "diagonal in x", "matrix"],
)
def test_every_kind_of_diffusion(diffusion, by_hand, law):
    sde = ForwardBackwardSDE(problem(diffusion=diffusion))
    assert (sde.law, sde.exact) == (law, law != "euler")
    t, dt, x, w = 0.3, 0.1, random_points(N, 3), normal(N, 3)
    sigma = by_hand(t, x).expand(N, 3, 3)
    assert_close(sde.diffused(t, x, w), torch.einsum("nij,nj->ni", sigma, w))
    assert_close(sde.z_of_gradient(t, x, w), torch.einsum("nji,nj->ni", sigma, w))
    assert_close(sde.step(t, dt, x, w), x + torch.einsum("nij,nj->ni", sigma, w))
    b = normal(N, 3, seed=4)
    assert_close(sde.step(t, dt, x, w, shift=b), x + torch.einsum("nij,nj->ni", sigma, w + b * dt))


def test_geometric_brownian_motion_is_recognised_and_stepped_exactly():
    m, s = torch.tensor([0.06, -0.02, 0.1]).double(), torch.tensor([0.2, 0.3, 0.1]).double()
    given = {
        "drift": lambda t, x: ufl.as_vector([float(m[i]) * x[i] for i in range(3)]),
        "diffusion": lambda t, x: ufl.as_vector([float(s[i]) * x[i] for i in range(3)]),
    }
    sde = ForwardBackwardSDE(problem(**given))
    assert sde.law == "geometric"
    x, w, dt = random_points(N, 3), normal(N, 3), 0.25
    assert_close(sde.step(0.1, dt, x, w), x * torch.exp((m - s**2 / 2) * dt + s * w))
    assert_close(sde.mean_step(0.1, dt, x), x * torch.exp(m * dt))
    assert_close(sde.z_of_gradient(0.1, x, w), s * x * w)


@pytest.mark.parametrize(
    ("drift", "diffusion"),
    [
        (lambda t, x: 0.1 * x, lambda t, x: 0.2 * x + ufl.as_vector([0.0, 0.0, 1e-3])),
        (lambda t, x: 0.1 * x * t, lambda t, x: 0.2 * x),
        (lambda t, x: 0.1 * x, lambda t, x: 0.2 * ufl.conditional(ufl.lt(x[0], 1e3), 1, 2) * x),
        (lambda t, x: 0.1 * x, lambda t, x: 0.2 * ufl.as_vector([abs(x[i]) for i in range(3)])),
        (lambda t, x: 0.1 * ufl.as_vector([x[1], x[0], x[2]]), lambda t, x: 0.2 * x),
    ],
    ids=["not through 0", "in time", "switch", "abs", "coupled"],
)
def test_what_only_looks_geometric_is_not(drift, diffusion):
    assert ForwardBackwardSDE(problem(drift=drift, diffusion=diffusion)).law == "euler"


def test_coefficients_that_depend_on_time_alone_have_their_exact_law():
    """int_t^{t+h} 2 s ds and int 9 (1 + s)^4 ds, in one step."""
    sde = ForwardBackwardSDE(
        problem(drift=lambda t, x: ufl.as_vector([2 * t, 0, 1]), diffusion=lambda t, x: 3 * (1 + t) ** 2)
    )
    assert sde.law == "additive"
    x, w, (t, dt) = random_points(N, 3), normal(N, 3), (0.2, 0.3)
    mean = x + torch.tensor([(t + dt) ** 2 - t**2, 0, dt], dtype=torch.float64)
    assert_close(sde.mean_step(t, dt, x), mean)
    assert_close(sde.step(t, dt, x, w), mean + w * math.sqrt(9 / 5 * ((1 + t + dt) ** 5 - (1 + t) ** 5) / dt))


def test_driver_and_its_slopes():
    def driver(t, x, y, z):
        return t * y**3 + ufl.dot(z, x) * y + ufl.max_value(total(z), 0) + smallest(x)

    sde = ForwardBackwardSDE(problem(driver=driver))
    assert sde.driver_uses == {"t", "x", "y", "z"}
    t, x, y, z = 0.4, random_points(N, 3), normal(N, 1)[:, 0], normal(N, 3, seed=5)
    up = (z.sum(1) > 0).double()
    f = t * y**3 + (z * x).sum(1) * y + up * z.sum(1) + x.amin(1)
    assert_close(sde.driver(t, x, y, z), f)
    value, by_y, by_z = sde.driver_slopes(t, x, y, z)
    assert_close(value, f)
    assert_close(by_y, 3 * t * y**2 + (z * x).sum(1))
    assert_close(by_z, x * y[:, None] + up[:, None])


@pytest.mark.parametrize(
    ("driver", "uses", "none"),
    [
        (lambda t, x, y, z: x[0] * t, {"t", "x"}, (True, True)),
        (lambda t, x, y, z: y - y**3, {"y"}, (False, True)),
        (lambda t, x, y, z: ufl.dot(z, z), {"z"}, (True, False)),
        (lambda t, x, y, z: 0, set(), (True, True)),
    ],
)
def test_no_slope_by_what_does_not_stand_in_the_driver(driver, uses, none):
    sde = ForwardBackwardSDE(problem(driver=driver))
    x = random_points(N, 3)
    value, by_y, by_z = sde.driver_slopes(0.0, x, x[:, 0], x)
    assert sde.driver_uses == uses
    assert (by_y is None, by_z is None) == none
    assert value.shape == (N,)


def test_terminal_value_and_gradient():
    sde = ForwardBackwardSDE(problem())
    x = random_points(N, 3)
    value, gradient = sde.terminal_gradient(x)
    assert_close(value, torch.log((1 + (x**2).sum(1)) / 2))
    assert_close(gradient, 2 * x / (1 + (x**2).sum(1, keepdim=True)))
    assert not gradient_of(lambda x: torch.ones(len(x)), x)[1].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_thousand_dimensions(dtype):
    d = 1000
    given = {
        "x0": 100.0,
        "drift": lambda t, x: 0.02 * x,
        "diffusion": lambda t, x: 0.2 * x,
        "driver": lambda t, x, y, z: largest(z) - y * total(x) / d,
        "terminal": smallest,
    }
    sde = ForwardBackwardSDE(problem(d, **given), dtype)
    assert sde.law == "geometric"
    assert sde.compile_seconds < 10
    x, dw = random_points(N, d).to(dtype), normal(N, d).to(dtype)
    close = {"rtol": 1e-5, "atol": 1e-5}
    for value in (
        sde.x0,
        sde.step(0.0, 0.5, x, dw),
        sde.terminal(x),
        *sde.driver_slopes(0.0, x, x[:, 0], dw),
    ):
        assert value.dtype == dtype
    torch.testing.assert_close(sde.step(0.0, 0.5, x, dw), x * torch.exp(0.2 * dw), **close)
    torch.testing.assert_close(sde.terminal(x), x.amin(1), **close)
    torch.testing.assert_close(sde.driver(0.0, x, x[:, 0], dw), dw.amax(1) - x[:, 0] * x.sum(1) / d, **close)


@pytest.mark.gpu
def test_all_of_it_lives_on_the_device():
    sde = ForwardBackwardSDE(problem(diffusion=lambda t, x: 1 + t), torch.float32, "cuda")
    x = random_points(N, 3).to(sde.x0)
    for value in (sde.step(0.0, 0.5, x, x), sde.terminal(x), sde.driver_slopes(0.0, x, x[:, 0], x)[2]):
        assert value.device.type == "cuda"


def test_a_terminal_value_may_have_no_gradient_at_x0():
    sde = ForwardBackwardSDE(problem(x0=0.0, terminal=lambda x: ufl.sin(ufl.dot(x, x) ** 0.4)))
    value, gradient = sde.terminal_gradient(sde.x0[None])
    assert value == 0 and not gradient.isfinite().any()


D = 1000


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"driver": lambda t, x, y, z: z}, r"driver has shape \(3,\), not \(\)"),
        ({"terminal": lambda x: x}, r"terminal has shape \(3,\), not \(\)"),
        ({"drift": lambda t, x: 1.0}, r"drift has shape \(\), not \(3,\)"),
        ({"diffusion": lambda t, x: (1.0, 2.0)}, r"diffusion has shape \(2,\): it must be a scalar, \(3,\)"),
        ({"diffusion": lambda t, x: 0.0}, "diffusion vanishes at t = 0"),
        ({"diffusion": lambda t, x: x, "x0": 0.0}, "diffusion vanishes at t = 0"),
        ({"terminal": lambda x: ufl.ln(x[0] - 1)}, "terminal is not finite at t = 0 on sample path 0"),
        ({"driver": lambda t, x, y, z: y / (0.5 - t)}, r"driver is not finite at t = 0\.5 on sample path"),
        ({"drift": lambda t, x: 1e200 * x}, r"drift is not finite at t = 0\.0625 on sample path 0"),
        ({"terminal": lambda x: min(x)}, r"smallest\(vector\)"),
        ({"dim": D, "terminal": lambda x: sum(x[i] ** 2 for i in range(D))}, r"write total\(vector\)"),
        ({"dim": D, "driver": lambda t, x, y, z: sum(z)}, r"write total\(vector\)"),
        (
            {"dim": D, "terminal": lambda x: reduce(ufl.max_value, [x[i] for i in range(D)])},
            r"largest\(vector\)",
        ),
    ],
)
def test_what_does_not_fit_is_named(given, sentence):
    with pytest.raises(InputError, match=sentence):
        ForwardBackwardSDE(problem(**given))
