"""Problems with known solutions, and errors measured on a quadrature of their own, for the tests of the reference."""

import sys

import numpy as np
import pytest
import ufl

from geometry import Domain
from mlpde import Field, Problem


@pytest.fixture
def known():
    """The functions of this file."""
    return sys.modules[__name__]


def wave(x):
    """sin(2 x) exp(y)"""
    return ufl.sin(2 * x[0]) * ufl.exp(x[1])


def wave_values(x):
    """Value (n,) and gradient (n, 2) of `wave`."""
    s, c, e = np.sin(2 * x[:, 0]), np.cos(2 * x[:, 0]), np.exp(x[:, 1])
    return s * e, np.stack([2 * c * e, s * e], axis=1)


def poisson(domain: Domain, exact, dirichlet) -> Problem:
    """-Lap u = f with the natural condition of `exact` wherever `dirichlet` says nothing."""

    def weak_form(u, v, omega):
        g = exact(omega.x)
        source = -ufl.div(ufl.grad(g))
        volume = (ufl.inner(ufl.grad(u), ufl.grad(v)) - source * v) * omega.dx
        return volume - ufl.dot(ufl.grad(g), omega.n) * v * omega.ds

    return Problem(domain, Field("u"), weak_form=weak_form, dirichlet=dirichlet)


def displacement(x):
    return ufl.as_vector([ufl.sin(x[0]) * x[1], ufl.cos(x[1]) * x[0]])


def displacement_values(x):
    return np.stack([np.sin(x[:, 0]) * x[:, 1], np.cos(x[:, 1]) * x[:, 0]], axis=1)


def strain(u):
    return ufl.sym(ufl.grad(u))


def stress(u, x):
    """Hooke's law with moduli that vary in space."""
    return 2 * (1 + x[0] ** 2) * strain(u) + 1.5 * ufl.tr(strain(u)) * ufl.Identity(2)


def elasticity(domain: Domain, dirichlet) -> Problem:
    """-div sigma = f with the tractions of `displacement` wherever `dirichlet` says nothing."""

    def weak_form(u, v, omega):
        exact = stress(displacement(omega.x), omega.x)
        volume = ufl.inner(stress(u, omega.x), strain(v)) + ufl.dot(ufl.div(exact), v)
        return volume * omega.dx - ufl.dot(ufl.dot(exact, omega.n), v) * omega.ds

    return Problem(domain, Field("u", shape=(2,)), weak_form=weak_form, dirichlet=dirichlet)


def l2(solution, exact, degree: int = 8) -> float:
    """Relative L2 error of all components together; `exact(x)` gives (n,) or (n, M)."""
    x, weights = solution.mesh.quadrature(degree)
    values = solution.model.jets(x, [()])[()]
    right = exact(x).reshape(values.shape)
    return float(np.sqrt(weights @ ((values - right) ** 2).sum(1) / (weights @ (right**2).sum(1))))


def h1(solution, exact, degree: int = 8) -> float:
    """Relative error in the full H1 norm of a scalar field; `exact(x)` gives value and gradient."""
    x, weights = solution.mesh.quadrature(degree)
    alphas = [(), *((i,) for i in range(x.shape[1]))]
    jets = solution.model.jets(x, alphas)
    value, gradient = exact(x)
    right = np.column_stack([value, gradient])
    values = np.column_stack([jets[alpha][:, 0] for alpha in alphas])
    return float(np.sqrt(weights @ ((values - right) ** 2).sum(1) / (weights @ (right**2).sum(1))))


def orders(errors) -> np.ndarray:
    """Orders of convergence of errors under halving of the size."""
    errors = np.asarray(errors)
    return np.log2(errors[:-1] / errors[1:])
