"""How nonlinear a driver is where a function v is: the remainder of its linearisation, and on which side it lies."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from mlpde.formulation.feynman_kac import Known, antithetic
from mlpde.formulation.stochastic import ForwardBackwardSDE

PATHS = 256
WIDE = 3.0  # deviations of y and z over the paths, in which convexity is tried
ROUNDING = 1e-5  # of the largest |f|: a second difference below is rounding


class Curvature(NamedTuple):
    """remainder: what the linearised driver leaves out of y0, if v leaves a given variance.  sign: 1 where all second
    differences of f in (y, z) are positive or zero (convex), -1 where none is positive (concave), else 0; 0 as well for
    a linear driver."""

    remainder: float
    sign: int


def driver_curvature(
    sde: ForwardBackwardSDE,
    known: Known,
    steps: int,
    variance: float,
    generator: torch.Generator,
) -> Curvature:
    """Second differences of f along sample paths, at v = known.

    The remainder is int E (f(v + e) - f(v) - f'(v) e) dt for errors e = (y, z) in random directions, with
    int |e_z|^2 dt = variance and e_y^2 = |e_z|^2 t / 2: the bound of a function of degree two or more in the Brownian
    motion, since linear ones are among the features.  Convexity is tried at random points, not proved.
    """
    dt, half = sde.horizon / steps, math.sqrt(variance / sde.horizon)
    x = sde.x0.expand(PATHS, -1)
    same = opposite = 0.0
    least = most = largest = 0.0
    for n in range(1, steps):
        t = n * dt
        x = sde.step(t - dt, dt, x, antithetic(generator, PATHS, sde.x0) * math.sqrt(dt))
        y, slope = known(t, x)
        z = sde.z_of_gradient(t, x, slope)
        f = sde.driver(t, x, y, z)
        e_z = torch.randn(z.shape, generator=generator, dtype=z.dtype, device=z.device)
        e_y = torch.randn(y.shape, generator=generator, dtype=y.dtype, device=y.device)
        unit = e_z / e_z.norm(dim=1, keepdim=True)

        def second(e_y: torch.Tensor, e_z: torch.Tensor, t=t, x=x, y=y, z=z, f=f) -> torch.Tensor:  # type: ignore[no-untyped-def]
            return 0.5 * (sde.driver(t, x, y + e_y, z + e_z) + sde.driver(t, x, y - e_y, z - e_z)) - f

        size_y = half * math.sqrt(t / 2)
        same += dt * float(second(torch.full_like(y, size_y), half * unit).mean())
        opposite += dt * float(second(torch.full_like(y, -size_y), half * unit).mean())
        wide = second(WIDE * y.std() * e_y, WIDE * z.std() * e_z)
        least, most = min(least, float(wide.min())), max(most, float(wide.max()))
        largest = max(largest, float(f.abs().max()))
    rounding = ROUNDING * largest
    sign = (most > rounding) - (least < -rounding) if (most > rounding) != (least < -rounding) else 0
    return Curvature(max(abs(same), abs(opposite)), sign)
