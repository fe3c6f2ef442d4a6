"""Monitor: history, and checkpoints that fit only the run they came from."""

import numpy as np
import pytest
from polynomial import Counting

from geometry import interval
from mlpde import Case, Field, InputError, Problem, solve
from mlpde.case_files import load
from mlpde.monitor import Monitor
from mlpde.solvers.pinn import PINN
from mlpde.solving import CHECKPOINT

IDENTITY = {"case": "c", "configuration": "Counting(steps=10)", "seed": 0, "version": "1"}


def test_the_history_keeps_every_step():
    shown = []
    monitor = Monitor(display=lambda *what: shown.append(what[:2]))
    monitor.update(1, 3, loss=np.float64(0.5))
    monitor.update(2, 3, loss=float("nan"))
    assert [(row["step"], row["loss"]) for row in monitor.history] == [(1, 0.5), (2, None)]
    assert shown == [(1, 3), (2, 3)]
    assert monitor.resume() is None


def test_a_checkpoint_is_saved_only_so_often(tmp_path):
    monitor = Monitor(tmp_path / "c", IDENTITY)
    monitor.checkpoint({"a": np.ones(2)}, {"step": 1})
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr(Monitor, "save_every", 0.0)
    monitor = Monitor(tmp_path / "c", IDENTITY)
    monitor.update(1, 3, loss=0.5)
    monitor._start -= 100.0
    monitor.checkpoint({"a": np.arange(3.0)}, {"step": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["c"]
    again = Monitor(tmp_path / "c", IDENTITY, resume=True)
    arrays, settings = again.resume()
    assert np.array_equal(arrays["a"], np.arange(3.0))
    assert settings == {"step": 1}
    assert again.history == monitor.history
    assert again.seconds >= again.earlier["seconds"] >= 100.0
    assert Monitor(tmp_path / "c", IDENTITY).resume() is None  # a fresh start was asked for


@pytest.mark.parametrize("key", IDENTITY)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, monkeypatch, key):
    monkeypatch.setattr(Monitor, "save_every", 0.0)
    Monitor(tmp_path / "c", IDENTITY).checkpoint({"a": np.ones(1)}, {})
    with pytest.raises(InputError, match=f"has {key} .*, this run has other"):
        Monitor(tmp_path / "c", IDENTITY | {key: "other"}, resume=True).resume()


def test_of_two_configurations_the_settings_that_differ_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(Monitor, "save_every", 0.0)
    saved, present = (
        {"configuration": repr(PINN(width=w, inputs=i))} for w, i in ((20, ()), (16, ("holes",)))
    )
    Monitor(tmp_path / "c", saved).checkpoint({"a": np.ones(1)}, {})
    sentence = r"configuration width=20, inputs=\(\), this run has width=16, inputs=\('holes',\):"
    with pytest.raises(InputError, match=sentence):
        Monitor(tmp_path / "c", present, resume=True).resume()


def test_a_broken_checkpoint_is_refused(tmp_path):
    (tmp_path / "c").write_text("not a checkpoint")
    with pytest.raises(InputError, match="not a checkpoint"):
        Monitor(tmp_path / "c", IDENTITY, resume=True).resume()


def test_an_interrupted_run_goes_on_to_the_same_result(tmp_path, monkeypatch, polynomial_solvers):
    case = Case("c", Problem(interval(0.0, 1.0), Field("u"), lambda u, v, omega: u * v * omega.dx))
    monkeypatch.setattr(Monitor, "save_every", 0.0)
    monkeypatch.setattr(Counting, "stop_at", 4)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        solve(case, Counting(), out=out)
    assert [path.name for path in out.iterdir()] == [CHECKPOINT]
    monkeypatch.setattr(Counting, "stop_at", None)
    with pytest.raises(InputError, match="has seed 0, this run has 1"):
        solve(case, Counting(), seed=1, out=out, resume=True)
    resume = Monitor.resume

    def after_an_hour(self):
        found, self.earlier = resume(self), {"seconds": 3600.0, "cpu_seconds": 1800.0}
        return found

    monkeypatch.setattr(Monitor, "resume", after_an_hour)
    resumed = solve(case, Counting(), out=out, resume=True)
    assert 3600.0 < resumed.info["seconds"] < 3700.0 and 1800.0 < resumed.info["cpu_seconds"] < 1900.0
    monkeypatch.setattr(Monitor, "resume", resume)
    assert resumed([[0.5]]) == solve(case, Counting())([[0.5]]) == 55
    assert [row["step"] for row in resumed.info["history"]] == list(range(1, 11))
    assert not (out / CHECKPOINT).exists()


def test_a_run_does_not_go_on_with_a_changed_case_file(tmp_path, monkeypatch):
    monkeypatch.setattr(Monitor, "save_every", 0.0)
    text = """from geometry import interval
import ufl
from mlpde import Case, Dirichlet, Field, Problem

problem = Problem(
    domain=interval(0.0, 1.0),
    fields=Field("u"),
    weak_form=lambda u, v, omega: (u.dx(0) * v.dx(0) - v) * omega.dx,
    dirichlet=Dirichlet("all", 0.0),
)
case = Case("line", problem)
"""
    file, out, solver = (
        tmp_path / "line.py",
        tmp_path / "out",
        PINN(width=3, depth=1, iterations=6, tolerance=0.0),
    )
    file.write_text(text)
    whole = solve(load(str(file)), solver)

    def killed(step, *_):
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        solve(load(str(file)), solver, out=out, display=killed)
    file.write_text(text.replace("- v", "- 2 * v"))
    with pytest.raises(InputError, match=r"has case file .*, this run has"):
        solve(load(str(file)), solver, out=out, resume=True)
    file.write_text(text)
    again = solve(load(str(file)), solver, out=out, resume=True)
    assert np.array_equal(again.model.parameters, whole.model.parameters)
