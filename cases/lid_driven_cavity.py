"""Navier-Stokes in a square whose lid moves, Re = 100, beside published tables."""

from cases.forms import navier_stokes
from geometry import rectangle
from mlpde import At, Case, Dirichlet, Field, Problem

GHIA = "U. Ghia, K. N. Ghia, C. T. Shin, J. Comput. Phys. 48, 1982"
BOTELLA = "O. Botella, R. Peyret, Computers & Fluids 27(4), 1998, doi:10.1016/S0045-7930(98)00002-4"
MARCHI = "C. H. Marchi, R. Suero, L. K. Araki, J. Braz. Soc. Mech. Sci. Eng. 31(3), 2009 (from a secondary listing)"
# Reynolds number -> velocity component, point, value, source, where the flow is fastest.  At Re = 100 Ghia's tables are
# 1.5 % off in x and 3.4 % in y, as Marchi's extrapolated values (error 1e-7) show.
TABLE = {
    100: [
        (0, (0.5, 0.4531), -0.21090, GHIA),
        (0, (0.5, 0.4375), -0.212962, MARCHI),
        (0, (0.5, 0.5), -0.209149, MARCHI),
        (1, (0.8047, 0.5), -0.24533, GHIA),
        (1, (0.8125, 0.5), -0.253769, MARCHI),
    ],
    400: [(0, (0.5, 0.2813), -0.32726, GHIA)],
    1000: [
        (0, (0.5, 0.1717), -0.3885698, BOTELLA),
        (1, (0.1578, 0.5), 0.3769447, BOTELLA),
        (1, (0.9092, 0.5), -0.5270771, BOTELLA),
    ],
}


def cavity(reynolds, domain=None):
    """The case at a Reynolds number, with the published values of TABLE if it is there."""

    def value(component, point):
        return At(point, lambda up, omega: up[0][component])

    named = {f"velocity {'xy'[row[0]]} at {row[1]}": row for row in TABLE.get(reynolds, ())}
    return Case(
        "lid_driven_cavity",
        Problem(
            domain=domain or rectangle(),
            fields=[Field("u", shape=(2,)), Field("p", mean_zero=True)],
            weak_form=lambda unknowns, tests, omega: navier_stokes(unknowns, tests, 1 / reynolds) * omega.dx,
            dirichlet=[
                Dirichlet("top", (1.0, 0.0), field="u"),
                Dirichlet(("left", "right", "bottom"), (0.0, 0.0), field="u"),
            ],
        ),
        quantities={name: value(*row[:2]) for name, row in named.items()},
        published={name: row[2:] for name, row in named.items()},
        source=GHIA,
    )


case = cavity(100)
