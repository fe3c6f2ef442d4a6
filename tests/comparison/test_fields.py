"""Fields on the nodes of a mesh: where materials meet there is a node on each side."""

import numpy as np
import ufl

from geometry import Domain
from mlpde import Case, Dirichlet, Field, Problem
from mlpde.exact import exact_solution
from mlpde.fields import sample
from mlpde.solving import solve
from reference_fem import FEM


def build(model):
    pieces = [model.occ.addRectangle(x, 0, 0, 1, 1) for x in (0.0, 1.0)]
    model.occ.fragment([(2, pieces[0])], [(2, pieces[1])])
    model.occ.synchronize()
    for tag, name in zip(pieces, ("left", "right"), strict=True):
        model.addPhysicalGroup(2, [tag], name=name)
    outer = [tag for _, tag in model.getBoundary([(2, tag) for tag in pieces], oriented=False)]
    model.addPhysicalGroup(1, outer, name="outer")


def exact(x):
    return ufl.conditional(ufl.lt(x[0], 1), 4 * x[0], 3 + x[0])


def weak_form(u, v, omega):
    slopes = ufl.inner(ufl.grad(u), ufl.grad(v))
    return slopes * omega.dx("left") + 4 * slopes * omega.dx("right")


def test_a_gradient_that_jumps_is_that_of_either_side():
    problem = Problem(
        Domain(2, build, size=0.5), Field("u"), weak_form, dirichlet=Dirichlet("outer", exact), exact=exact
    )
    case = Case("layers", problem, outputs={"slope": lambda u, omega: u.dx(0)})
    solution, reference = solve(case, FEM(estimate=False)), exact_solution(case)
    fields = sample({"reference": reference, "fem": solution}, solution.mesh)
    assert fields.values["fem.slope.error"].max() < 1e-9
    middle = np.abs(fields.points[:, 0] - 1) < 1e-6
    assert sorted(set(fields.values["fem.slope"][middle].round(6))) == [1.0, 4.0]
    assert np.isclose(fields.values["fem.u"][middle], 4.0, atol=1e-5).all()
