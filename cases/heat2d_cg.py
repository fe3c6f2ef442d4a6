"""Heat in a plate with hot pipes and cold pipes: the Heat2d-CG case of PINNacle.

u_t = Lap u on (-8, 8) x (-12, 12) without 11 large and 6 small disks, u = 0 at the start, du/dn = g - u on all
boundaries, with g = 5 on the large circles, 1 on the small ones, 0.1 outside.
"""

import ufl

from geometry import Domain
from mlpde import At, Case, Field, Problem, dt

LARGE = [(x, y, 1.0) for x in (-4, 4) for y in (-9, -3, 3, 9)] + [(0, y, 1.0) for y in (-6, 0, 6)]
SMALL = [(x, y, 0.4) for x in (-3.2, 3.2) for y in (-6, 0, 6)]
SURROUNDINGS = {"large": 5.0, "small": 1.0, "outer": 0.1}


def build(model):
    box = model.occ.addRectangle(-8, -12, 0, 16, 24)
    disks = {
        name: [model.occ.addDisk(x, y, 0, r, r) for x, y, r in circles]
        for name, circles in (("large", LARGE), ("small", SMALL))
    }
    tools = [(2, tag) for tags in disks.values() for tag in tags]
    model.occ.cut([(2, box)], tools)
    model.occ.synchronize()
    groups = {name: [] for name in SURROUNDINGS}
    for _, curve in model.getEntities(1):
        x0, *_, x1, _, _ = model.getBoundingBox(1, curve)
        kind = "outer" if model.getType(1, curve) == "Line" else "large" if x1 - x0 > 1 else "small"
        groups[kind].append(curve)
    for name, curves in groups.items():
        model.addPhysicalGroup(1, curves, name=name)


def weak_form(u, v, omega):
    volume = (dt(u) * v + ufl.inner(ufl.grad(u), ufl.grad(v))) * omega.dx
    return volume + sum((u - g) * v * omega.ds(name) for name, g in SURROUNDINGS.items())


problem = Problem(
    domain=Domain(2, build, size=0.8),
    fields=Field("u"),
    weak_form=weak_form,
    time=(0.0, 3.0),
    initial=0.0,
)
case = Case(
    "heat2d_cg",
    problem,
    quantities={
        "integral": lambda u, omega: u * omega.dx,
        "heat flow in": lambda u, omega: sum((g - u) * omega.ds(name) for name, g in SURROUNDINGS.items()),
        "between the pipes": At((2.0, 0.0), lambda u, omega: u),
    },
    solvers={"fem": {"tolerance": 1e-4}},
    source="Z. Hao et al., PINNacle, arXiv:2306.08827; the reference is DOLFINx",
)
