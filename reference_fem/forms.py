"""The problem's weak form on a DOLFINx mesh: residual and Jacobian, compiled, for one or several Lagrange fields.

    F(u; v) = 0 for all v,        J(u; du, v) = dF/du [du]

Several fields live in separate spaces and give blocked forms: sub-spaces of a mixed element can be wrong in DOLFINx.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

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
from mlpde.language import NamedMeasure, Omega
from mlpde.problem import Field, Problem
from reference_fem.function import VARIANT
from reference_fem.mesh import DistributedMesh

# Another process may be compiling the same form: wait for it longer than DOLFINx's ten seconds.
JIT = {"timeout": 600}


def bind_omega(mesh: DistributedMesh) -> Omega:
    """`omega` of a weak form on this mesh."""
    domain = mesh.mesh
    dx = ufl.Measure("dx", domain=domain, subdomain_data=mesh.cell_tags)
    ds = ufl.Measure("ds", domain=domain, subdomain_data=mesh.facet_tags)
    return Omega(
        x=ufl.SpatialCoordinate(domain),
        n=ufl.FacetNormal(domain),
        dx=NamedMeasure(dx, mesh.regions, "region"),
        ds=NamedMeasure(ds, mesh.boundaries, "boundary"),
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
class Discretisation:
    """The compiled forms; `residual` and `jacobian` are blocked (lists) if there are several fields.

    unknowns: one function a field, whose values the forms read.  linear: the Jacobian does not depend on them.
    """

    mesh: DistributedMesh
    unknowns: tuple[fem.Function, ...]
    residual: Any
    jacobian: Any
    linear: bool

    @property
    def spaces(self) -> list[fem.FunctionSpace]:
        """One space a field."""
        return [u.function_space for u in self.unknowns]


def discretise(problem: Problem, mesh: DistributedMesh, degree: int) -> Discretisation:
    """Compile the problem's forms with Lagrange fields of `degree`; a multiplier gets one degree less (Taylor-Hood).

    A multiplier is a field, such as a pressure, whose equation does not contain it.
    Raises InputError if the weak form is not linear in the test function, or says nothing about a field.
    """
    residual, jacobian, unknowns, steps, tests = _forms(problem, mesh, [degree] * len(problem.fields))
    if len(unknowns) == 1:
        linear = unknowns[0] not in jacobian.coefficients()
        return Discretisation(mesh, unknowns, _compile(residual), _compile(jacobian), linear)
    multipliers = [row[k] is None for k, row in enumerate(ufl.extract_blocks(jacobian))]
    if any(multipliers):
        if degree < 2:
            names = [f.name for f, is_one in zip(problem.fields, multipliers, strict=True) if is_one]
            raise InputError(
                f"field {names[0]!r} does not appear in its own equation (a pressure, a multiplier): "
                "FEM needs degree=2 or more"
            )
        degrees = [degree - is_one for is_one in multipliers]
        residual, jacobian, unknowns, steps, tests = _forms(problem, mesh, degrees)
    linear = not set(unknowns) & set(jacobian.coefficients())
    blocks = [list(row) for row in ufl.extract_blocks(jacobian)]
    for k, is_one in enumerate(multipliers):
        if is_one:  # keeps the diagonal in the sparsity, for conditions on the field
            blocks[k][k] = fem.Constant(mesh.mesh, 0.0) * ufl.inner(steps[k], tests[k]) * ufl.dx
    return Discretisation(mesh, unknowns, _compile(ufl.extract_blocks(residual)), _compile(blocks), linear)


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
    return _compile(blocks if len(spaces) > 1 else blocks[0][0])


def _compile(form: Any) -> Any:
    """A form, or nested lists of forms, as DOLFINx's."""
    return fem.form(form, jit_options=JIT)


def _forms(problem: Problem, mesh: DistributedMesh, degrees: Sequence[int]) -> tuple:
    """Residual, Jacobian, unknowns, trial and test functions."""
    names = [f.name for f in problem.fields]
    spaces = [field_space(mesh.mesh, f, degree) for f, degree in zip(problem.fields, degrees, strict=True)]
    unknowns = tuple(fem.Function(space, name=name) for space, name in zip(spaces, names, strict=True))
    if len(spaces) == 1:
        tests, steps = [ufl.TestFunction(spaces[0])], [ufl.TrialFunction(spaces[0])]
    else:
        product = ufl.MixedFunctionSpace(*spaces)
        tests, steps = list(ufl.TestFunctions(product)), list(ufl.TrialFunctions(product))
    residual = build_form(problem, list(unknowns), tests, bind_omega(mesh))
    _check_test_functions(residual, tests, names)
    parts = [ufl.derivative(residual, u, du) for u, du in zip(unknowns, steps, strict=True)]
    jacobian = expand_derivatives(sum(parts[1:], parts[0]))
    if jacobian.empty():
        raise InputError(f"weak_form does not contain the unknown {' or '.join(map(repr, names))}")
    return residual, jacobian, unknowns, steps, tests


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
