"""Poisson written by hand for DOLFINx, as its demos do it: what FEM costs beyond that."""

from __future__ import annotations

import time
from typing import Any

from mpi4py import MPI

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import basix.ufl
import dolfinx.io.gmsh
import numpy as np
import ufl
from dolfinx import fem
from dolfinx.fem.petsc import LinearProblem

from mlpde.problem import Dirichlet, Field, Problem
from mlpde.solvers import solver

PAIRS = 7  # of runs; the fastest of each counts


def wave(x: Any) -> Any:
    """sin(2 x) exp(y)"""
    return ufl.sin(2 * x[0]) * ufl.exp(x[1])


def by_hand(mesh: Any) -> float:
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
    g = wave(x)
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


def overhead(domain: Any, size: float) -> tuple[float, float]:
    """CPU seconds of FEM without its estimate, and of the script, on the same mesh: the best of several pairs."""

    def weak_form(u: Any, v: Any, omega: Any) -> Any:
        source = -ufl.div(ufl.grad(wave(omega.x)))
        return (ufl.inner(ufl.grad(u), ufl.grad(v)) - source * v) * omega.dx

    problem = Problem(domain, Field("u"), weak_form=weak_form, dirichlet=Dirichlet("all", wave))
    # the script takes MUMPS: at this size FEM would iterate, and win by that
    chosen: Any = solver("fem", size=size, estimate=False, linear_solver="direct")
    mesh = chosen.solve(problem).mesh
    by_hand(mesh)  # compiles
    pairs = [(chosen.solve(problem).info["cpu_seconds"], by_hand(mesh)) for _ in range(PAIRS)]
    ours, theirs = np.min(pairs, axis=0)
    return float(ours), float(theirs)
