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


def stokes(unknowns, tests, viscosity=1.0):
    """Integrand of -nu Lap u + grad p = 0, div u = 0, for (u, p) and (v, q)."""
    (u, p), (v, q) = unknowns, tests
    return viscosity * ufl.inner(ufl.grad(u), ufl.grad(v)) - p * ufl.div(v) - q * ufl.div(u)


def navier_stokes(unknowns, tests, viscosity):
    """Integrand of (u . grad) u - nu Lap u + grad p = 0, div u = 0, for (u, p) and (v, q)."""
    (u, _), (v, _) = unknowns, tests
    return ufl.inner(ufl.dot(ufl.grad(u), u), v) + stokes(unknowns, tests, viscosity)


def neo_hookean_energy(u, mu, lame):
    """Energy density mu / 2 (tr F^T F - 3) - mu ln J + lambda / 2 (ln J)^2, F = I + grad u, J = det F, in 3-D.

    J. Bonet, R. D. Wood, Nonlinear Continuum Mechanics for Finite Element Analysis, 2008, section 6.4.3.
    """
    f = ufl.Identity(3) + ufl.grad(u)
    log_j = ufl.ln(ufl.det(f))
    return mu / 2 * (ufl.inner(f, f) - 3) - mu * log_j + lame / 2 * log_j**2


def on_obstacles(x, obstacles, off):
    """off^2 / (on^2 + off^2), 1 / on = sum_i 1 / (|x - c_i|^2 / r_i^2 - 1): 1 on the disks (c_i, r_i), 0 where off is.

    Times a direction it is the test function w with which minus the weak form is the force on the disks, converging at
    twice the order of the integral of the stress over their boundary. It is analytic, so quadrature spoils no digit.
    `off` should be so large that w falls evenly from the disks to where `off` is zero.
    """
    ratio = off * sum(1 / (((x[0] - a) ** 2 + (x[1] - b) ** 2) / r**2 - 1) for a, b, r in obstacles)
    return ratio**2 / (1 + ratio**2)
