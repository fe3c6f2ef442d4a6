"""FEM without its estimate against the same problem written by hand for DOLFINx, on the same mesh."""

import time

from mpi4py import MPI

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import basix.ufl
import dolfinx.io.gmsh
import numpy as np
import pytest
import ufl
from dolfinx import fem
from dolfinx.fem.petsc import LinearProblem

from geometry import annulus, rectangle
from mlpde import Dirichlet
from reference_fem import FEM


def by_hand(mesh, known) -> float:
    """A demo's script: mesh arrays in, degrees of freedom out; the processor's time it takes."""
    start = time.process_time()
    order = mesh.order if mesh.curved.any() else 1
    cell = dolfinx.mesh.CellType.triangle
    vertices, cells = np.unique(mesh.cells[:, : {1: 3, 2: 6}[order]], return_inverse=True)
    cells = cells.reshape(len(mesh.cells), -1)
    permutation = dolfinx.io.gmsh.cell_perm_array(cell, cells.shape[1])
    element = basix.ufl.element("Lagrange", "triangle", order, shape=(2,))
    domain = dolfinx.mesh.create_mesh(MPI.COMM_WORLD, cells[:, permutation], element, mesh.points[vertices])
    domain.topology.create_connectivity(1, 2)
    space = fem.functionspace(domain, ("Lagrange", 2))
    u, v, x = ufl.TrialFunction(space), ufl.TestFunction(space), ufl.SpatialCoordinate(domain)
    g = known.wave(x)
    data = fem.Function(space)
    data.interpolate(fem.Expression(g, space.element.interpolation_points))
    facets = dolfinx.mesh.exterior_facet_indices(domain.topology)
    conditions = [fem.dirichletbc(data, fem.locate_dofs_topological(space, 1, facets))]
    problem = LinearProblem(
        ufl.inner(ufl.grad(u), ufl.grad(v)) * ufl.dx,
        -ufl.div(ufl.grad(g)) * v * ufl.dx,
        bcs=conditions,
        petsc_options={"ksp_type": "preonly", "pc_type": "lu", "pc_factor_mat_solver_type": "mumps"},
        petsc_options_prefix="by_hand_",
    )
    problem.solve()
    return time.process_time() - start


@pytest.mark.slow
@pytest.mark.parametrize(
    ("domain", "size"), [(rectangle(), 0.008), (annulus(), 0.012)], ids=["square", "annulus"]
)
def test_costs_at_most_15_percent_more_than_by_hand(domain, size, known):
    problem = known.poisson(domain, known.wave, Dirichlet("all", known.wave))
    solver = FEM(size=size, estimate=False)
    mesh = solver.solve(problem).mesh
    by_hand(mesh, known)  # compiles
    pairs = [(solver.solve(problem).info["cpu_seconds"], by_hand(mesh, known)) for _ in range(7)]
    ours, theirs = np.min(pairs, axis=0)
    print(f"ours {ours:.3f} s, by hand {theirs:.3f} s, ratio {ours / theirs:.3f}")
    assert ours < 1.15 * theirs
