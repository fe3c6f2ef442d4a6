"""The semilinear cases: each exact solution satisfies its equation, and set-up stays cheap at full dimension."""

import math

import pytest
import torch

from cases.allen_cahn_100d import allen_cahn
from cases.burgers_50d import burgers
from cases.default_risk import default_risk, intensity
from cases.hjb_2d import problem as hjb_2d
from cases.hjb_lq import hjb
from cases.quadratic_gradient import quadratic_gradient
from cases.reaction_diffusion import reaction_diffusion
from cases.two_rates import two_rates
from mlpde import case_files
from mlpde.formulation.stochastic import ForwardBackwardSDE

EXACT = {"hjb_2d": hjb_2d} | {f.__name__: f(3) for f in (burgers, quadratic_gradient, reaction_diffusion)}
FULL = {
    "hjb_lq": hjb,
    "allen_cahn_100d": allen_cahn,
    "default_risk": default_risk,
    "two_rates": two_rates,
    "burgers_50d": burgers,
    "quadratic_gradient": quadratic_gradient,
    "reaction_diffusion": reaction_diffusion,
}


@pytest.mark.parametrize("problem", EXACT.values(), ids=EXACT)
def test_the_exact_solution_satisfies_the_equation(problem):
    """Derivatives of u by autograd; mu and sigma from the problem, the trace written out."""
    sde = ForwardBackwardSDE(problem)
    u = sde.compiled(lambda t, x: problem.exact(x, t), (), "exact")
    random = torch.Generator().manual_seed(1)
    for _ in range(5):
        t = torch.rand((), generator=random, dtype=torch.float64) * problem.horizon * 0.9
        x = torch.randn(problem.dim, generator=random, dtype=torch.float64)

        def at(t, x):
            return u(t.reshape(1), x[None])[0]

        rate, slope = torch.autograd.functional.jacobian(at, (t, x))
        hessian = torch.autograd.functional.hessian(at, (t, x))[1][1]
        row, time = x[None], float(t)
        columns = torch.eye(problem.dim, dtype=torch.float64)
        sigma = torch.stack([sde.diffused(time, row, w[None])[0] for w in columns], 1)
        z = sde.z_of_gradient(time, row, slope[None])
        parts = torch.stack(
            [
                rate,
                sde.drift(time, row)[0] @ slope,
                (sigma @ sigma.T * hessian).sum() / 2,
                sde.driver(time, row, at(t, x)[None], z)[0],
            ]
        )
        assert abs(parts.sum()) < 1e-12 * parts.abs().sum() + 1e-14
    x = torch.randn(4, problem.dim, generator=random, dtype=torch.float64)
    assert torch.allclose(
        sde.terminal(x), u(torch.full((4,), problem.horizon, dtype=torch.float64), x), rtol=1e-14
    )


def test_drivers_by_hand():
    """What the exact solutions do not cover, at one batch, written out in torch."""
    random = torch.Generator().manual_seed(2)
    x, z = (torch.randn(200, 4, generator=random, dtype=torch.float64) for _ in range(2))
    x = 100 * x.exp()
    y = 120 * torch.rand(200, generator=random, dtype=torch.float64)
    risk, rates = ForwardBackwardSDE(default_risk(4)), ForwardBackwardSDE(two_rates(4))
    q = torch.where(y < 50, 0.2, torch.where(y >= 70, 0.02, 0.2 - 0.18 / 20 * (y - 50)))
    assert torch.allclose(risk.driver(0.0, x, y, z), -(q / 3 + 0.02) * y, rtol=1e-13)
    assert torch.equal(risk.terminal(x), x.amin(1))
    held = z.sum(1) / 0.2
    expected = -0.04 * y - 0.02 * held + 0.02 * (held - y).clamp_min(0)
    assert torch.allclose(rates.driver(0.0, x, y, z), expected, rtol=1e-12, atol=1e-12)
    best = x.amax(1)
    assert torch.allclose(rates.terminal(x), (best - 120).clamp_min(0) - 2 * (best - 150).clamp_min(0))
    lam = ForwardBackwardSDE(hjb(7.0, 4))
    assert torch.allclose(lam.driver(0.0, x, y, z), -3.5 * z.square().sum(1))
    assert torch.allclose(lam.terminal(x), ((1 + x.square().sum(1)) / 2).log())
    assert float(intensity(60.0)) == pytest.approx(0.11)


@pytest.mark.parametrize("name", FULL)
def test_set_up_is_cheap_in_all_dimensions(name):
    """The case is the function at its full dimension; nothing of UFL grows with it."""
    case = case_files.load(name)
    full = FULL[name]()
    assert (case.problem.dim, case.problem.x0, case.problem.horizon) == (full.dim, full.x0, full.horizon)
    assert math.isfinite(case.published["y0"][0])
    if case.problem.exact:
        value = ForwardBackwardSDE(full).compiled(lambda t, x: full.exact(x, t), (), "exact")
        x0 = torch.tensor([full.x0], dtype=torch.float64)
        assert float(value(0.0, x0)) == pytest.approx(case.published["y0"][0], rel=1e-14)
    assert ForwardBackwardSDE(full).compile_seconds < 1.0
