"""SemilinearParabolic as an initial value problem: solved for functions that are known to satisfy the equation."""

import math

import numpy as np
import pytest
import ufl

from geometry import interval, rectangle
from mlpde import Dirichlet, InputError, SemilinearParabolic, solve
from mlpde.exact import exact_solution
from mlpde.formulation.semilinear import initial_value_problem
from mlpde.problem import Case
from reference_fem import FEM

HORIZON = 0.5
DOMAINS = {1: interval(-1.0, 1.0), 2: rectangle(-1.0, -1.0, 1.0, 1.0)}


def bump(x, t):
    """A function without any symmetry in x, and not of t + const."""
    phase = sum((k + 1) * x[k] for k in range(ufl.shape(x)[0])) / 2
    return ufl.sin(phase + 0.3) * ufl.exp(t) + x[0] ** 2 * t


def turning(t, x):
    """A full matrix that changes in space and time."""
    c, s = ufl.cos(x[0] + t), ufl.sin(x[1])
    return ufl.as_matrix([[1 + c / 2, s / 3], [0.2, 1 - s / 2]])


def manufactured(dim, diffusion, drift) -> SemilinearParabolic:
    """The driver y^2 + z_0 + rest(t, x) that makes `bump` a solution: u_t and the trace written out by hand."""

    def sigma(t, x):
        value = diffusion(t, x)
        if not ufl.shape(ufl.as_tensor(value) if isinstance(value, tuple) else ufl.as_ufl(value)):
            return value * ufl.Identity(dim)
        value = ufl.as_tensor(value) if isinstance(value, tuple) else value
        return ufl.diag(value) if len(ufl.shape(value)) == 1 else value

    def driver(t, x, y, z):
        now = ufl.variable(t)
        g = bump(x, now)
        u_t = ufl.diff(g, now)
        hessian = ufl.grad(ufl.grad(bump(x, t)))
        s = sigma(t, x)
        trace = sum(
            s[i, k] * s[j, k] * hessian[i, j] for i in range(dim) for j in range(dim) for k in range(dim)
        )
        known_z = sum(s[i, 0] * bump(x, t).dx(i) for i in range(dim))
        transport = ufl.dot(drift(t, x), ufl.grad(bump(x, t)))
        return y**2 + z[0] - (u_t + transport + trace / 2 + bump(x, t) ** 2 + known_z)

    return SemilinearParabolic(
        dim,
        HORIZON,
        0.0,
        drift=drift,
        diffusion=diffusion,
        driver=driver,
        terminal=lambda x: bump(x, HORIZON),
        exact=bump,
        domain=DOMAINS[dim],
        dirichlet=Dirichlet("all", bump),
    )


@pytest.mark.parametrize(
    ("dim", "diffusion", "drift"),
    [
        (1, lambda t, x: 1 + x[0] ** 2 / 4, lambda t, x: ufl.as_vector([ufl.sin(x[0]) * t])),
        (2, lambda t, x: (0.7, 1 + x[0] / 3), lambda t, x: ufl.as_vector([x[1], -x[0] * t])),
        (2, turning, lambda t, x: ufl.as_vector([x[1], -x[0] * t])),
    ],
    ids=["scalar", "diagonal", "matrix"],
)
def test_every_coefficient_stands_where_the_equation_has_it(dim, diffusion, drift):
    problem = manufactured(dim, diffusion, drift)
    case = Case("manufactured", problem)
    found = solve(case, FEM(degree=4, size=0.5, steps=64, estimate=False))
    for t in (0.0, 0.2, HORIZON):
        x, weights = found.mesh.quadrature(6)
        known = exact_solution(case).jets(x, [()], t)[()][:, 0]
        assert math.sqrt(weights @ (found(x, t) - known) ** 2 / (weights @ known**2)) < 1e-4


def test_hopf_and_cole_in_one_dimension_by_a_gaussian_integral():
    """u_t + u_xx - u_x^2 = 0, u(T) = x^2: exp(-u) is a heat kernel's average, u = x^2 / (1 + 4 r) + ln(1 + 4 r) / 2."""
    problem = SemilinearParabolic(
        1,
        HORIZON,
        0.0,
        diffusion=lambda t, x: math.sqrt(2),
        driver=lambda t, x, y, z: -ufl.dot(z, z) / 2,
        terminal=lambda x: x[0] ** 2,
        domain=interval(-6.0, 6.0),
    )
    found = solve(problem, FEM(degree=3, estimate=False))
    x = np.linspace(-1, 1, 9)[:, None]
    for t in (0.0, 0.25):
        r = HORIZON - t
        assert found(x, t) == pytest.approx(x[:, 0] ** 2 / (1 + 4 * r) + math.log(1 + 4 * r) / 2, abs=2e-3)
    assert found([[0.0]])[0] == found([[0.0]], t=0.0)[0]


def test_what_does_not_fit_is_named():
    def problem(**more):
        given = {
            "driver": lambda t, x, y, z: 0 * y,
            "terminal": lambda x: x[0],
            "domain": DOMAINS[2],
        } | more
        return SemilinearParabolic(2, 1.0, 0.0, **given)

    with pytest.raises(InputError, match=r"without domain=\.\.\. has no mesh"):
        initial_value_problem(problem(domain=None))
    for more, sentence in (
        (
            {"diffusion": lambda t, x: (1.0, 2.0, 3.0)},
            r"diffusion has shape \(3,\): it must be a scalar, \(2,\)",
        ),
        ({"drift": lambda t, x: 1.0}, r"drift has shape \(\), not \(2,\)"),
        ({"driver": lambda t, x, y, z: z}, r"driver has shape \(2,\), not \(\)"),
    ):
        with pytest.raises(InputError, match=sentence):
            solve(problem(**more), FEM())
