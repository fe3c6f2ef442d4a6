"""Solution: evaluation, errors against figures worked out by hand, saving and loading."""

import json
import math

import numpy as np
import pytest
import ufl
from polynomial import polynomial

from geometry import disk, rectangle
from mlpde import At, Case, Field, InputError, Problem, Solution

SQUARE = rectangle(0.0, 0.0, 1.0, 1.0)
U = (Field("u"),)


def weak_form(u, v, omega):
    return ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx


def solution(model, fields=U, **more):
    return Solution("good", "Good()", fields, model, SQUARE.mesh(), **more)


def test_errors_of_a_scalar():
    # u = x, error e x^2: |x|^2 = 1/3, |x^2|^2 = 1/5, |2 x|^2 = 4/3
    e = 1e-3
    errors = solution(polynomial(0, [1, 0], [e, 0])).error(solution(polynomial(0, [1, 0])))["u"]
    assert errors["l2"] == pytest.approx(e * math.sqrt(3 / 5), rel=1e-10)
    assert errors["h1"] == pytest.approx(e * math.sqrt((1 / 5 + 4 / 3) / (1 / 3 + 1)), rel=1e-10)
    assert errors["max"] == pytest.approx(
        e, rel=0.05
    )  # the largest x of the quadrature points is a bit below 1
    assert "absolute" not in errors


def test_a_vector_is_measured_in_the_euclidean_norm():
    fields = (Field("u", shape=(2,)),)
    reference = solution(polynomial([3, 4], [[0, 0], [0, 0]]), fields)
    errors = solution(polynomial([3.3, 4.4], [[0, 0], [0, 0]]), fields).error(reference)["u"]
    assert [errors[k] for k in ("l2", "h1", "max")] == pytest.approx([0.1] * 3, rel=1e-12)


def test_a_mean_zero_field_is_shifted():
    fields = (Field("p", mean_zero=True),)
    reference = solution(polynomial(7, [1, 0]), fields)
    errors = solution(polynomial(-3, [1.5, 0]), fields).error(reference)["p"]
    assert errors["l2"] == pytest.approx(0.5, rel=1e-12)
    assert errors["max"] == pytest.approx(0.5, rel=1e-12)


def test_each_field_has_its_own_error():
    fields = (Field("u", shape=(2,)), Field("p"))
    linear = np.zeros((3, 2))
    errors = solution(polynomial([1, 0, 2.2], linear), fields).error(
        solution(polynomial([1, 0, 2], linear), fields)
    )
    assert errors["u"]["l2"] == 0
    assert errors["p"]["l2"] == pytest.approx(0.1, rel=1e-12)


def test_a_zero_reference_gives_absolute_errors():
    errors = solution(polynomial(0, [2, 0])).error(solution(polynomial(0, [0, 0])))["u"]
    assert errors["absolute"] is True
    assert errors["l2"] == pytest.approx(2 / math.sqrt(3), rel=1e-12)


def test_other_fields_are_refused():
    with pytest.raises(InputError, match=r"\['u'\].*\['w'\]"):
        solution(polynomial()).error(solution(polynomial(), (Field("w"),)))


def test_in_time():
    # u = x on (0, 2); error e t: at the end 2 e / |x|, in L2(0, 2) e sqrt(8/3) / sqrt(2/3)
    problem = Problem(SQUARE, Field("u"), weak_form, time=(0.0, 2.0), initial=0.0)
    e = 1e-3
    found, reference = (
        solution(polynomial(0, [1, 0, slope]), problem.fields, case=problem) for slope in (e, 0.0)
    )
    errors = found.error(reference)["u"]
    assert errors["l2"] == pytest.approx(2 * e * math.sqrt(3), rel=1e-12)
    assert errors["l2_time"] == pytest.approx(2 * e, rel=1e-12)
    point = [[0.5, 0.5]]
    assert found(point)[0] == pytest.approx(0.5 + 2 * e)  # the final time
    assert found(point, t=1.0)[0] == pytest.approx(0.5 + e)
    assert found(np.repeat(point, 2, axis=0), t=[0.0, 1.0]) == pytest.approx([0.5, 0.5 + e])
    with pytest.raises(InputError, match="between 0 and 2"):
        found(point, t=3.0)
    for wrong in ("a", 1j, {}):
        with pytest.raises(InputError, match="t must be real numbers"):
            found(point, t=wrong)


def test_evaluate_and_gradient():
    fields = (Field("u", shape=(2,)), Field("p"))
    one = solution(polynomial([0, 0, 1], [[1, 0], [0, 2], [0, 0]], [[0, 0], [0, 0], [0, 3]]), fields)
    points = np.array([[0.25, 0.5], [0.5, 0.75]])
    values = one.evaluate(points)
    assert values["u"] == pytest.approx(points * [1, 2])
    assert values["p"] == pytest.approx(1 + 3 * points[:, 1] ** 2)
    assert one.gradient(points, field="u") == pytest.approx(np.broadcast_to([[1, 0], [0, 2]], (2, 2, 2)))
    assert one.gradient(points, field="p")[:, 1] == pytest.approx(6 * points[:, 1])
    with pytest.raises(InputError, match="name the field"):
        one.gradient(points)
    with pytest.raises(InputError, match="unknown field 'q'"):
        one.gradient(points, field="q")
    with pytest.raises(InputError, match=r"\(n, 2\), not \(2,\)"):
        one.evaluate([0.1, 0.2])


def test_outside_is_nan_and_counted():
    one = solution(polynomial(1, [0, 0]))
    points = [[0.5, 0.5], [1.5, 0.5], [0.5, -0.1]]
    with pytest.warns(UserWarning, match="2 of 3 points lie outside"):
        values = one(points)
    assert values[0] == 1
    assert np.isnan(values[1:]).all()
    assert one.outside(points).tolist() == [False, True, True]


def test_quantities_and_outputs():
    case = Case(
        "c",
        Problem(SQUARE, Field("u"), weak_form),
        quantities={
            "mean": lambda u, omega: u * omega.dx,
            "edge": lambda u, omega: u * omega.ds("right"),
            "slope": At((0.25, 0.5), lambda u, omega: ufl.grad(u)[0]),
        },
        outputs={"flux": lambda u, omega: -ufl.grad(u)},
    )
    one = solution(polynomial(0, [1, 0], [1, 0]), case=case)
    assert one.quantities == pytest.approx({"mean": 1 / 2 + 1 / 3, "edge": 2, "slope": 1.5}, rel=1e-12)
    assert one.outputs([[0.25, 0.5]])["flux"] == pytest.approx(np.array([[-1.5, 0.0]]))
    errors = one.output_errors(solution(polynomial(0, [1, 0]), case=case))["flux"]
    assert errors["l2"] == pytest.approx(math.sqrt(4 / 3), rel=1e-12)


def test_save_and_load(tmp_path, polynomial_solvers):
    case = Case(
        "c", Problem(SQUARE, Field("u"), weak_form), quantities={"mean": lambda u, omega: u * omega.dx}
    )
    info = {"seed": 3, "history": [{"step": 1, "loss": math.nan}], "unknowns": np.int64(7)}
    one = solution(polynomial(0, [1, 2], [3, 4]), case=case, info=info)
    loaded = Solution.load(one.save(tmp_path / "one"))
    points = SQUARE.interior(20)
    assert np.array_equal(loaded(points), one(points))
    assert np.array_equal(loaded.gradient(points), one.gradient(points))
    assert loaded.outside([[2.0, 2.0]]).all()
    assert loaded.quantities == one.quantities
    assert loaded.fields == one.fields
    assert loaded.info["history"] == [{"step": 1, "loss": None}]  # strict JSON knows no nan
    assert loaded.error(one)["u"]["l2"] == 0
    one.save(tmp_path / "one")  # again: replaced
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_what_cannot_be_loaded_is_named(tmp_path, polynomial_solvers):
    with pytest.raises(InputError, match=r"no solution\.json"):
        Solution.load(tmp_path)
    saved = solution(polynomial()).save(tmp_path / "one")
    record = json.loads((saved / "solution.json").read_text())
    (saved / "solution.json").write_text(json.dumps(record | {"format": 99}))
    with pytest.raises(InputError, match="format 99"):
        Solution.load(saved)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").write_text("keep")
    with pytest.raises(InputError, match="not a saved solution"):
        solution(polynomial()).save(tmp_path / "mine")
    assert (tmp_path / "mine" / "precious.txt").read_text() == "keep"


def test_flags_tell_inside_extrapolated_and_outside():
    mesh = disk(1.0).mesh()
    facet = mesh.facet_gaps.argmax()  # the facet that the exact circle is furthest away from
    arc = mesh.on_facets(np.full(101, facet), np.linspace(0, 1, 101)[:, None])[0]
    between = arc[np.linalg.norm(arc, axis=1).argmin()]
    exact = between / np.linalg.norm(between)
    round_one = Solution("good", "Good()", U, polynomial(0, [1, 0]), mesh)
    assert round_one.flags([[0.0, 0.0], exact, 1.01 * exact]).tolist() == [0, 1, 2]
    assert np.isfinite(round_one([exact])).all()
    with pytest.warns(UserWarning, match="1 of 1 points lie outside"):
        assert np.isnan(round_one([1.01 * exact])).all()
    with pytest.raises(InputError, match="points must have the shape"):
        round_one.flags([0.0, 0.0])
    for wrong in ([[0.5 + 1j, 0.5]], [["0.5", "0.5"]], [[0.5, 0.5], [0.5]], "abc"):
        with pytest.raises(InputError, match="points must be"):
            round_one(wrong)
