"""The names and signatures that cases outside this repository rely on."""

import dataclasses
import inspect
import operator

import pytest

import geometry
import mlpde

# In the order of the arguments; a default that stands here is promised too. More arguments may follow.
SIGNATURES = {
    mlpde: {
        "At": "point expression",
        "Case": "name problem quantities={} outputs={} published={} solvers={} source=''",
        "Dirichlet": "boundary=None value=0.0 field=None component=None at=None",
        "Eigenproblem": "domain fields stiffness mass dirichlet=() periodic=() count=5 target=None",
        "Field": "name shape=() mean_zero=False family='Lagrange'",
        "Periodic": "first second",
        "Problem": "domain fields weak_form=None energy=None dirichlet=() periodic=() exact=None time=None"
        " initial=None",
        "SemilinearParabolic": "dim horizon x0 driver terminal drift=None diffusion=None exact=None domain=None",
        "Solution.evaluate": "self points t=None",
        "Solution.error": "self reference",
        "Solution.gradient": "self points",
        "Solution.load": "directory",
        "Solution.outputs": "self points",
        "Solution.plot": "self",
        "Solution.save": "self directory",
        "compare": "problem solvers reference=None seeds=(0,) out=None",
        "dt": "expression",
        "largest": "vector",
        "smallest": "vector",
        "solve": "problem solver seed=0",
        "total": "vector",
    },
    geometry: {
        "Ball": "dim radius",
        "Box": "dim lower upper",
        "Domain": "dim build size=None",
        "Domain.boundary": "self name n",
        "Domain.contains": "self points",
        "Domain.interior": "self n rule='uniform'",
        "Domain.mesh": "self size order=2",
        "Domain.quadrature": "self degree size",
        "annulus": "inner outer center",
        "ball": "radius center",
        "cuboid": "x0 y0 z0 x1 y1 z1",
        "disk": "radius center",
        "interval": "a b",
        "l_shape": "size",
        "plate_with_holes": "width height holes",
        "rectangle": "x0 y0 x1 y1",
    },
}


def parameters(thing):
    """{name: default} as text; a mapping that is made anew reads {}, no default is ''."""
    factories = {}
    if dataclasses.is_dataclass(thing):
        factories = {f.name: "{}" for f in dataclasses.fields(thing) if f.default_factory is dict}
    found = inspect.signature(thing).parameters.values()
    return {p.name: "" if p.default is p.empty else factories.get(p.name, repr(p.default)) for p in found}


@pytest.mark.parametrize(
    ("package", "name"),
    [pytest.param(p, n, id=f"{p.__name__}.{n}") for p, names in SIGNATURES.items() for n in names],
)
def test_signature(package, name):
    thing = operator.attrgetter(name)(package)
    actual = parameters(thing)
    promised = dict(word.partition("=")[::2] for word in SIGNATURES[package][name].split())
    assert list(actual)[: len(promised)] == list(promised)
    for parameter, default in promised.items():
        assert not default or actual[parameter] == default
    assert inspect.getdoc(thing)


def test_every_public_name_exists():
    for package in (mlpde, geometry):
        for name in package.__all__:
            assert getattr(package, name) is not None


@pytest.mark.parametrize(
    "name", ["Case", "Dirichlet", "Eigenproblem", "Field", "Problem", "SemilinearParabolic"]
)
def test_problem_objects_are_frozen(name):
    assert getattr(mlpde, name).__dataclass_params__.frozen


def test_wrong_input_is_a_value_error():
    assert issubclass(mlpde.InputError, ValueError)
    assert issubclass(geometry.GeometryError, ValueError)
