"""What RFM says of problems, data and settings that cannot give what was asked."""

import pytest
import ufl

from geometry import rectangle
from mlpde import Dirichlet, Field, InputError, Problem
from mlpde.solvers.rfm import RFM

SMALL = {"features": 60, "partition": (2, 2), "activation": "sin", "scale": 1.5}


def poisson(source, value=0.0):
    def weak_form(u, v, omega):
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - source(omega.x) * v) * omega.dx

    return Problem(rectangle(), Field("u"), weak_form, dirichlet=Dirichlet("all", value))


def test_time_blocks_of_a_steady_problem_are_refused():
    with pytest.raises(InputError, match=r"rfm.time_blocks=3 splits time, and the problem has none"):
        RFM(time_blocks=3, **SMALL).solve(poisson(lambda x: 1.0))


def test_a_residual_just_above_the_tolerance_is_told_with_more_digits():
    problem = poisson(lambda x: ufl.sin(3 * x[0]))
    residual = RFM(**SMALL).solve(problem).info["residual"]
    tolerance = residual * (1 - 1e-3)
    told = next(w for w in RFM(tolerance=tolerance, **SMALL).solve(problem).info["warnings"] if "above" in w)
    assert f"is {residual:.6e}, above the tolerance {tolerance:g}: " in told
    assert told.endswith("unless the solution is singular or the data contradict each other")
