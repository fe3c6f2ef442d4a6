"""What residuals are measured by."""

import pytest
import torch
import ufl

from geometry import rectangle
from mlpde import Dirichlet, Field, Problem
from mlpde.formulation.residual import strong_form
from mlpde.formulation.sampling import collocate, relative_residual

ROUNDING = 1e-9


def stokes(unknowns, tests, omega):
    (u, p), (v, q) = unknowns, tests
    return (ufl.inner(ufl.grad(u), ufl.grad(v)) - p * ufl.div(v) - q * ufl.div(u)) * omega.dx


def channel(across):
    """The jets of u = (y (1 - y), across sin(9 x)), p = 2 - 2 x."""

    def state(part, alphas):
        x, y = part.points.T
        zero = torch.zeros_like(x)
        wave, slope, curve = torch.sin(9 * x), 9 * torch.cos(9 * x), -81 * torch.sin(9 * x)
        jets = {
            (): (y * (1 - y), across * wave, 2 - 2 * x),
            (0,): (zero, across * slope, zero - 2),
            (1,): (1 - 2 * y, zero, zero),
            (0, 0): (zero, across * curve, zero),
            (1, 1): (zero - 2, zero, zero),
        }
        return {a: torch.stack(jets.get(tuple(sorted(a)), (zero, zero, zero)), 1) for a in alphas}

    return state


@pytest.mark.parametrize(("across", "least", "most"), [(ROUNDING, 0.0, 1e-6), (1.0, 0.1, 2.0)])
def test_a_component_that_is_zero_is_measured_by_its_field(across, least, most):
    """In a channel u_2 = 0 up to rounding: a residual of that size is none."""
    domain = rectangle(0.0, 0.0, 1.0, 1.0)
    inflow = Dirichlet("left", lambda x: ufl.as_vector((x[1] * (1 - x[1]), 0.0)), field="u")
    walls = Dirichlet(("bottom", "top"), (0.0, 0.0), field="u")
    problem = Problem(domain, [Field("u", shape=(2,)), Field("p")], stokes, dirichlet=[inflow, walls])
    form = strong_form(problem)
    judges = collocate(form, domain, domain.interior(100, seed=0))
    dirichlet = [part for part in judges if part.rows.kind != "natural"]
    assert least <= relative_residual(dirichlet, channel(across)) < most
