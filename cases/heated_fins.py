"""A finned heat sink under a chip whose power pulsates: conduction, cooled by air; in SI units.

rho c u_t = div(k grad u) for the temperature u above the air's, u = 0 at the start, k du/dn = q(t) on the chip and
k du/dn = -h u on the surface in the air.
"""

from itertools import pairwise

import ufl

from geometry import Domain
from mlpde import At, Case, Field, Problem, dt

FINS, WIDTH, PITCH, FIN_HEIGHT, BASE_HEIGHT = 5, 0.003, 0.012, 0.025, 0.006
CONDUCTIVITY, HEAT_CAPACITY, TRANSFER = 200.0, 2.43e6, 50.0  # aluminium: W/(m K), J/(m^3 K); air: W/(m^2 K)
CHIP, POWER, PERIOD = 0.02, 2e4, 60.0  # m, W/m^2, s


def build(model):
    right = FINS * PITCH / 2
    outline = [(-right, 0), (-CHIP / 2, 0), (CHIP / 2, 0), (right, 0), (right, BASE_HEIGHT)]
    for k in reversed(range(FINS)):
        x, top = (k - (FINS - 1) / 2) * PITCH, BASE_HEIGHT + FIN_HEIGHT
        a, b = x + WIDTH / 2, x - WIDTH / 2
        outline += [(a, BASE_HEIGHT), (a, top), (b, top), (b, BASE_HEIGHT)]
    points = [model.occ.addPoint(x, y, 0) for x, y in [*outline, (-right, BASE_HEIGHT)]]
    lines = [model.occ.addLine(a, b) for a, b in pairwise([*points, points[0]])]
    model.occ.addPlaneSurface([model.occ.addCurveLoop(lines)])
    model.occ.synchronize()
    for name, curves in {"bottom": lines[0:3:2], "chip": [lines[1]], "air": lines[3:]}.items():
        model.addPhysicalGroup(1, curves, name=name)


def power(t):
    return POWER * (1 - ufl.cos(2 * ufl.pi * t / PERIOD))


def weak_form(u, v, omega):
    volume = HEAT_CAPACITY * dt(u) * v + CONDUCTIVITY * ufl.inner(ufl.grad(u), ufl.grad(v))
    return volume * omega.dx + TRANSFER * u * v * omega.ds("air") - power(omega.t) * v * omega.ds("chip")


problem = Problem(
    domain=Domain(2, build, size=0.0015),
    fields=Field("u"),
    weak_form=weak_form,
    time=(0.0, 150.0),
    initial=0.0,
)
case = Case(
    "heated_fins",
    problem,
    quantities={
        "chip": At((0.0, 0.0), lambda u, omega: u),
        "fin tip": At((0.0, BASE_HEIGHT + FIN_HEIGHT), lambda u, omega: u),
        "heat flow out": lambda u, omega: TRANSFER * u * omega.ds("air"),
    },
    solvers={"fem": {"tolerance": 1e-4}},
    source="defined here; the reference is DOLFINx",
)
