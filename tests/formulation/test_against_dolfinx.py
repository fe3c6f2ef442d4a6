"""One text, two evaluations: DOLFINx and torch give the same integrand at the same points."""

import numpy as np
import pytest
import torch
import ufl
from manufactured import assert_close
from mpi4py import MPI  # loads the MPI library, before dolfinx

from mlpde.formulation.symbolic import tensor
from mlpde.formulation.torch_expression import Slot, TorchFunction


def integrand(u, x, n=None):
    """Neo-Hookean energy density with moduli that depend on x; on the boundary with the work of a pressure."""
    F = ufl.Identity(2) + ufl.grad(u)
    J = ufl.det(F)
    density = (
        ufl.exp(x[0]) * (ufl.tr(F.T * F) - 2 - 2 * ufl.ln(J))
        + ufl.conditional(ufl.gt(x[1], 0.4), 3.0, x[0]) * J**2
    )
    return density if n is None else density + ufl.inner(u, ufl.cofac(F) * n) * x[1]


@pytest.fixture(scope="module")
def displacement():
    """A quadratic displacement on a distorted mesh."""
    from dolfinx import fem, mesh

    square = mesh.create_unit_square(MPI.COMM_SELF, 3, 3)
    x, y = square.geometry.x[:, 0].copy(), square.geometry.x[:, 1].copy()
    square.geometry.x[:, 0] += 0.1 * np.sin(3 * y)
    square.geometry.x[:, 1] += 0.1 * x**2
    u = fem.Function(fem.functionspace(square, ("Lagrange", 2, (2,))))
    u.interpolate(lambda x: 0.2 * np.stack([np.sin(2 * x[0]) * x[1], np.cos(x[0] + 2 * x[1])]))
    return u


@pytest.mark.parametrize("on_boundary", [False, True], ids=["inside", "boundary"])
def test_the_integrand_is_the_same(displacement, on_boundary):
    import basix
    from dolfinx import fem, mesh

    u = displacement
    grid = u.function_space.mesh
    if on_boundary:
        reference_points, _ = basix.make_quadrature(basix.CellType.interval, 5)
        grid.topology.create_connectivity(1, 2)
        facets = mesh.exterior_facet_indices(grid.topology)
        entities = fem.compute_integration_domains(
            fem.IntegralType.exterior_facet, grid.topology, facets
        ).reshape(-1, 2)
    else:
        reference_points, _ = basix.make_quadrature(basix.CellType.triangle, 5)
        entities = np.arange(grid.topology.index_map(2).size_local, dtype=np.int32)

    def values(expression):
        compiled = fem.Expression(expression, reference_points)
        return torch.from_numpy(compiled.eval(grid, entities).reshape(-1, *expression.ufl_shape))

    x, n = ufl.SpatialCoordinate(grid), ufl.FacetNormal(grid) if on_boundary else None
    expected = values(integrand(u, x, n))
    gradient = values(ufl.grad(u))
    jets = {(): values(u), (0,): gradient[..., 0], (1,): gradient[..., 1]}
    function = TorchFunction([tensor(integrand(u, x, n))], {u: Slot(0)}, dim=2)
    (actual,) = function(values(x), values(n) if on_boundary else None, jets)
    assert len(actual) == len(entities) * len(reference_points)
    assert_close(actual, expected, 1e-13)
