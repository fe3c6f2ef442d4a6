"""Values u(0, x0) of semilinear parabolic problems by other means than paths and regression, to judge solvers by.

`radial`: a problem that looks the same in all directions has one dimension in space.  `hopf_cole`: the equation with
the driver -lam |z|^2 / 2 becomes linear.  Both take the problem as it is written and check that it is of their kind.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from mlpde.errors import InputError
from mlpde.formulation.stochastic import ForwardBackwardSDE

ROTATIONS = 64  # random points at which a symmetry is looked for
SAME = 1e-9  # relative


class Referee(NamedTuple):
    """value: u(0, x0).  error: an estimate of its absolute error, from two discretisations."""

    value: float
    error: float


def isotropic_noise(sde: ForwardBackwardSDE, x: torch.Tensor) -> float:
    """The number s with sigma = s I and no drift, at points x (n, d) and all times; InputError if it is none."""
    s = sde.diffused(0.0, x, torch.ones_like(x))
    for t in (0.0, sde.horizon / 2, sde.horizon):
        drift, sigma = sde.drift(t, x), sde.diffused(t, x, torch.ones_like(x))
        same = bool(((sigma - s.flatten()[0]).abs() <= SAME * s.abs().max()).all())
        one_by_one = sde.diffused(t, x, torch.eye(sde.dim, dtype=x.dtype)[:1].expand_as(x))[:, 1:]
        if drift.abs().max() > 0 or not same or one_by_one.abs().max() > 0:
            raise InputError(
                "the referee needs drift = 0 and a diffusion that is one number: here they are not"
            )
    return float(s.flatten()[0])


def rotated(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Points (n, d) of the same norms, in random directions."""
    direction = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return x.norm(dim=1, keepdim=True) * direction / direction.norm(dim=1, keepdim=True)


def check_radial(what: str, value: torch.Tensor, elsewhere: torch.Tensor) -> None:
    """InputError unless a function has the same values (n,) at rotated points."""
    if not bool(((value - elsewhere).abs() <= SAME * (1 + value.abs())).all()):
        raise InputError(f"the referee needs {what} to be a function of |x|: a rotation changes it here")
