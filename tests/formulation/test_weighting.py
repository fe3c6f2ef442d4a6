"""The sizes by which equations are divided."""

import math

import pytest
import torch
import ufl

from geometry import rectangle
from mlpde import Dirichlet, Field, Problem
from mlpde.formulation.residual import strong_form
from mlpde.formulation.sampling import collocate
from mlpde.formulation.weighting import sizes
from mlpde.representation.networks import MLP

VISCOSITY = 1e-3


def stokes(unknowns, tests, omega):
    (u, p), (v, q) = unknowns, tests
    return (
        VISCOSITY * ufl.inner(ufl.grad(u), ufl.grad(v)) - p * ufl.div(v) - q * ufl.div(u) + v[0]
    ) * omega.dx


def test_a_pressure_is_measured_by_what_it_balances():
    domain = rectangle(0.0, 0.0, 2.0, 1.0)
    problem = Problem(
        domain,
        [Field("u", shape=(2,)), Field("p")],
        stokes,
        dirichlet=[
            Dirichlet(("left", "bottom", "top"), (0.0, 0.0), field="u"),
        ],
    )
    form = strong_form(problem)
    located = collocate(form, domain, domain.interior(50))
    network = MLP(2, 3, (0.0, 0.0), (2.0, 1.0), width=4, depth=1)
    theta = network.initial(0)
    found = sizes(located, lambda side, alphas: network.jets(theta, side.points, sorted(alphas)), domain)
    by_place = {(part.rows.kind, part.rows.where): size for part, size in zip(located, found, strict=True)}
    (inside,) = (size for (kind, _), size in by_place.items() if kind == "interior")
    viscous = 2 * VISCOSITY * math.pi**2
    assert inside.tolist() == pytest.approx([2 * viscous, 2 * viscous, 2 * math.pi])
    # nu du/dn - p n = 0 on the side: of the pressure's unit, 2 nu pi, only the component along the normal has a part
    pressure = viscous / math.pi
    assert by_place["natural", "right"].tolist() == pytest.approx(
        [VISCOSITY * math.pi + pressure, VISCOSITY * math.pi]
    )
    assert torch.equal(by_place["dirichlet", "left"], torch.ones(2, dtype=torch.float64))
