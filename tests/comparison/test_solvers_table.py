"""The table of solvers: options from texts, and sentences about what does not fit."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import pytest
import ufl

from geometry import Box, interval
from mlpde import Dirichlet, Eigenproblem, Field, InputError, Periodic, Problem, SemilinearParabolic
from mlpde.solvers import SOLVERS, check_accepts, features, solver


@dataclass(frozen=True)
class Options:
    count: int = 1
    size: float | None = None
    grid: tuple[int, ...] | None = None
    pair: tuple[int, int] = (1, 1)
    rule: Literal["uniform", "sobol"] = "uniform"
    fast: bool = False
    name: ClassVar[str] = "options"
    accepts: ClassVar[frozenset[str]] = frozenset({"steady"})


@pytest.fixture(autouse=True)
def table(monkeypatch):
    monkeypatch.setitem(SOLVERS, "options", f"{__name__}:Options")
    import sys

    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or __import__(__name__))


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("count", "400", 400),
        ("size", "1e-3", 1e-3),
        ("size", "none", None),
        ("grid", "4,4", (4, 4)),
        ("grid", "4x4x2", (4, 4, 2)),
        ("grid", "(16,)", (16,)),
        ("grid", "none", None),
        ("pair", "2,3", (2, 3)),
        ("rule", "sobol", "sobol"),
        ("fast", "true", True),
    ],
)
def test_a_text_is_read_by_the_type_of_the_option(option, text, value):
    assert getattr(solver("options", **{option: text}), option) == value


@pytest.mark.parametrize(
    ("option", "text", "sentence"),
    [
        ("count", "many", "options.count must be a whole number such as 400, not 'many'"),
        ("count", "1.5", "not '1.5'"),
        ("size", "big", "options.size must be a number"),
        ("pair", "1,2,3", "options.pair needs 2 values"),
        ("rule", "sobal", "did you mean 'sobol'"),
        ("fast", "yes", "must be true or false"),
        ("counts", "4", "unknown option of solver 'options': 'counts'.*did you mean 'count'"),
    ],
)
def test_a_wrong_option_is_named(option, text, sentence):
    with pytest.raises(InputError, match=sentence):
        solver("options", **{option: text})


def test_an_unknown_solver_is_named():
    with pytest.raises(InputError, match=r"unknown solver 'option'.*did you mean 'options'"):
        solver("option")


def mass(u, v, omega):
    return u * v * omega.dx


def test_features():
    line = interval(0.0, 1.0)
    assert features(Problem(line, Field("u"), mass)) == ["steady"]
    several = Problem(
        line,
        [Field("u"), Field("p")],
        lambda u, v, omega: (u[0] * v[0] + u[1] * v[1]) * omega.dx,
        dirichlet=Dirichlet(at=(0.0,), value=0.0, field="p"),
        periodic=Periodic("left", "right"),
        time=(0, 1),
        initial={"u": 0.0, "p": 0.0},
    )
    assert features(several) == ["time", "several fields", "periodic", "point condition"]
    assert features(Eigenproblem(line, Field("u"), mass, mass)) == ["eigenproblem"]
    box = Box(5, 0.0, 1.0)
    assert features(Problem(box, Field("u"), mass)) == ["steady", "high dimension"]
    heat = SemilinearParabolic(100, 1.0, 0.0, lambda t, x, y, z: 0 * y, lambda x: ufl.dot(x, x))
    assert features(heat) == ["semilinear", "high dimension"]


def test_what_a_solver_does_not_take_is_said():
    heat = Problem(interval(0.0, 1.0), Field("u"), mass, time=(0, 1), initial=0.0)
    with pytest.raises(
        InputError, match="'options' does not take heat: it has 'time', the solver takes 'steady'"
    ):
        check_accepts(Options(), heat, "heat")
    box = Problem(Box(2, 0.0, 1.0), Field("u"), mass)
    with pytest.raises(InputError, match="a Box, has no mesh: take rectangle or disk of geometry"):
        check_accepts(Options(), box, "box")
