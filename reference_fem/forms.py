"""The problem's weak form on a DOLFINx mesh: residual and Jacobian, compiled, for one or several Lagrange fields.

    F(u; v) = 0 for all v,        J(u; du, v) = dF/du [du]

In time the forms read functions for the rates as well, F(u, u', u''; v) = 0 at the time t.  Every scheme makes them
u' = a u + h and u'' = a u' + g with known h and g, so J = dF/du + a dF/du' + a^2 dF/du''.

Several fields live in separate spaces and give blocked forms: sub-spaces of a mixed element can be wrong in DOLFINx.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from mpi4py import MPI  # noqa: F401

# isort: split
# The line above loads the MPI library that PETSc and DOLFINx need.
import basix.ufl
import dolfinx
import ufl
from dolfinx import fem
from ufl.algorithms import expand_derivatives
from ufl.algorithms.check_arities import ArityMismatch, check_form_arity
from ufl.algorithms.remove_complex_nodes import remove_complex_nodes

from mlpde.errors import InputError
from mlpde.formulation.weak_form import build_form, unpacked
from mlpde.language import NamedMeasure, Omega, time_variable
from mlpde.problem import Field, Problem
from reference_fem.function import VARIANT
from reference_fem.kernels import compiled
from reference_fem.mesh import DistributedMesh


def bind_omega(mesh: DistributedMesh, t: fem.Constant | None = None) -> Omega:
    """`omega` of a weak form on this mesh, at the time `t`."""
    domain = mesh.mesh
    dx = ufl.Measure("dx", domain=domain, subdomain_data=mesh.cell_tags)
    ds = ufl.Measure("ds", domain=domain, subdomain_data=mesh.facet_tags)
    return Omega(
        x=ufl.SpatialCoordinate(domain),
        n=ufl.FacetNormal(domain),
        dx=NamedMeasure(dx, mesh.regions, "region"),
        ds=NamedMeasure(ds, mesh.boundaries, "boundary"),
        t=None if t is None else time_variable(t),
    )


def field_space(mesh: dolfinx.mesh.Mesh, field: Field, degree: int) -> fem.FunctionSpace:
    """Piecewise polynomials of `degree`: continuous (Lagrange), or with continuous tangential parts (Nedelec).

    Nedelec's are the edge elements of the first kind, doi:10.1007/BF01396415.
    """
    if field.family == "Nedelec":
        return fem.functionspace(mesh, basix.ufl.element("N1curl", mesh.basix_cell(), degree))
    element = basix.ufl.element(
        "Lagrange", mesh.basix_cell(), degree, lagrange_variant=VARIANT, shape=field.shape or None
    )
    return fem.functionspace(mesh, element)


@dataclass(frozen=True, eq=False)
class Evolution:
    """What the forms of a problem in time read beside the unknowns.

    t: the time.  a: the factor of u' = a u + h.  rates: per field its first and second rate.
    orders: per field, the highest derivative in time in the weak form.  constant: the Jacobian does not depend on t.
    """

    t: fem.Constant
    a: fem.Constant
    rates: tuple[tuple[fem.Function, fem.Function], ...]
    orders: tuple[int, ...] = ()
    constant: bool = False


@dataclass(frozen=True, eq=False)
class Discretisation:
    """The compiled forms; `residual` and `jacobian` are blocked (lists) if there are several fields.

    unknowns: one function a field, whose values the forms read.  linear: the Jacobian depends neither on them nor on
    their rates.  evolution: of a problem in time.
    """

    mesh: DistributedMesh
    unknowns: tuple[fem.Function, ...]
    residual: Any
    jacobian: Any
    linear: bool
    evolution: Evolution | None = None

    @property
    def spaces(self) -> list[fem.FunctionSpace]:
        """One space a field."""
        return [u.function_space for u in self.unknowns]


def discretise(problem: Problem, mesh: DistributedMesh, degree: int) -> Discretisation:
    """Compile the problem's forms with Lagrange fields of `degree`; a multiplier gets one degree less (Taylor-Hood).

    A multiplier is a field, such as a pressure, whose equation does not contain it.
    Raises InputError if the weak form is not linear in the test function, or says nothing about a field.
    """
    forms = _forms(problem, mesh, [degree] * len(problem.fields))
    if len(forms.unknowns) == 1:
        return forms.compiled(mesh, forms.residual, forms.jacobian)
    multipliers = [row[k] is None for k, row in enumerate(ufl.extract_blocks(forms.jacobian))]
    if any(multipliers):
        if degree < 2:
            names = [f.name for f, is_one in zip(problem.fields, multipliers, strict=True) if is_one]
            raise InputError(
                f"field {names[0]!r} does not appear in its own equation (a pressure, a multiplier): "
                "FEM needs degree=2 or more"
            )
        forms = _forms(problem, mesh, [degree - is_one for is_one in multipliers])
    blocks = [list(row) for row in ufl.extract_blocks(forms.jacobian)]
    for k, is_one in enumerate(multipliers):
        if is_one:  # keeps the diagonal in the sparsity, for conditions on the field
            blocks[k][k] = fem.Constant(mesh.mesh, 0.0) * ufl.inner(forms.steps[k], forms.tests[k]) * ufl.dx
    return forms.compiled(mesh, ufl.extract_blocks(forms.residual), blocks)


def bilinear(function: Callable, spaces: Sequence[fem.FunctionSpace], what: str) -> Any:
    """The form function(u, v), compiled; nested lists if there are several fields.

    Raises InputError, with the name `what`, unless it is an integral that is linear in u and in v.
    """
    product = ufl.MixedFunctionSpace(*spaces)
    tests, steps = list(ufl.TestFunctions(product)), list(ufl.TrialFunctions(product))
    form = function(unpacked(steps), unpacked(tests))
    if not isinstance(form, ufl.Form):
        raise InputError(f"{what} must return an integral such as ... * omega.dx; it returned {form!r}")
    form = remove_complex_nodes(expand_derivatives(form))
    if form.empty():
        raise InputError(f"{what} is zero: it must contain the unknown and the test function")
    try:
        blocks = [list(row) for row in ufl.extract_blocks(form)]
        for row, test in zip(blocks, tests, strict=True):
            for block, step in zip(row, steps, strict=True):
                if block is not None:
                    check_form_arity(block, (test, step), complex_mode=False)
    except (ArityMismatch, IndexError, ValueError) as error:
        raise InputError(f"{what}(u, v, omega) must be linear in u and in v in every term") from error
    for k, (step, test) in enumerate(zip(steps, tests, strict=True)):
        if blocks[k][k] is None:  # keeps the diagonal in the sparsity
            blocks[k][k] = fem.Constant(spaces[0].mesh, 0.0) * ufl.inner(step, test) * ufl.dx
    return compiled(fem.form, blocks if len(spaces) > 1 else blocks[0][0], comm=spaces[0].mesh.comm)


class _Forms(NamedTuple):
    """A problem's forms, not compiled yet, with their unknowns, trial and test functions."""

    residual: ufl.Form
    jacobian: ufl.Form
    unknowns: tuple[fem.Function, ...]
    steps: list[ufl.Argument]
    tests: list[ufl.Argument]
    evolution: Evolution | None

    def compiled(self, mesh: DistributedMesh, residual: Any, jacobian: Any) -> Discretisation:
        """residual, jacobian: these forms, or their blocks."""
        rates = [] if self.evolution is None else [r for pair in self.evolution.rates for r in pair]
        linear = not {*self.unknowns, *rates} & set(self.jacobian.coefficients())
        residual, jacobian = compiled(fem.form, [residual, jacobian], comm=mesh.mesh.comm)
        return Discretisation(mesh, self.unknowns, residual, jacobian, linear, self.evolution)


def _forms(problem: Problem, mesh: DistributedMesh, degrees: Sequence[int]) -> _Forms:
    names = [f.name for f in problem.fields]
    spaces = [field_space(mesh.mesh, f, degree) for f, degree in zip(problem.fields, degrees, strict=True)]
    unknowns = tuple(fem.Function(space, name=name) for space, name in zip(spaces, names, strict=True))
    if len(spaces) == 1:
        tests, steps = [ufl.TestFunction(spaces[0])], [ufl.TrialFunction(spaces[0])]
    else:
        product = ufl.MixedFunctionSpace(*spaces)
        tests, steps = list(ufl.TestFunctions(product)), list(ufl.TrialFunctions(product))
    evolution = None if problem.time is None else _with_rates(unknowns, mesh)
    omega = bind_omega(mesh, None if evolution is None else evolution.t)
    residual = build_form(problem, list(unknowns), tests, omega)
    _check_test_functions(residual, tests, names)
    parts = [ufl.derivative(residual, u, du) for u, du in zip(unknowns, steps, strict=True)]
    if evolution is not None:
        for (first, second), du in zip(evolution.rates, steps, strict=True):
            parts.append(evolution.a * ufl.derivative(residual, first, du))
            parts.append(evolution.a**2 * ufl.derivative(residual, second, du))
    jacobian = expand_derivatives(sum(parts[1:], parts[0]))
    if jacobian.empty():
        raise InputError(f"weak_form does not contain the unknown {' or '.join(map(repr, names))}")
    if evolution is not None:
        used = set(expand_derivatives(residual).coefficients())
        orders = tuple(2 if second in used else int(first in used) for first, second in evolution.rates)
        constant = evolution.t not in jacobian.constants()
        evolution = replace(evolution, orders=orders, constant=constant)
    return _Forms(residual, jacobian, unknowns, steps, tests, evolution)


def _with_rates(unknowns: Sequence[fem.Function], mesh: DistributedMesh) -> Evolution:
    """Give every unknown the rates that `dt` looks for."""
    rates = []
    for u in unknowns:
        first, second = (fem.Function(u.function_space, name=f"{mark}({u.name})") for mark in ("dt", "dt dt"))
        u.rate, first.rate, second.is_highest_rate = first, second, True
        rates.append((first, second))
    t, a = (fem.Constant(mesh.mesh, value) for value in (0.0, 1.0))
    return Evolution(t, a, tuple(rates))


def _check_test_functions(residual: ufl.Form, tests: Sequence[ufl.Argument], names: Sequence[str]) -> None:
    for test, name in zip(tests, names, strict=True):
        if test not in residual.arguments():
            raise InputError(
                f"weak_form has no term with the test function of field {name!r}: no equation for it"
            )
    real = remove_complex_nodes(expand_derivatives(residual))
    blocks = [(real, tests[0])] if len(tests) == 1 else zip(ufl.extract_blocks(real), tests, strict=True)
    for block, test in blocks:
        try:
            check_form_arity(block, (test,), complex_mode=False)
        except ArityMismatch as error:
            raise InputError(
                "weak_form must be linear in the test function in every term, and one does not contain it, or not "
                "linearly: multiply every term by the test function once"
            ) from error
