"""Referees against each other, against exact solutions, and their refusals."""

import math
from dataclasses import replace

import pytest
import ufl

from cases.allen_cahn_100d import allen_cahn
from cases.default_risk import default_risk
from cases.hjb_lq import FAMILY, hjb
from cases.reaction_diffusion import reaction_diffusion
from mlpde import InputError, SemilinearParabolic
from mlpde.referees.hopf_cole import hopf_cole
from mlpde.referees.radial import radial


@pytest.mark.parametrize("lam", FAMILY)
def test_hopf_and_cole_reproduce_the_family(lam):
    assert hopf_cole(hjb(lam)).value == pytest.approx(FAMILY[lam], abs=5e-7)


def test_hopf_and_cole_reproduce_the_published_value():
    assert hopf_cole(hjb()).value == pytest.approx(4.59016172, abs=5e-9)


@pytest.mark.parametrize(("lam", "dim", "x0"), [(1.0, 2, 0.0), (3.0, 5, 1.0), (-0.3, 10, 0.5)])
def test_the_two_referees_agree(lam, dim, x0):
    problem = replace(hjb(lam, dim), x0=x0)
    one, other = radial(problem, tolerance=1e-6), hopf_cole(problem)
    assert one.value == pytest.approx(other.value, abs=one.error + other.error)


def test_radial_reproduces_allen_and_cahn_in_a_hundred_dimensions():
    found = radial(allen_cahn())
    assert found.value == pytest.approx(0.0527813574, abs=5e-11)
    assert found.error < 1e-9


def test_radial_with_a_driver_of_time_and_place_has_its_exact_solution():
    """u = exp(t - q / 4), q = |x|^2: u_t = u and u_q = -u / 4, 1/2 s^2 Lap u = (q/4 - d/2) u at s^2 = 2."""
    dim = 3

    def driver(t, x, y, z):
        q = ufl.dot(x, x)
        u = ufl.exp(t - q / 4)
        slope = q * u**2 / 2  # |z|^2 = 2 |grad u|^2 = 8 q u_q^2
        return -u - (q / 4 - dim / 2) * u + ufl.dot(z, z) - slope + (y - u) ** 2

    problem = SemilinearParabolic(
        dim,
        0.5,
        0.4,
        diffusion=lambda t, x: math.sqrt(2),
        driver=driver,
        terminal=lambda x: ufl.exp(0.5 - ufl.dot(x, x) / 4),
    )
    assert radial(problem).value == pytest.approx(math.exp(-3 * 0.16 / 4), rel=1e-8)


@pytest.mark.parametrize(
    ("referee", "problem", "sentence"),
    [
        (radial, reaction_diffusion(4), "terminal to be a function of |x|"),
        (radial, default_risk(4), "drift = 0 and a diffusion that is one number"),
        (radial, replace(hjb(dim=3), driver=lambda t, x, y, z: z[0] ** 2), "driver to be a function of |x|"),
        (
            radial,
            replace(hjb(dim=3), diffusion=lambda t, x: (1.0, 1.0, 2.0)),
            "a diffusion that is one number",
        ),
        (radial, replace(hjb(dim=3), diffusion=lambda t, x: 1 + t), "a diffusion that is one number"),
        (hopf_cole, allen_cahn(4), "needs the driver"),
        (
            hopf_cole,
            replace(hjb(dim=3), terminal=lambda x: ufl.sin(x[0])),
            "terminal to be a function of |x|",
        ),
    ],
)
def test_a_problem_of_another_kind_is_refused(referee, problem, sentence):
    with pytest.raises(InputError, match=sentence.replace("|", r"\|")):
        referee(problem)


def test_what_is_not_resolved_is_not_returned(monkeypatch):
    monkeypatch.setattr("mlpde.referees.radial.DEGREES", (8, 16))
    kink = replace(hjb(dim=2), terminal=lambda x: abs(ufl.dot(x, x) - 1), horizon=1e-4, x0=math.sqrt(0.5))
    with pytest.raises(InputError, match="not resolved by 16 Chebyshev points"):
        radial(kink)
