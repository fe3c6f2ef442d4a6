"""Every wrong problem is refused when it is made, in a sentence that names the thing and says what would be right."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import ufl

from mlpde import At, Case, Dirichlet, Eigenproblem, Field, InputError, Periodic, Problem, SemilinearParabolic
from mlpde.language import NamedMeasure, as_expression
from mlpde.problem import initial_values

SQUARE = SimpleNamespace(dim=2, regions=("domain",), boundaries=("left", "right", "bottom", "top"))
TWO = [Field("u", shape=(2,)), Field("p")]


def form(u, v, omega):
    return None  # only looked at by mlpde.formulation


def problem(fields=None, **keywords):
    return Problem(
        **{
            "domain": SQUARE,
            "fields": Field("u") if fields is None else fields,
            "weak_form": form,
            **keywords,
        }
    )


def parabolic(**keywords):
    settings = {"dim": 3, "horizon": 1.0, "x0": 0.0, "driver": lambda t, x, y, z: 0, "terminal": lambda x: 0}
    return SemilinearParabolic(**{**settings, **keywords})


WRONG = {
    "fields": [
        (lambda: Field("2u"), r"a field's name must be an identifier such as 'u', not '2u'"),
        (lambda: Field("u", shape=(2, 0)), r"field 'u': shape must be \(\) or one or two .* not \(2, 0\)"),
        (lambda: Field("u", shape=(2, 2, 2)), r"shape must be .* not \(2, 2, 2\)"),
        (lambda: Field("u", family="Nedlec"), r"family of field 'u': 'Nedlec': there is .*; did you mean 'Nedelec'"),
        (lambda: Field("u", shape=(2,), mean_zero=True), r"field 'u': mean_zero is for scalar fields"),
        (lambda: problem("u"), r'fields must be Field\("u"\) or a list of them, not \(\'u\',\)'),
        (lambda: problem([]), r"fields must be"),
        (lambda: problem([Field("u"), Field("u")]), r"two fields have the same name: \['u', 'u'\]"),
    ],
    "problem": [
        (lambda: problem(domain="square"), r"domain must be a geometry.Domain, Box or Ball, not 'square'"),
        (lambda: Problem(SQUARE, Field("u")), r"Problem needs weak_form=..., energy=..., or both"),
        (lambda: problem(weak_form=lambda u, v: 0), r"weak_form\(u, v\) must take the arguments \(u, v, omega\)"),
        (lambda: problem(weak_form=3), r"weak_form must be a function of \(u, v, omega\), not 3"),
        (lambda: problem(energy=lambda u: 0), r"energy\(u\) must take the arguments \(u, omega\)"),
        (lambda: problem(exact=lambda x, t: 0), r"exact\(x, t\) must take the arguments \(x\)"),
        (lambda: problem(exact={"w": lambda x: 0}), r"unknown field in exact 'w': there is 'u'"),
        (lambda: problem(TWO, exact=lambda x: 0), r"with several fields exact must be a dict by field name, of u, p"),
    ],
    "dirichlet": [
        (lambda: Dirichlet(), r"Dirichlet needs a boundary name or at=\(...\), one of them"),
        (lambda: Dirichlet("left", at=(0, 0)), r"one of them"),
        (lambda: Dirichlet(3), r"Dirichlet needs the name of a boundary, or a tuple of names, not 3"),
        (lambda: Dirichlet(("left", None)), r"a tuple of names, not \('left', None\)"),
        (lambda: Dirichlet(at="corner"), r"Dirichlet\(at=...\) must be a number or a tuple of numbers, not 'corner'"),
        (lambda: problem(dirichlet="left"), r"dirichlet must hold Dirichlet\(\"boundary\", value\), not 'left'"),
        (lambda: problem(dirichlet=Dirichlet("lefft")), r"boundary 'lefft': there is .*; did you mean 'left'\?"),
        (lambda: problem(dirichlet=Dirichlet("left", field="w")), r"unknown field 'w': there is 'u'"),
        (lambda: problem(TWO, dirichlet=Dirichlet("left")), r"Dirichlet\('left'\) must name its field: .* 'u', 'p'"),
        (lambda: problem(dirichlet=Dirichlet(at=(0, 0, 0))), r"Dirichlet\(at=\(0.0, 0.0, 0.0\)\) needs 2 coordinates"),
        (lambda: problem(dirichlet=Dirichlet("left", component=1)),
         r"Dirichlet\('left'\): component must be one of 0 ... 0, the components of field 'u', not 1"),
        (lambda: problem(TWO, dirichlet=Dirichlet("left", field="u", component="x")), r"one of 0 ... 1, .* not 'x'"),
        (lambda: problem(dirichlet=Dirichlet("left", (1, 2))),
         r"the value of Dirichlet\('left'\) for field 'u' has shape \(2,\), not \(\) as it must"),
        (lambda: problem(dirichlet=Dirichlet("left", "warm")), r"is 'warm': a number, a tuple or a UFL expr"),
        (lambda: problem(dirichlet=Dirichlet("left", ((1, 2), 3))), r"is \(\(1, 2\), 3\): a number, a tuple or a UFL"),
        (lambda: problem(dirichlet=Dirichlet("left", lambda x, t: 0)),
         r"the value of Dirichlet\('left'\) for field 'u'\(x, t\) must take the arguments \(x\)"),
        (lambda: problem(time=(0, 1), initial=0, dirichlet=Dirichlet("left", lambda x, t, s: 0)),
         r"\(x, t, s\) must take the arguments \(x\) or \(x, t\)"),
        (lambda: problem(dirichlet=[Dirichlet("left"), Dirichlet("all", 1.0)]),
         r"two Dirichlet conditions for field 'u' on 'left': keep one of them"),
        (lambda: problem(TWO, dirichlet=[Dirichlet("left", field="u"), Dirichlet("left", field="u", component=1)]),
         r"two Dirichlet conditions for field 'u' on 'left'"),
        (lambda: problem(dirichlet=[Dirichlet(at=(0, 0)), Dirichlet(at=(0.0, 0.0))]), r"two .* on \(0.0, 0.0\)"),
    ],
    "periodic": [
        (lambda: problem(periodic=("left", "right")), r"must hold Periodic\(\"left\", \"right\"\), not 'left'"),
        (lambda: problem(periodic=Periodic("left", "rigth")), r"unknown boundary 'rigth'.*did you mean 'right'"),
        (lambda: problem(periodic=[Periodic("left", "left")]), r"boundary 'left' stands twice in periodic"),
        (lambda: problem(periodic=Periodic("left", "right"), dirichlet=Dirichlet("all")),
         r"boundary 'left' is periodic and has a Dirichlet condition: keep one of them"),
    ],
    "time": [
        (lambda: problem(time=1.0, initial=0), r"time must be \(start, end\) with start < end, not 1.0"),
        (lambda: problem(time=(1, 0), initial=0), r"not \(1, 0\)"),
        (lambda: problem(time=(0, math.inf), initial=0), r"time must start and end: \(0, inf\) is not finite"),
        (lambda: problem(time=("a", "b"), initial=0), r"time must be \(start, end\)"),
        (lambda: problem(time=(0, 1)), r"a problem in time needs initial=...: the value of the fields at the start"),
        (lambda: problem(initial=0), r"initial=... needs time=\(start, end\)"),
        (lambda: problem(time=(0, 1), initial={"w": 0}), r"unknown field in initial 'w': there is 'u'"),
        (lambda: problem(TWO, time=(0, 1), initial=0), r"initial must be a dict by field name, of u, p"),
        (lambda: problem(time=(0, 1), initial=(1, 2, 3)), r"the initial value of field 'u' has shape \(3,\), not \(\)"),
        (lambda: problem(time=(0, 1), initial=lambda: 0), r"value of field 'u'\(\) must take the arguments"),
        (lambda: problem(time=(0, 1), initial=0, exact=lambda x: 0), r"exact\(x\) must take the arguments \(x, t\)"),
    ],
    "eigenproblem": [
        (lambda: Eigenproblem(SQUARE, Field("u"), lambda u, v: 0, form), r"stiffness\(u, v\) must take the arguments"),
        (lambda: Eigenproblem(SQUARE, Field("u"), form, None), r"mass must be a function of \(u, v, omega\), not None"),
        (lambda: Eigenproblem(SQUARE, Field("u"), form, form, count=0), r"count must be a positive integer, not 0"),
        (lambda: Eigenproblem(SQUARE, Field("u"), form, form, Dirichlet("left", 1.0)),
         r"Dirichlet\('left'\): an eigenproblem takes the value 0 only"),
        (lambda: Eigenproblem(SQUARE, Field("u"), form, form, Dirichlet("lid")), r"unknown boundary 'lid'"),
    ],
    "parabolic": [
        (lambda: parabolic(dim=0), r"dim must be a positive integer, not 0"),
        (lambda: parabolic(dim=2.5), r"dim must be a positive integer, not 2.5"),
        (lambda: parabolic(horizon=-1.0), r"horizon must be a positive number, not -1.0"),
        (lambda: parabolic(horizon="T"), r"horizon must be a positive number, not 'T'"),
        (lambda: parabolic(x0=(1, 2)), r"x0 has 2 coordinates: one number, or dim = 3 of them, are expected"),
        (lambda: parabolic(x0="origin"), r"x0 must be a number or a tuple of numbers, not 'origin'"),
        (lambda: parabolic(driver=lambda t, x, y: 0), r"driver\(t, x, y\) must take the arguments \(t, x, y, z\)"),
        (lambda: parabolic(terminal=lambda t, x: 0), r"terminal\(t, x\) must take the arguments \(x\)"),
        (lambda: parabolic(drift=lambda x: 0), r"drift\(x\) must take the arguments \(t, x\)"),
        (lambda: parabolic(diffusion=1.0), r"diffusion must be a function of \(t, x\), not 1.0"),
        (lambda: parabolic(exact=lambda x: 0), r"exact\(x\) must take the arguments \(x, t\)"),
        (lambda: parabolic(dirichlet=Dirichlet("left")), r"dirichlet=... needs domain=...: without one"),
        (lambda: parabolic(domain=SQUARE), r"a mesh domain of dimension 2 does not fit dim = 3"),
        (lambda: parabolic(dim=2, domain="plane"), r"domain must be a geometry.Domain, Box or Ball, not 'plane'"),
        (lambda: parabolic(dim=2, domain=SQUARE, dirichlet=Dirichlet("lid")), r"unknown boundary 'lid'"),
    ],
    "case": [
        (lambda: Case("c", form), r"Case\('c'\): problem must be a Problem, .*, not <func"),
        (lambda: Case("c", problem(), quantities={"mean": lambda u: 0}), r"'mean'\(u\) must take .* \(u, omega\)"),
        (lambda: Case("c", problem(), quantities={"top": At((0, 0, 1), lambda u, omega: u)}),
         r"quantity 'top': the point \(0, 0, 1\) needs 2 coordinates"),
        (lambda: Case("c", problem(), quantities={"top": At((0, 0), lambda u: u)}), r"quantity 'top'\(u\) must take"),
        (lambda: Case("c", parabolic(), quantities={"mid": At((0, 0), lambda u, omega: u)}), r"needs 3 coordinates"),
        (lambda: Case("c", problem(), outputs={"flux": 3}), r"output 'flux' must be a function of \(u, omega\), not 3"),
        (lambda: Case("c", problem(), published={"scf": 3.0}), r"\['scf'\] must be \(number, \"source\"\), not 3.0"),
        (lambda: Case("c", problem(), published={"scf": ("3", "book")}), r"must be \(number, \"source\"\), not \('3'"),
        (lambda: Case("../c", problem()), r"a case's name must be a text that can name a folder, not '../c'"),
        (lambda: Case("c", problem(), quantities=[form]), r"Case\('c'\): quantities must be a dict by name, not \["),
        (lambda: Case("c", problem(), solvers={"pinn": 3}), r"solvers\['pinn'\] must be settings such as .* not 3"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        pytest.param(*entry, id=f"{group}-{k}")
        for group, entries in WRONG.items()
        for k, entry in enumerate(entries)
    ],
)
def test_wrong_input_is_refused_in_one_sentence(make, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_what_is_given_once_may_be_given_plainly():
    alone = problem(dirichlet=Dirichlet("left"), exact=lambda x: x[0])
    assert alone.fields == (Field("u"),)
    assert alone.dirichlet == (Dirichlet("left"),)
    assert list(alone.exact) == ["u"]
    assert Field("u", shape=2).shape == (2,)
    assert Dirichlet(at=1).at == (1.0,)
    assert parabolic(x0=2).x0 == (2.0, 2.0, 2.0)
    assert parabolic(x0=np.arange(3)).x0 == (0.0, 1.0, 2.0)
    assert At(0.5, form).point == (0.5,)


def test_boundaries_of_a_condition():
    assert Dirichlet("all").boundaries(SQUARE) == SQUARE.boundaries
    assert Dirichlet(["left", "top"]).boundaries(SQUARE) == ("left", "top")
    assert Dirichlet(at=(0, 0)).boundaries(SQUARE) == ()


@pytest.mark.parametrize(
    ("shape", "initial", "values"),
    [
        ((), 1.0, (1.0,)),
        ((), (1.0, 2.0), (1.0, 2.0)),
        ((2,), (1.0, 2.0), ((1.0, 2.0),)),
        ((2,), ((1.0, 2.0), (3.0, 4.0)), ((1.0, 2.0), (3.0, 4.0))),
        ((2, 2), ((1.0, 2.0), (3.0, 4.0)), (((1.0, 2.0), (3.0, 4.0)),)),
        ((2,), (form, 0.0), (form, 0.0)),
        ((), {"u": (1.0, form)}, (1.0, form)),
        ((), {}, ()),
    ],
)
def test_an_initial_value_is_one_or_a_pair(shape, initial, values):
    field = Field("u", shape=shape)
    assert initial_values(SimpleNamespace(initial=initial, fields=(field,)), field) == values


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (2, ()),
        (np.float64(2.5), ()),
        (np.int64(3), ()),
        ((1, 2.0), (2,)),
        (np.eye(2), (2, 2)),
        (0, (3, 3)),
        (0.0, (2,)),
    ],
)
def test_data_may_be_numbers_tuples_and_arrays(value, shape):
    expression = as_expression(value, shape, "the datum")
    assert expression.ufl_shape == shape
    component = expression[(0,) * len(shape)] if shape else expression
    assert float(component) == np.broadcast_to(value, shape)[(0,) * len(shape)]


def test_measures_are_called_by_name():
    ds = NamedMeasure(ufl.ds, {"left": 1, "right": 2}, "boundary")
    assert ds("left").measure == ufl.ds(1)
    assert ds("left", "right").measure.subdomain_id() == (1, 2)
    assert ds("all").measure == ufl.ds
    assert ds(degree=4)("right").measure.metadata() == {"quadrature_degree": 4}
    with pytest.raises(InputError, match="unknown boundary 'top': there is 'left', 'right'"):
        ds("top")
