"""Kirsch's plate: tension at infinity around a circular hole, of which a quarter is solved with the exact tractions."""

from itertools import pairwise

import ufl

from cases.forms import plane_stress, strain
from geometry import Domain
from mlpde import At, Case, Dirichlet, Field, Problem

TENSION, RADIUS, SIDE, E, NU = 1.0, 1.0, 4.0, 1.0, 0.3
HOLE_SIZE = 0.08  # of the elements at the hole


def sigma(u):
    return plane_stress(u, E, NU)


def build(model):
    corners = [(RADIUS, 0), (SIDE, 0), (SIDE, SIDE), (0, SIDE), (0, RADIUS)]
    points = [model.occ.addPoint(x, y, 0) for x, y in corners]
    lines = [model.occ.addLine(a, b) for a, b in pairwise(points)]
    arc = model.occ.addCircleArc(points[-1], model.occ.addPoint(0, 0, 0), points[0])
    model.occ.addPlaneSurface([model.occ.addCurveLoop([*lines, arc])])
    model.occ.synchronize()
    model.mesh.setSize([(0, points[0]), (0, points[-1])], HOLE_SIZE)
    for name, tag in zip(("bottom", "right", "top", "left", "hole"), [*lines, arc], strict=True):
        model.addPhysicalGroup(1, [tag], name=name)


def exact(x):
    kappa, a, r = (3 - NU) / (1 + NU), RADIUS, ufl.sqrt(x[0] ** 2 + x[1] ** 2)
    c, s = x[0] / r, x[1] / r
    cos2, sin2, factor = c**2 - s**2, 2 * s * c, TENSION * (1 + NU) / (2 * E)
    radial = r * ((kappa - 1) / 2 + cos2) + a**2 / r * (1 + (kappa + 1) * cos2) - a**4 / r**3 * cos2
    tangential = ((1 - kappa) * a**2 / r - r - a**4 / r**3) * sin2
    return factor * ufl.as_vector([radial * c - tangential * s, radial * s + tangential * c])


def weak_form(u, v, omega):
    traction = ufl.dot(sigma(exact(omega.x)), omega.n)
    return ufl.inner(sigma(u), strain(v)) * omega.dx - ufl.dot(traction, v) * omega.ds("right", "top")


problem = Problem(
    domain=Domain(2, build),
    fields=Field("u", shape=(2,)),
    weak_form=weak_form,
    dirichlet=[Dirichlet("left", 0.0, component=0), Dirichlet("bottom", 0.0, component=1)],
    exact=exact,
)
case = Case(
    "kirsch_plate",
    problem,
    quantities={"stress concentration": At((0.0, RADIUS), lambda u, omega: sigma(u)[0, 0] / TENSION)},
    published={"stress concentration": (3.0, "G. Kirsch, Z. VDI 42, 1898")},
    outputs={"stress": lambda u, omega: sigma(u)},
    solvers={"fem": {"degree": 3}},  # the stress is asked for at a point
    source="S. Timoshenko, J. N. Goodier, Theory of Elasticity, 1951, section 32",
)
