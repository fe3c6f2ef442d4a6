"""Weak forms that several cases share, written once."""

import ufl


def strain(u):
    """Linearised strain, sym(grad u)."""
    return ufl.sym(ufl.grad(u))


def plane_stress(u, youngs_modulus, poisson_ratio):
    """Stress of plane-stress linear elasticity: E / (1 + nu) (eps + nu / (1 - nu) tr(eps) I)."""
    eps = strain(u)
    factor = youngs_modulus / (1 + poisson_ratio)
    return factor * (eps + poisson_ratio / (1 - poisson_ratio) * ufl.tr(eps) * ufl.Identity(2))
