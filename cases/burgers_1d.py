"""Burgers' equation, viscosity 0.01 / pi: a sine steepens into a layer of width 0.005, by Cole and Hopf exactly.

u(x, t) = - sum_k w_k sin(pi y_k) e_k / sum_k w_k e_k,  e_k = exp(-cos(pi y_k) / (2 pi nu)),  y_k = x - 2 sqrt(nu t) z_k
with the nodes z_k and weights w_k of Gauss and Hermite; 80 of them are exact to 1e-12 for t <= 1.
"""

import math

import numpy as np
import ufl

from geometry import interval
from mlpde import Case, Dirichlet, Field, Problem, dt, total

NU = 0.01 / math.pi
NODES = 80


def exact(x, t):
    nodes, weights = np.polynomial.hermite.hermgauss(NODES)
    width = ufl.sqrt(4 * NU * t)
    above, below = [], []
    for z, w in zip(nodes.tolist(), weights.tolist(), strict=True):
        y = ufl.pi * (x[0] - width * z)
        e = w * ufl.exp(-ufl.cos(y) / (2 * math.pi * NU))
        above.append(-ufl.sin(y) * e)
        below.append(e)
    return total(ufl.as_vector(above)) / total(ufl.as_vector(below))


def weak_form(u, v, omega):
    return (dt(u) * v + u * u.dx(0) * v + NU * ufl.inner(ufl.grad(u), ufl.grad(v))) * omega.dx


problem = Problem(
    domain=interval(-1.0, 1.0),
    fields=Field("u"),
    weak_form=weak_form,
    dirichlet=Dirichlet("all", 0.0),
    time=(0.0, 1.0),
    initial=lambda x: -ufl.sin(ufl.pi * x[0]),
    exact=exact,
)
case = Case(
    "burgers_1d",
    problem,
    source="M. Raissi, P. Perdikaris, G. E. Karniadakis, J. Comput. Phys. 378, 2019, doi:10.1016/j.jcp.2018.10.045",
)
