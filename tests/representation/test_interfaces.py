"""Two materials: one set of features a side, values and fluxes joined on the interface that gmsh knows."""

import numpy as np
import pytest
import ufl

from geometry import Domain
from mlpde import Dirichlet, Field, InputError, Problem, Solution
from mlpde.exact import exact_solution
from mlpde.solvers.pinn import PINN
from mlpde.solvers.rfm import RFM
from mlpde.solving import as_case

KAPPA = {"left side": 1.0, "right side": 10.0}


def build(model):
    parts = [model.occ.addRectangle(x, 0, 0, 1, 1) for x in (-1, 0)]
    model.occ.fragment([(2, parts[0])], [(2, parts[1])])
    model.occ.synchronize()
    for name, tag in zip(KAPPA, parts, strict=True):
        model.addPhysicalGroup(2, [tag], name=name)
    outer = [t for _, t in model.getBoundary([(2, t) for t in parts], combined=True, oriented=False)]
    model.addPhysicalGroup(1, outer, name="outer")


DOMAIN = Domain(2, build)


def exact(x):
    """sin(x) / kappa e^y: value 0 and flux e^y on both sides of x = 0; plus cos(x) e^y, which is smooth."""
    kappa = ufl.conditional(x[0] < 0, *KAPPA.values())
    return (ufl.sin(x[0]) / kappa + ufl.cos(x[0])) * ufl.exp(x[1])


def weak_form(u, v, omega):
    return sum(k * ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx(name) for name, k in KAPPA.items())


PROBLEM = Problem(DOMAIN, Field("u"), weak_form, dirichlet=Dirichlet("outer", exact), exact=exact)


def test_points_between_two_regions_lie_on_the_interface_with_normals_from_the_first_to_the_second():
    points, normals = DOMAIN.between("left side", "right side", 10)
    assert np.allclose(points[:, 0], 0)
    assert np.allclose(np.sort(points[:, 1]), (np.arange(10) + 0.5) / 10)
    assert np.allclose(normals, [1, 0])
    assert np.allclose(DOMAIN.between("right side", "left side", 10)[1], [-1, 0])


def test_a_jump_of_the_conductivity_is_solved_to_rounding(tmp_path):
    solution = RFM(features=150, partition=(1, 1), activation="sin", scale=3.0).solve(PROBLEM)
    assert solution.error(exact_solution(as_case(PROBLEM)))["u"]["h1"] < 1e-9
    y = np.linspace(0.1, 0.9, 5)
    slopes = [solution.gradient(np.column_stack([0 * y + x, y]))[:, 0] for x in (-1e-9, 1e-9)]
    assert np.allclose(slopes[0], 10 * slopes[1], rtol=1e-6)
    points = DOMAIN.interior(40, seed=2)
    restored = Solution.load(solution.save(tmp_path / "saved"))
    assert np.array_equal(restored(points), solution(points))


def test_other_settings_and_solvers_are_refused_in_one_sentence():
    with pytest.raises(InputError, match="global_features are smooth"):
        RFM(features=50, partition=(1, 1), global_features=10).solve(PROBLEM)
    with pytest.raises(InputError, match="flux differs between the regions"):
        PINN().solve(PROBLEM)
