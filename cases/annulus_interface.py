"""Two materials in a ring, conductivity 1 inside r = 1.5 and 5 outside: the flux is continuous, the slope jumps."""

import ufl

from geometry import Domain
from mlpde import Case, Dirichlet, Field, Problem

INNER, MIDDLE, OUTER = 1.0, 1.5, 2.0
KAPPA = {"soft": 1.0, "stiff": 5.0}


def build(model):
    rings = [model.occ.addDisk(0, 0, 0, r, r) for r in (OUTER, MIDDLE, INNER)]
    model.occ.cut([(2, rings[0])], [(2, rings[1])], removeTool=False)
    model.occ.cut([(2, rings[1])], [(2, rings[2])])
    model.occ.fragment([(2, rings[0])], [(2, rings[1])])
    model.occ.synchronize()
    for name, tag in (("stiff", rings[0]), ("soft", rings[1])):
        model.addPhysicalGroup(2, [tag], name=name)
    for _, curve in model.getEntities(1):
        x, _, _ = model.getValue(1, curve, [0.0])
        for name, radius in (("inner", INNER), ("outer", OUTER)):
            if abs(abs(x) - radius) < 1e-6:
                model.addPhysicalGroup(1, [curve], name=name)


def exact(x):
    """Harmonic on both sides; with s = r / 1.5, u and kappa du/ds are continuous at s = 1."""
    s = ufl.sqrt(x[0] ** 2 + x[1] ** 2) / MIDDLE
    soft, stiff = 1 / KAPPA["soft"], 1 / KAPPA["stiff"]
    # outside (a s^2 + b / s^2) cos 2 theta with a + b = 1, kappa (a - b) = 1
    a, b = (1 + stiff) / 2, (1 - stiff) / 2
    cosine = (x[0] ** 2 - x[1] ** 2) / (MIDDLE * s) ** 2
    inside = soft * ufl.ln(s) + s**2 * cosine
    outside = stiff * ufl.ln(s) + (a * s**2 + b / s**2) * cosine
    return ufl.conditional(s < 1, inside, outside)


problem = Problem(
    domain=Domain(2, build),
    fields=Field("u"),
    weak_form=lambda u, v, omega: sum(
        kappa * ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx(name) for name, kappa in KAPPA.items()
    ),
    dirichlet=Dirichlet("all", exact),
    exact=exact,
)
case = Case("annulus_interface", problem, source="harmonic functions in a ring, matched by hand")
