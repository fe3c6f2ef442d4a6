"""u(0, x0) where the driver is -lam |z|^2 / 2, by the transformation of Hopf and Cole and one integral.

With drift 0 and sigma = s a number, w = exp(-lam u) satisfies w_t + s^2/2 Lap w = 0, so that

    u(0, x0) = -1/lam log E exp(-lam g(X)),    X = x0 + s sqrt(T) xi,    xi standard normal.

If g is a function of |x|, only the density of |X|^2 / (s^2 T) is needed: chi-square with d degrees of freedom,
noncentral by |x0|^2 / (s^2 T).  Composite Gauss quadrature in |X|, in logarithms because exp(-lam g) is steep.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.special import logsumexp
from scipy.stats import chi2, ncx2

from mlpde.errors import InputError
from mlpde.formulation.stochastic import ForwardBackwardSDE
from mlpde.problem import SemilinearParabolic
from mlpde.referees import ROTATIONS, SAME, Referee, check_radial, isotropic_noise, rotated

REACH = 40.0  # standard deviations beyond the typical |X|: steep exp(-lam g) moves the mass
PANELS, NODES = 400, 20


def hopf_cole(problem: SemilinearParabolic) -> Referee:
    """u(0, x0); InputError unless the driver is -lam |z|^2 / 2 with a constant lam, and terminal is radial."""
    sde = ForwardBackwardSDE(problem)
    random = torch.Generator().manual_seed(0)
    spread = float(sde.x0.norm()) + math.sqrt(sde.horizon)
    x = torch.randn(ROTATIONS, sde.dim, generator=random, dtype=torch.float64) * spread
    s = isotropic_noise(sde, x)
    check_radial("terminal", sde.terminal(x), sde.terminal(rotated(x, random)))
    lam = _lam(sde, x, random)
    coarse, fine = (_value(sde, s, lam, panels) for panels in (PANELS, 2 * PANELS))
    return Referee(fine, abs(fine - coarse))


def _lam(sde: ForwardBackwardSDE, x: torch.Tensor, random: torch.Generator) -> float:
    y = torch.randn(len(x), generator=random, dtype=torch.float64)
    z = torch.randn(x.shape, generator=random, dtype=torch.float64)
    lam = torch.cat([-2 * sde.driver(t, x, y, z) / z.square().sum(1) for t in (0.0, sde.horizon)])
    if not bool(((lam - lam[0]).abs() <= SAME * lam[0].abs()).all()) or lam[0] == 0:
        raise InputError(
            "the transformation of Hopf and Cole needs the driver -lam |z|^2 / 2 with a constant lam"
        )
    return float(lam[0])


def _value(sde: ForwardBackwardSDE, s: float, lam: float, panels: int) -> float:
    unit = abs(s) * math.sqrt(sde.horizon)
    shift = (float(sde.x0.norm()) / unit) ** 2
    end = math.sqrt(shift) + math.sqrt(sde.dim) + REACH
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    edges = np.linspace(0.0, end, panels + 1)
    rho = ((edges[:-1] + edges[1:])[:, None] / 2 + np.diff(edges)[:, None] / 2 * nodes).ravel()
    log_weights = np.log(np.tile(weights, panels) * end / panels / 2)
    x = torch.zeros(len(rho), sde.dim, dtype=torch.float64)
    x[:, 0] = torch.from_numpy(unit * rho)
    law = ncx2(sde.dim, shift) if shift else chi2(sde.dim)
    log_density = law.logpdf(rho**2) + np.log(2 * rho)
    return -float(logsumexp(log_weights + log_density - lam * sde.terminal(x).numpy())) / lam
