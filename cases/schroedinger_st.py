"""Schroedinger equation i psi_t = -1/2 psi_xx on a periodic interval, psi = u + i v, two travelling waves."""

import math

import ufl

from geometry import interval
from mlpde import Case, Field, Periodic, Problem, dt

K = 2 * math.pi / 5


def phases(x, t):
    return [K * x[0] - K**2 / 2 * t, 2 * K * x[0] - 2 * K**2 * t]


def real(x, t):
    one, two = phases(x, t)
    return ufl.cos(one) + ufl.cos(two) / 2


def imaginary(x, t):
    one, two = phases(x, t)
    return ufl.sin(one) + ufl.sin(two) / 2


def weak_form(psi, test, omega):
    (u, v), (a, b) = psi, test
    slopes = ufl.inner(ufl.grad(v), ufl.grad(a)) - ufl.inner(ufl.grad(u), ufl.grad(b))
    return (dt(u) * a + dt(v) * b - slopes / 2) * omega.dx


problem = Problem(
    domain=interval(0.0, 5.0),
    fields=[Field("u"), Field("v")],
    weak_form=weak_form,
    periodic=Periodic("left", "right"),
    time=(0.0, 2.0),
    initial={"u": lambda x: real(x, 0), "v": lambda x: imaginary(x, 0)},
    exact={"u": real, "v": imaginary},
)
case = Case(
    "schroedinger_st",
    problem,
    source="interval of J. Chen, W. E, Y. Luo, arXiv:2304.06913; the waves are ours",
)
