"""Solutions that are right up to rounding have a small relative residual, whatever derivatives of them vanish."""

import pytest
import ufl

from geometry import rectangle
from mlpde import RFM, Dirichlet, Field, Problem, solve


def laplace(u, v, omega):
    return ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx


def wave(u, v, omega):
    return laplace(u, v, omega) - ufl.pi**2 * ufl.cos(ufl.pi * omega.x[0]) * v * omega.dx


def shear(x):
    return ufl.as_vector((ufl.sin(ufl.pi * x[1]), ufl.sin(ufl.pi * x[0])))


def stokes(up, vq, omega):
    (u, p), (v, q) = up, vq
    force = -ufl.div(ufl.grad(shear(omega.x))) + ufl.grad(ufl.cos(ufl.pi * omega.x[0]))
    return (
        ufl.inner(ufl.grad(u), ufl.grad(v)) - p * ufl.div(v) - q * ufl.div(u) - ufl.dot(force, v)
    ) * omega.dx


CORNER = (0.0, 0.0)
FLOW = [Field("u", shape=(2,)), Field("p")]
PROBLEMS = {
    "u_y = 0 where no flux is asked for": Problem(
        rectangle(), Field("u"), wave, dirichlet=Dirichlet(at=CORNER, value=1.0)
    ),
    "u_1,x = u_2,y = 0 one by one": Problem(
        rectangle(),
        FLOW,
        stokes,
        dirichlet=[Dirichlet("all", shear, field="u"), Dirichlet(at=CORNER, value=1.0, field="p")],
    ),
    "linear": Problem(
        rectangle(), Field("u"), laplace, dirichlet=Dirichlet("all", lambda x: x[0] + 2 * x[1])
    ),
    "constant": Problem(rectangle(), Field("u"), laplace, dirichlet=Dirichlet("left", 3.0)),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_right_solution_has_a_small_residual(name):
    assert solve(PROBLEMS[name], RFM(features=150, partition=(1, 1))).info["residual"] < 1e-8


def test_a_wrong_solution_has_a_large_residual():
    few = RFM(features=10, partition=(1, 1))
    problem = Problem(rectangle(), Field("u"), wave, dirichlet=Dirichlet("left", 1.0))
    assert solve(problem, few).info["residual"] > 1e-3
