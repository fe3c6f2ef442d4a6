"""Laplace with a re-entrant corner of 7/4 pi, u = r^(4/7) sin(4 theta / 7): more singular than the L-shape."""

import math

import ufl

from geometry import Domain
from mlpde import Case, Dirichlet, Field, Problem

ANGLE = 7 * math.pi / 4


def build(model):
    corners = [(0, 0), (1, 0), (1, 1), (-1, 1), (-1, -1), (1, -1)]
    points = [model.occ.addPoint(x, y, 0) for x, y in corners]
    lines = [model.occ.addLine(a, b) for a, b in zip(points, points[1:] + points[:1], strict=True)]
    model.occ.addPlaneSurface([model.occ.addCurveLoop(lines)])
    model.occ.synchronize()
    model.addPhysicalGroup(1, [lines[0], lines[-1]], name="reentrant")
    model.addPhysicalGroup(1, lines[1:-1], name="outer")


def exact(x):
    r = ufl.sqrt(x[0] ** 2 + x[1] ** 2)
    # the angle is taken from the bisector, so that atan2's branch cut lies outside the domain
    c, s = math.cos(ANGLE / 2), math.sin(ANGLE / 2)
    theta = ufl.atan2(c * x[1] - s * x[0], c * x[0] + s * x[1]) + ANGLE / 2
    return r ** (math.pi / ANGLE) * ufl.sin(math.pi / ANGLE * theta)


problem = Problem(
    domain=Domain(2, build),
    fields=Field("u"),
    weak_form=lambda u, v, omega: ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx,
    dirichlet=[Dirichlet("outer", exact), Dirichlet("reentrant", 0.0)],
    exact=exact,
)
case = Case(
    "nist_corner",
    problem,
    solvers={"fem": {"tolerance": 1e-5}},
    source="W. F. Mitchell, A collection of 2D elliptic problems, NISTIR 7668, 2010",
)
