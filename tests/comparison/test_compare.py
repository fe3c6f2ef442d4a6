"""compare: metrics.json, the report, the pictures, the fields."""

import json
import math
import re
import statistics
import warnings

import meshio
import numpy as np
import pytest
import ufl
from polynomial import Good, Poor, polynomial

from geometry import cuboid, interval, rectangle
from mlpde import At, Case, Field, InputError, Problem, Solution, compare, solve
from mlpde.formatting import number
from mlpde.plotting import history_figure
from mlpde.report import summarise, verdict
from mlpde.results import rebuild_report

DOMAINS = {
    1: lambda: interval(0.0, 1.0),
    2: lambda: rectangle(0.0, 0.0, 1.0, 1.0),
    3: lambda: cuboid(0.0, 0.0, 0.0, 1.0, 1.0, 1.0),
}


def weak_form(u, v, omega):
    return ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx


def case(dim=2, **more):
    problem = Problem(DOMAINS[dim](), Field("u"), weak_form, exact=lambda x: x[0])
    return Case("line", problem, source="on paper <b>", **more)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    from mlpde.saved_solution import MODELS

    MODELS["polynomial"] = "polynomial:Polynomial"
    folder = tmp_path_factory.mktemp("compare") / "out"
    with_everything = case(
        quantities={"mean": lambda u, omega: u * omega.dx, "tip": At((1.0, 0.5), lambda u, omega: u)},
        outputs={"flux": lambda u, omega: -ufl.grad(u)},
        published={"mean": (0.5, "a book")},
    )
    yield (
        compare(with_everything, [Good(), Poor()], seeds=(0, 1, 2), out=folder, command="mlpde compare"),
        folder,
    )
    del MODELS["polynomial"]


def test_metrics(compared):
    comparison, folder = compared
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics == comparison.metrics
    assert {"case", "reference", "solutions", "machine", "command"} <= set(metrics)
    assert metrics["reference"]["solver"] == "exact"
    assert metrics["reference"]["quantities"] == pytest.approx({"mean": 0.5, "tip": 1.0})
    keys = "solver config seed seconds cpu_seconds unknowns errors below_reference quantities info"
    for row in metrics["solutions"]:
        assert set(keys.split()) <= set(row)
        assert set(row["errors"]["u"]) == {"l2", "h1", "max"}
    expected = [
        (s, k, e * 2**k * math.sqrt(3 / 5)) for s, e in (("good", 1e-3), ("poor", 0.5)) for k in range(3)
    ]
    found = [(row["solver"], row["seed"], row["errors"]["u"]["l2"]) for row in metrics["solutions"]]
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    assert [row[2] for row in found] == pytest.approx([row[2] for row in expected], rel=1e-9)
    first = metrics["solutions"][0]
    assert first["quantities"] == pytest.approx({"mean": 0.5 + 1e-3 / 3, "tip": 1 + 1e-3}, rel=1e-9)
    assert first["output_errors"]["flux"]["l2"] == pytest.approx(2e-3 / math.sqrt(3), rel=1e-9)
    assert [row["loss"] for row in first["info"]["history"]] == [10.0**-k for k in range(5)]
    assert metrics["machine"]["gflops"] > 0


def test_median_and_worst_over_the_seeds(compared):
    comparison, _ = compared
    good, poor = summarise(comparison.metrics)
    assert good["errors"]["u"]["l2"]["median"] == pytest.approx(2e-3 * math.sqrt(3 / 5), rel=1e-9)
    assert poor["errors"]["u"]["l2"]["worst"] == pytest.approx(2.0 * math.sqrt(3 / 5), rel=1e-9)
    assert comparison.typical("good").info["seed"] == 1
    assert "good has a relative L2 error of 1.55e-3 (median of 3 seeds, worst 3.10e-3) in u" in " ".join(
        verdict(comparison.metrics)
    )
    assert str(comparison).splitlines()[2].split()[:2] == ["good", "2"]


def test_the_median_of_two_seeds_is_between_them(compared):
    metrics = compared[0].metrics
    rows = [row for row in metrics["solutions"] if row["seed"] < 2]
    good = summarise(metrics | {"solutions": rows})[0]
    assert good["errors"]["u"]["l2"]["median"] == pytest.approx(1.5e-3 * math.sqrt(3 / 5), rel=1e-9)
    assert good["cpu_seconds"] == statistics.median(row["cpu_seconds"] for row in rows[:2])
    assert good["quantities"]["tip"] == pytest.approx(1 + 1.5e-3)
    assert repr(good["unknowns"]) == "2"


def test_the_report_is_one_file(compared):
    _, folder = compared
    html = (folder / "report.html").read_text()
    assert not re.search(r"(src|href)=[\"'](?!data:)", html)
    assert "http" not in html
    assert html.count("data:image/png;base64,") == 5  # u, flux, convergence, work, mesh
    assert "on paper &lt;b&gt;" in html
    text = (folder / "report.md").read_text()
    pictures = re.findall(r"\]\((figures/.*?\.png)\)", text)
    assert len(pictures) == 5
    assert all((folder / picture).stat().st_size > 1000 for picture in pictures)
    assert "| solver | unknowns |" in text
    assert "a book" in text


def test_fields_for_paraview(compared):
    _, folder = compared
    mesh = meshio.read(folder / "fields.vtu")
    assert mesh.cells[0].type == "triangle6"
    x = mesh.points[:, 0]
    assert mesh.point_data["reference.u"] == pytest.approx(x)
    assert mesh.point_data["good.u.error"] == pytest.approx(2e-3 * x**2)  # the median seed
    assert mesh.point_data["poor.flux"] == pytest.approx(np.column_stack([-1 - 2 * x, 0 * x, 0 * x]))


def test_every_solution_is_kept(compared):
    comparison, folder = compared
    loaded = Solution.load(folder / "solutions" / "good-seed2")
    assert loaded([[0.5, 0.5]]) == comparison.solutions["good"][2]([[0.5, 0.5]])


def test_the_report_is_rebuilt(compared):
    _, folder = compared
    before = (folder / "report.html").read_text()
    (folder / "report.html").unlink()
    rebuild_report(folder)
    assert (folder / "report.html").read_text() == before


@pytest.mark.parametrize("dim", [1, 3])
def test_other_dimensions(dim, tmp_path, polynomial_solvers):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare(case(dim), [Good()], out=tmp_path / "out")
    mesh = meshio.read(tmp_path / "out" / "fields.vtu")
    assert mesh.cells[0].type == {1: "line3", 3: "tetra10"}[dim]
    assert mesh.point_data["good.u.error"] == pytest.approx(1e-3 * mesh.points[:, 0] ** 2)
    if dim == 3:  # nodes 4 ... 9 halve the edges in VTK's order
        x = mesh.points[mesh.cells[0].data]
        ends = [(0, 1), (1, 2), (0, 2), (0, 3), (1, 3), (2, 3)]
        assert x[:, 4:] == pytest.approx(np.stack([(x[:, a] + x[:, b]) / 2 for a, b in ends], axis=1))


def test_an_error_below_the_reference_s_own_is_no_win(polynomial_solvers):
    without = Case("line", Problem(DOMAINS[2](), Field("u"), weak_form))
    own = {
        "estimated_error": {"u": {"l2": 1e-2, "h1": 1e-6}},
        "unknowns": 9,
        "seconds": 1.0,
        "cpu_seconds": 1.0,
    }
    mesh = without.problem.domain.mesh()
    reference = Solution("fem", "FEM()", without.problem.fields, polynomial(0, [1, 0]), mesh, own)
    comparison = compare(without, [Good(), Poor()], reference=reference)
    good, poor = comparison.metrics["solutions"]
    assert good["below_reference"] == ["u.l2"]
    assert poor["below_reference"] == []
    assert "< reference error (0.0100)" in str(comparison)
    assert any("good agrees with the reference to within" in s for s in verdict(comparison.metrics))


def test_nan_is_said_to_be_a_failure(polynomial_solvers, tmp_path):
    comparison = compare(case(), [Good(error=math.nan)], out=tmp_path / "out")
    assert comparison.metrics["solutions"][0]["errors"]["u"]["l2"] is None
    assert any("good failed" in sentence for sentence in verdict(comparison.metrics))
    assert "no value" in (tmp_path / "out" / "report.md").read_text()


def test_two_solvers_of_one_name(polynomial_solvers):
    comparison = compare(case(), [Good(), Good(error=0.1)])
    assert list(comparison.solutions) == ["good", "good-2"]


def test_solve_writes_the_same_files(tmp_path, polynomial_solvers):
    solve(case(), Good(), out=tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["solutions"][0]["errors"]["u"]["l2"] == pytest.approx(1e-3 * math.sqrt(3 / 5), rel=1e-9)
    solve(Case("line", Problem(DOMAINS[2](), Field("u"), weak_form)), Good(), out=tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["reference"] is None
    assert (tmp_path / "out" / "report.html").exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path, polynomial_solvers):
    (tmp_path / "thesis.tex").write_text("keep")
    with pytest.raises(InputError, match="holds other files"):
        compare(case(), [Good()], out=tmp_path)
    with pytest.raises(InputError, match="is a file"):
        compare(case(), [Good()], out=tmp_path / "thesis.tex")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1.2345e-7, "1.23e-7"),
        (0.00999999, "0.0100"),
        (0.012345, "0.0123"),
        (1.0, "1.00"),
        (123.456, "123"),
        (12345.6, "12346"),
        (1234567.0, "1.23e6"),
        (12345, "12\N{NARROW NO-BREAK SPACE}345"),
        (-0.5, "\N{MINUS SIGN}0.500"),
        (math.nan, "no value"),
        (math.inf, "no value"),
        (None, "no value"),
    ],
)
def test_numbers(value, text):
    assert number(value) == text


def test_steps_without_a_time_are_drawn_against_their_number_alone():
    """FEM's Newton steps have no seconds."""
    rows = [{"step": k, "residual": 10.0**-k} for k in range(3)]
    (by_step,) = history_figure({"fem": rows}).axes
    assert list(by_step.lines[0].get_ydata()) == [1.0, 0.1, 0.01]
