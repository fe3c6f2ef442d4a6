"""Dirichlet conditions: which degrees of freedom they fix, and at what values.

The values are put into the unknown before Newton's first step; every step then vanishes there.  So the assembly only
has to know which degrees of freedom are fixed, and one-component and curved conditions need no lifting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from mpi4py import MPI

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import basix
import dolfinx
import numpy as np
import ufl
from dolfinx import fem
from numpy.typing import NDArray
from ufl.algorithms.analysis import extract_type
from ufl.classes import Variable

from geometry.places import rounded
from mlpde.errors import InputError
from mlpde.formulation.condition_rows import value_at
from mlpde.language import Omega, is_time
from mlpde.problem import Dirichlet, Eigenproblem, Field, Problem, field_of
from reference_fem.forms import bind_omega
from reference_fem.kernels import compiled
from reference_fem.mesh import DistributedMesh
from reference_fem.periodic import copied_rows, projection, spread

AT_A_NODE = 1e-9  # distance of a point condition from a node, relative to the mesh


class PointValue(NamedTuple):
    """u(point) = value for a scalar field at a point that is no node: it fixes a constant that nothing else fixes."""

    field: int
    point: NDArray
    value: float


@dataclass(frozen=True, eq=False)
class Constraints:
    """fixed: per field, the constrained degrees of freedom of this rank (ghosts included, blocks unrolled).

    markers: the same for DOLFINx's assembly.  points: conditions between the nodes.
    writes: what writes the values of each condition into the unknowns.
    projection: P of `reference_fem.periodic`, or None; its copied rows are among the fixed ones.
    """

    fixed: tuple[NDArray, ...]
    markers: list[fem.DirichletBC]
    points: tuple[PointValue, ...]
    writes: tuple[Callable[[], Any], ...] = ()
    projection: Any = None

    def update(self) -> None:
        """Write the values at the present time into the unknowns."""
        for write in self.writes:
            write()


def constrain(
    problem: Problem | Eigenproblem,
    mesh: DistributedMesh,
    unknowns: Sequence[fem.Function],
    t: fem.Constant | None = None,
) -> Constraints:
    """Write all Dirichlet values into the unknowns and say where.  On a shared corner the later condition holds.

    t: the time, at which values that depend on it are taken, now and by `Constraints.update`.

    Raises InputError for a value of the wrong shape, one that is not finite, or a point condition off the nodes that no
    shift by a constant can satisfy.
    """
    fixed: list[list[NDArray]] = [[np.empty(0, dtype=np.int32)] for _ in unknowns]
    markers: list[fem.DirichletBC] = []
    points: list[PointValue] = []
    writes: list[Callable[[], Any]] = []
    omega = bind_omega(mesh, t)
    for condition in problem.dirichlet:
        field = field_of(problem, condition)
        k = problem.fields.index(field)
        unknown = unknowns[k]
        value = _value(condition, field, omega)
        if condition.at is None:
            dofs = _on_boundaries(condition, problem, mesh, unknown.function_space)
        else:
            dofs, is_node = _nearest_node(condition, mesh.mesh, unknown.function_space)
            if not is_node and t is not None:
                raise InputError(
                    f"{condition.label}: the mesh has no node there; add the point to the geometry"
                )
            if not is_node:
                points.append(_between_nodes(condition, field, k, value, mesh))
                continue
        size = (
            unknown.function_space.dofmap.bs
        )  # 1 for edge elements, whose degrees of freedom are tangential
        if field.family == "Nedelec" and condition.component is not None:
            raise InputError(
                f"{condition.label}: a Nedelec field is fixed by its tangential trace, without component="
            )
        components = range(size) if condition.component is None else (condition.component,)
        data = _interpolation(value, unknown.function_space, components, dofs, condition)
        write = partial(_write, unknown, data, (size * dofs[:, None] + np.asarray(components)).ravel())
        write()
        writes.append(write)
        for component in components:
            unrolled = size * dofs + component
            fixed[k].append(unrolled)
            space = unknown.function_space.sub(component) if size > 1 else unknown.function_space
            if field.family == "Nedelec":
                markers.append(fem.dirichletbc(fem.Function(space), unrolled))
            else:
                markers.append(fem.dirichletbc(0.0, unrolled, space))
    unique = tuple(np.unique(np.concatenate(f)) for f in fixed)
    tied = projection(problem, mesh, [u.function_space for u in unknowns])
    every = unique
    if tied is not None:
        writes.append(partial(_spread, tied, unique, unknowns))
        every = _spread(tied, unique, unknowns)
    return Constraints(every, markers, tuple(points), tuple(writes), tied)


def _spread(
    projection: Any, fixed: tuple[NDArray, ...], unknowns: Sequence[fem.Function]
) -> tuple[NDArray, ...]:
    """The fixed degrees of freedom with those that periodic conditions fix too, whose values are written."""
    spaces = [u.function_space for u in unknowns]
    sizes = [space.dofmap.index_map.size_local * space.dofmap.bs for space in spaces]
    offsets = np.cumsum([0, *sizes])
    owned = [dofs[dofs < n] + start for dofs, n, start in zip(fixed, sizes, offsets, strict=False)]
    values = np.concatenate([u.x.array[:n] for u, n in zip(unknowns, sizes, strict=True)])
    rows, values = spread(projection, np.concatenate(owned), values)
    rows = np.union1d(rows, copied_rows(projection))
    result = []
    for u, start, n in zip(unknowns, offsets, sizes, strict=False):
        u.x.array[:n] = values[start : start + n]
        u.x.scatter_forward()
        result.append(rows[(rows >= start) & (rows < start + n)] - start)
    return tuple(result)


def _write(unknown: fem.Function, data: Callable[[], NDArray], dofs: NDArray) -> None:
    unknown.x.array[dofs] = data()[dofs]


def _value(condition: Dirichlet, field: Field, omega: Omega) -> ufl.core.expr.Expr:
    """The condition's value as an expression of the whole field's shape, or of its component's."""
    where = condition.at if condition.boundary is None else condition.boundary
    what = f"the value of field {field.name!r} on {where!r}"
    shape = field.shape if condition.component is None else ()
    return value_at(condition.value, omega, shape, what)


def _on_boundaries(
    condition: Dirichlet, problem: Problem | Eigenproblem, mesh: DistributedMesh, space: fem.FunctionSpace
) -> NDArray:
    names = condition.boundaries(problem.domain)
    facets = np.concatenate([mesh.facet_tags.find(mesh.boundaries[name]) for name in names])
    return fem.locate_dofs_topological(space, mesh.mesh.topology.dim - 1, facets)


def _nearest_node(
    condition: Dirichlet, mesh: dolfinx.mesh.Mesh, space: fem.FunctionSpace
) -> tuple[NDArray, bool]:
    """The node at the point, on the ranks that hold it; False if there is none."""
    nodes = space.tabulate_dof_coordinates()[:, : mesh.geometry.dim]
    distance = np.linalg.norm(nodes - np.asarray(condition.at), axis=1)
    lengths = np.linalg.norm(nodes, axis=1)
    nearest = mesh.comm.allreduce(distance.min(initial=np.inf), op=MPI.MIN)
    size = mesh.comm.allreduce(lengths.max(initial=0.0), op=MPI.MAX)
    if nearest > AT_A_NODE * size:
        return np.empty(0, dtype=np.int32), False
    return np.flatnonzero(distance <= AT_A_NODE * size).astype(np.int32), True


def _between_nodes(
    condition: Dirichlet, field: Field, k: int, value: ufl.core.expr.Expr, mesh: DistributedMesh
) -> PointValue:
    point = np.asarray(condition.at)
    if not mesh.source.contains(point[None])[0]:
        raise InputError(f"{condition.label} for field {field.name!r}: the point lies outside the domain")
    if field.shape:
        raise InputError(
            f"Dirichlet(at={condition.at}) for field {field.name!r}: the mesh has no node there; add the point to the "
            "geometry, or take a corner"
        )
    there = ufl.replace(value, {ufl.SpatialCoordinate(mesh.mesh): ufl.as_vector(point.tolist())})
    return PointValue(k, point, float(there(())))


def _interpolation(
    value: ufl.core.expr.Expr,
    space: fem.FunctionSpace,
    components: Sequence[int],
    dofs: NDArray,
    condition: Dirichlet,
) -> Callable[[], NDArray]:
    """Gives the value at the space's nodes, unrolled; from the cells that touch `dofs`, valid at `dofs` only.

    A value that does not depend on time is computed once.
    """
    mesh, size = space.mesh, space.dofmap.bs
    if (
        len(components) < size
    ):  # a component's condition: the expression is scalar, the others are not looked at
        rows: list[Any] = [0.0] * size
        rows[components[0]] = value
        value = ufl.as_tensor(np.array(rows).reshape(space.value_shape).tolist())
    data = fem.Function(space)
    nodal = space.element.basix_element.family == basix.ElementFamily.P
    evaluate: Callable[[], None] | None = None
    moving = any(is_time(node) for node in extract_type(value, Variable))
    if moving or extract_type(value, ufl.classes.SpatialCoordinate):
        evaluate = interpolation(value, data, dofs)
    else:
        entries = np.asarray([value[index](()) for index in np.ndindex(value.ufl_shape)], dtype=np.float64)
        if nodal:  # nothing to compile
            data.x.array.reshape(-1, size)[:] = entries
        else:
            evaluate = interpolation(fem.Constant(mesh, entries.reshape(value.ufl_shape)), data, dofs)
    used = (size * dofs[:, None] + np.asarray(components)).ravel()

    def values() -> NDArray:
        if evaluate is not None:
            evaluate()
        bad = ~np.isfinite(data.x.array[used])
        if mesh.comm.allreduce(bool(bad.any()), op=MPI.LOR):
            where = ""
            if bad.any() and nodal:
                x = space.tabulate_dof_coordinates()[:, : mesh.geometry.dim]
                where = f" at x = {rounded(x[used[bad][0] // size], x)}"
            name = condition.at if condition.boundary is None else condition.boundary
            raise InputError(f"the Dirichlet value on {name!r} is not finite{where}")
        return data.x.array

    if moving:
        return values
    once = values()
    return lambda: once


def interpolation(value: ufl.core.expr.Expr, data: fem.Function, dofs: NDArray) -> Callable[[], None]:
    """Writes the expression's values into `data`, in the cells that touch `dofs`; compiled once."""
    space = data.function_space
    touched = np.zeros(space.dofmap.index_map.size_local + space.dofmap.index_map.num_ghosts, dtype=bool)
    touched[dofs] = True
    cells = np.flatnonzero(touched[space.dofmap.list].any(1)).astype(np.int32)
    points = space.element.interpolation_points
    comm = space.mesh.comm

    def compile_value(**options: Any) -> fem.Expression:
        return fem.Expression(value, points, comm=comm, **options)

    expression = compiled(compile_value, comm=comm)
    return lambda: data.interpolate(expression, cells0=cells)
