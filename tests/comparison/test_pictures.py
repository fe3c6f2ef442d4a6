"""Pictures: bodies by pyvista in another process, planes and lines by matplotlib."""

import math
import sys
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.figure import Figure
from polynomial import Good, polynomial

from geometry import ball, cuboid
from mlpde import Case, Field, Problem, Solution, compare
from mlpde.fields import sample
from mlpde.plotting import history_figure
from mlpde.rendering import NoRendering
from mlpde.spatial import scene, surface_figure

BALL = replace(ball(1.0, (0.0, 0.0, 0.0)), size=0.4)


def solution(linear, quadratic=None, domain=BALL, name="good"):
    fields = (Field("u"),)
    return Solution(name, "", fields, polynomial(0, linear, quadratic), domain.mesh())


def hue(pixel):
    """A colour without its brightness."""
    return np.asarray(pixel, dtype=float)[:3] / np.linalg.norm(np.asarray(pixel, dtype=float)[:3])


@pytest.fixture(scope="module")
def drawn():
    # two solutions that differ by 0.01 x^2, seen from x > 0, y < 0, z > 0
    known, found = solution([0, 0, 1]), solution([0, 0, 1], [0.01, 0, 0])
    return scene(sample({"reference": known, "good": found}, BALL.mesh()))


def test_the_surface_has_the_colours_of_the_values(drawn):
    image = drawn.images["reference.u"]
    height, width, _ = image.shape
    assert width == pytest.approx(height, rel=0.02)  # a ball is round
    assert (image[2, 2] == 255).all()
    for part in (0.2, 0.5, 0.8):  # z along the middle line: the picture's plane is not quite upright
        up = (0.5 - part) * 2 * 1.02
        row = round(part * height)
        forward = math.sqrt(1 - up**2)
        eye = np.array([1.1, -1.7, 1.0]) / np.linalg.norm([1.1, -1.7, 1.0])
        z = up * math.sqrt(1 - eye[2] ** 2) + forward * eye[2]
        assert hue(image[row, width // 2]) == pytest.approx(hue(colormaps["viridis"]((z + 1) / 2)), abs=0.05)


def test_the_cut_has_the_area_and_the_values_of_the_plane(drawn):
    x = drawn.cut.points[drawn.cut.cells]
    areas = np.abs(np.linalg.det(x[:, 1:] - x[:, :1])) / 2
    assert areas.sum() == pytest.approx(math.pi, rel=5e-3)
    assert drawn.plane == "y = 0"
    assert drawn.coordinates == ("x", "z")
    assert drawn.cut.values["reference.u"] == pytest.approx(drawn.cut.points[:, 1], abs=1e-6)
    assert drawn.cut.values["good.u.error"] == pytest.approx(0.01 * drawn.cut.points[:, 0] ** 2, abs=5e-4)


def test_the_cut_halves_the_shortest_edge():
    plate = replace(cuboid(0.0, 0.0, 0.0, 1.0, 2.0, 0.2), size=0.5)
    flat = scene(sample({"good": solution([1, 0, 0], domain=plate)}, plate.mesh()))
    assert flat.plane == "z = 0.1"
    assert np.ptp(flat.cut.points, axis=0) == pytest.approx([1, 2])


def test_one_scale_for_all(drawn):
    norm = drawn.norms["u"]
    assert (norm.vmin, norm.vmax) == pytest.approx((-1, 1), abs=0.01)
    figure = surface_figure(drawn, ["reference.u", "good.u"], ["reference", "good"])
    assert [axes.get_title() for axes in figure.axes[:2]] == ["reference", "good"]
    assert len(figure.axes) == 3  # one bar


def test_a_solution_is_plotted_in_every_dimension():
    assert isinstance(solution([1, 0, 0]).plot(), Figure)


def test_a_history_without_times_is_drawn_against_steps():
    figure = history_figure({"fem": [{"step": 0, "residual": 1.0}, {"step": 1, "residual": 0.1}]})
    (axes,) = figure.axes
    assert axes.lines[0].get_xdata() == pytest.approx([0, 1])


def test_a_negative_loss_is_drawn_above_its_least():
    figure = history_figure(
        {"deep_ritz": [{"step": k, "loss": loss} for k, loss in enumerate([1.0, -1.0, -2.0])]}
    )
    (line,) = figure.axes[0].lines
    assert line.get_ydata() == pytest.approx([3, 1]) and line.get_label() == "deep_ritz: loss above its least"


def test_a_report_without_rendering_says_so(tmp_path, monkeypatch, polynomial_solvers):
    body = Problem(BALL, Field("u"), lambda u, v, omega: u * v * omega.dx, exact=lambda x: x[0])
    monkeypatch.setattr(sys, "executable", "/bin/false")  # the other process dies
    compare(Case("ball", body), [Good()], out=tmp_path / "out")
    text = (tmp_path / "out" / "report.md").read_text()
    assert "no pictures of surfaces" in text and "apt-get install libegl1" in text
    assert "figures/history.png" in text and "figures/mesh.png" not in text
    assert (tmp_path / "out" / "report.html").exists()
    with pytest.raises(NoRendering, match="apt-get install libegl1"):
        solution([1, 0, 0]).plot()
