"""Solutions on meshes for ParaView, at one time and at several."""

import json
from dataclasses import dataclass, replace
from typing import ClassVar

import meshio
import numpy as np
import pytest
import pyvista
import ufl
from PIL import Image
from polynomial import polynomial

from geometry import ball, interval, rectangle
from mlpde import Case, Field, InputError, Problem, Solution, compare, dt, solve
from mlpde.animation import LIMIT, write_gif
from mlpde.results import rebuild_report
from mlpde.series import FRAMES, Series

DOMAINS = {
    1: replace(interval(0.0, 1.0), size=0.2),
    2: replace(rectangle(0.0, 0.0, 2.0, 1.0), size=0.4),
    3: replace(ball(1.0, (0.0, 0.0, 0.0)), size=0.7),
}


def weak_form(u, v, omega):
    return (dt(u) * v + ufl.inner(ufl.grad(u), ufl.grad(v))) * omega.dx


def case(dim=2, time=(0.0, 2.0)):
    problem = Problem(DOMAINS[dim], Field("u"), weak_form, time=time, initial=0.0)
    return Case("drift", problem, outputs={"flux": lambda u, omega: -ufl.grad(u)} if dim == 2 else {})


def solution(dim, slope=1.0, solver="good"):
    """u = x_0 + slope t."""
    first = np.eye(dim + 1)[0] + slope * np.eye(dim + 1)[dim]
    cost = {"seconds": 1.0, "cpu_seconds": 1.0, "unknowns": 2}
    mesh = DOMAINS[dim].mesh()
    return Solution(solver, "config", (Field("u"),), polynomial(0, first), mesh, cost, case(dim))


@dataclass(frozen=True)
class Drifting:
    slope: float = 1.1
    name: ClassVar[str] = "drifting"
    accepts: ClassVar[frozenset[str]] = frozenset({"time"})

    def solve(self, problem, *, seed, monitor):
        return solution(problem.domain.dim, self.slope, "drifting")


def test_a_series_has_the_values_of_its_times(tmp_path):
    path = solution(2).export(tmp_path / "drift.pvd", times=[0.5, 0.0, 2.0])
    reader = pyvista.get_reader(path)
    assert reader.time_values == [0.0, 0.5, 2.0]
    for t in reader.time_values:
        reader.set_active_time_value(t)
        grid = reader.read()[0]
        assert grid.point_data["u"] == pytest.approx(grid.points[:, 0] + t)
        assert grid.point_data["flux"] == pytest.approx(np.tile([-1.0, 0.0, 0.0], (grid.n_points, 1)))
    assert meshio.read(tmp_path / "drift" / "001.vtu").cells[0].type == "triangle6"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["drift", "drift.pvd"]
    assert len(Series.read(solution(2).export(path)).times) == FRAMES  # again: replaced
    assert len(list((tmp_path / "drift").iterdir())) == FRAMES


def test_one_time_on_another_mesh(tmp_path):
    other = replace(rectangle(0.5, 0.0, 2.5, 1.0), size=0.3).mesh()
    stored = meshio.read(solution(2).export(tmp_path / "one.vtu", times=0.5, mesh=other))
    x = stored.points[:, 0]
    inside = DOMAINS[2].contains(stored.points[:, :2])
    assert len(x) == len(other.points)
    assert stored.point_data["u"][inside] == pytest.approx(x[inside] + 0.5)
    assert np.isnan(stored.point_data["u"][~inside]).all() and not inside.all()
    final = meshio.read(solution(2).export(tmp_path / "final.vtu"))
    assert final.point_data["u"] == pytest.approx(final.points[:, 0] + 2.0)


def test_what_cannot_be_exported_is_said(tmp_path):
    with pytest.raises(InputError, match=r"must end with \.vtu for one time"):
        solution(2).export(tmp_path / "drift.xdmf")
    with pytest.raises(InputError, match=r"must end with \.vtu for one time"):
        solution(2).export(tmp_path / "drift.vtu", times=[0.0, 1.0])
    with pytest.raises(InputError, match="between 0 and 2"):
        solution(2).export(tmp_path / "drift.pvd", times=[0.0, 3.0])
    steady = Solution("good", "", (Field("u"),), polynomial(0, [1, 0]), DOMAINS[2].mesh())
    with pytest.raises(InputError, match="the problem has no time"):
        steady.export(tmp_path / "steady.pvd")
    with pytest.raises(InputError, match="no mesh"):
        Solution("good", "", (Field("u"),), polynomial(0, [1, 0])).export(tmp_path / "steady.vtu")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_a_comparison_in_time_has_a_series_and_moves(dim, tmp_path, monkeypatch, polynomial_solvers):
    count = FRAMES if dim < 3 else 3
    monkeypatch.setattr("mlpde.series.FRAMES", count)
    out = tmp_path / "out"
    compare(case(dim), [Drifting()], reference=solution(dim), out=out)
    series = Series.read(out / "fields.pvd")
    assert series.times == pytest.approx(np.linspace(0, 2, count))
    for t, fields in zip(series.times, series.frames, strict=True):
        assert fields.values["drifting.u.error"] == pytest.approx(0.1 * t, abs=1e-12)
    last = meshio.read(out / "fields.vtu")
    assert last.point_data["reference.u"] == pytest.approx(last.points[:, 0] + 2.0)
    html = (out / "report.html").read_text()
    assert html.count("data:image/gif;base64,") == (2 if dim == 2 else 1)  # u, flux
    assert "figures/u_in_time.png" in (out / "report.md").read_text()
    with Image.open(out / "figures" / "u_in_time.gif") as movie:
        assert movie.n_frames == count
        movie.seek(0)
        start = np.asarray(movie.convert("RGB"), dtype=int)
        movie.seek(count - 1)
        end = np.asarray(movie.convert("RGB"), dtype=int)
    assert (start != end).any(2).mean() > 0.01
    bar = start.shape[1] * 9 // 10  # the bar, with its numbers, is to the right of this
    if dim > 1:
        assert np.abs(start[:, bar:] - end[:, bar:]).max() < 64
    (out / "report.html").unlink()
    rebuild_report(out)
    assert (out / "report.html").read_text() == html
    assert json.loads((out / "metrics.json").read_text())["solutions"][0]["errors"]["u"]["l2_time"] > 0


def test_solve_writes_the_series_too(tmp_path, polynomial_solvers):
    solve(case(), Drifting(), out=tmp_path / "out")
    frames = Series.read(tmp_path / "out" / "fields.pvd").frames
    assert frames[0].values["drifting.u"] == pytest.approx(frames[0].points[:, 0])


def test_a_gif_shrinks_until_it_is_small_enough(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (12, 500, 700, 3), dtype=np.uint8)
    path = write_gif(list(noise), tmp_path / "noise.gif")
    assert path.stat().st_size < LIMIT
    with Image.open(path) as movie:
        assert movie.n_frames == 12
        assert movie.size[0] < 700
        assert movie.size[0] / movie.size[1] == pytest.approx(7 / 5, rel=0.02)
