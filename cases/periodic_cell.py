"""Heat conduction past a square array of holes: the corrector on one periodic cell, and the effective conductivity.

w periodic, -div(e_1 + grad w) = 0, no flux through the hole; the effective conductivity is int (e_1 + grad w)_1.
"""

import math

import ufl

from geometry import plate_with_holes
from mlpde import Case, Field, Periodic, Problem

FRACTION = 0.2  # area of the hole in the unit cell


def rayleigh(fraction):
    """Effective conductivity of a matrix of conductivity 1 with a square array of circular holes; error O(f^13)."""
    f = fraction
    return 1 - 2 * f / (1 + f - 0.305827 * f**4 / (1 - 1.402958 * f**8) - 0.013362 * f**8)


def flux(w):
    return ufl.as_vector((1.0, 0.0)) + ufl.grad(w)


problem = Problem(
    domain=plate_with_holes(width=1.0, height=1.0, holes=[(0.5, 0.5, math.sqrt(FRACTION / math.pi))]),
    fields=Field("w", mean_zero=True),
    weak_form=lambda w, v, omega: ufl.inner(flux(w), ufl.grad(v)) * omega.dx,
    periodic=[Periodic("left", "right"), Periodic("bottom", "top")],
)
case = Case(
    "periodic_cell",
    problem,
    quantities={"effective conductivity": lambda w, omega: flux(w)[0] * omega.dx},
    published={
        "effective conductivity": (
            rayleigh(FRACTION),
            "W. T. Perrins, D. R. McKenzie, R. C. McPhedran, Proc. R. Soc. A 369, 1979, doi:10.1098/rspa.1979.0160",
        )
    },
    source="Lord Rayleigh, Phil. Mag. 34, 1892, doi:10.1080/14786449208620364; Perrins et al. 1979",
)
