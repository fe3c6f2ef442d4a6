"""Navier-Stokes over a backward-facing step, viscosity 0.01: the NS2d-CG case of PINNacle.

At the outlet nu du/dn = p n, which the weak form contains. PINNacle's p = 0 there as well would be one condition too
many: nu du/dn is about a hundredth of the pressure drop, and finite elements would meet both in one layer of cells.
"""

import ufl

from cases.forms import navier_stokes
from geometry import Domain
from mlpde import At, Case, Dirichlet, Field, Problem

VISCOSITY = 0.01


def build(model):
    corners = [(0, 0), (4, 0), (4, 2), (2, 2), (2, 1), (0, 1)]
    points = [model.occ.addPoint(x, y, 0) for x, y in corners]
    lines = [model.occ.addLine(a, b) for a, b in zip(points, points[1:] + points[:1], strict=True)]
    model.occ.addPlaneSurface([model.occ.addCurveLoop(lines)])
    model.occ.synchronize()
    for name, numbers in {"walls": (0, 2, 3, 4), "outlet": (1,), "inlet": (5,)}.items():
        model.addPhysicalGroup(1, [lines[k] for k in numbers], name=name)


problem = Problem(
    domain=Domain(2, build, size=0.1),
    fields=[Field("u", shape=(2,)), Field("p")],
    weak_form=lambda unknowns, tests, omega: navier_stokes(unknowns, tests, VISCOSITY) * omega.dx,
    dirichlet=[
        Dirichlet("inlet", lambda x: ufl.as_vector([4 * x[1] * (1 - x[1]), 0]), field="u"),
        Dirichlet("walls", (0.0, 0.0), field="u"),
    ],
)
case = Case(
    "ns2d_backstep",
    problem,
    quantities={
        "flow rate out": lambda up, omega: ufl.dot(up[0], omega.n) * omega.ds("outlet"),
        "pressure before the step": At((1.5, 0.5), lambda up, omega: up[1]),
    },
    published={"flow rate out": (2 / 3, "2 / 3")},
    source="Z. Hao et al., PINNacle, arXiv:2306.08827; the reference is DOLFINx",
)
