"""The command line: bad input is one sentence and exit code 2, with nothing written."""

import json
import subprocess
import sys

import pytest

from mlpde.solving import CHECKPOINT

CASE = """
\"\"\"A straight line.\"\"\"
import ufl
from geometry import interval
from mlpde import Case, Field, Problem

problem = Problem(
    interval(0.0, 1.0), Field("u"), lambda u, v, omega: ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx,
    exact=lambda x: x[0],
)
case = Case("line", problem, quantities={"mean": lambda u, omega: u * omega.dx}, solvers={"good": {"width": 5}})
"""


@pytest.fixture
def mlpde(tmp_path, command_line, polynomial_solvers):
    """`mlpde("solve", "line")` -> (exit code, stdout, stderr), in an empty folder that has cases/line.py."""
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "line.py").write_text(CASE)
    return command_line


def test_list_and_show(mlpde):
    code, out, _ = mlpde("list")
    assert code == 0
    assert "A straight line." in out
    assert "plate_with_holes" in out  # installed with the package
    assert "forms" not in out.split()
    code, out, _ = mlpde("show", "line")
    assert code == 0
    for text in ("left, right", "mean", "good, poor", "{'width': 5}"):
        assert text in out


def test_solve(mlpde, tmp_path):
    code, out, _ = mlpde(
        "solve", "line", "--solver", "good", "--set", "error=1e-4", "--seed", "1", "--out", "out"
    )
    assert code == 0
    assert "good has a relative L2 error of 1.55e-4 in u" in out
    (row,) = json.loads((tmp_path / "out" / "metrics.json").read_text())["solutions"]
    assert row["config"] == "Good(error=0.0001, width=5)"  # the case's own width
    assert row["seed"] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cases", "out"]


@pytest.mark.parametrize(
    ("kept", "sentence"),
    [(True, "--resume goes on from the checkpoint in out"), (False, "there was no checkpoint yet in out")],
)
def test_a_run_that_is_stopped_says_how_it_goes_on(mlpde, tmp_path, monkeypatch, kept, sentence):
    def stopped(*arguments, out, **others):
        if kept:
            out.mkdir()
            (out / CHECKPOINT).touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("mlpde.solving.solve", stopped)
    code, _, error = mlpde("solve", "line", "--solver", "good", "--out", "out")
    assert code not in (0, 2)
    assert f"stopped: {sentence}" in error


def test_compare_and_report(mlpde, tmp_path):
    arguments = (
        "compare",
        "line",
        "--solver",
        "good",
        "--solver",
        "poor",
        "--seed",
        "0",
        "--seed",
        "1",
        "--out",
        "out",
    )
    code, out, _ = mlpde(*arguments, "--set", "good.width=3")
    assert code == 0
    assert out.splitlines()[0].startswith("solver")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["command"] == "mlpde " + " ".join([*arguments, "--set", "good.width=3"])
    assert metrics["solutions"][0]["config"] == "Good(error=0.001, width=3)"
    (tmp_path / "out" / "report.md").unlink()
    assert mlpde("report", "out")[0] == 0
    assert (tmp_path / "out" / "report.md").exists()


@pytest.mark.parametrize(
    ("limit", "error", "code"),
    [("good.u.l2=1e-2", "1e-3", 0), ("good.u.l2=1e-4", "1e-3", 1), ("good.u.max=1", "nan", 1)],
)
def test_requirements(mlpde, limit, error, code):
    found, _, err = mlpde(
        "compare", "line", "--solver", "good", "--set", f"error={error}", "--require", limit
    )
    assert found == code
    assert ("was required" in err) == (code == 1)


BROKEN = {
    "raises.py": "import ufl\n\nboom = 1 / 0\n",
    "syntax.py": "case = Case(\n",
    "name.py": CASE.replace('Field("u")', 'Field("u v")'),
    "none.py": "x = 1\n",
    "other.py": "case = 3\n",
    "exits.py": "raise SystemExit(0)\n",
    "settings.py": CASE.replace('"good": {', '"god": {'),
    "outside.py": CASE.replace("lambda u, omega: u * omega.dx", "At((2.0,), lambda u, omega: u)").replace(
        "import Case", "import At, Case"
    ),
    "pole.py": CASE.replace("lambda x: x[0]", "lambda x: ufl.ln(x[0] - 0.5)"),
}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["solve", "lime", "--solver", "good"], "there is no case 'lime': did you mean line"),
        (["solve", "cases/lime.py", "--solver", "good"], "there is no file cases/lime.py: did you mean line"),
        (["solve", "raises.py", "--solver", "good"], "raises.py:3: boom = 1 / 0: ZeroDivisionError"),
        (["solve", "syntax.py", "--solver", "good"], "syntax.py:1: '(' was never closed"),
        (
            ["solve", "name.py", "--solver", "good"],
            "name.py:8: interval(0.0, 1.0), Field(",
        ),
        (
            ["solve", "settings.py", "--solver", "good"],
            "unknown solver in the settings of case 'line': 'god'",
        ),
        (
            ["solve", "outside.py", "--solver", "good"],
            "quantity 'mean': the point (2.0,) lies outside the domain",
        ),
        (
            ["compare", "pole.py", "--solver", "good"],
            "the exact solution or its gradient is not finite at x = (",
        ),
        (
            ["solve", "line", "--solver", "good", "--seed", "-1"],
            "the seed must be an integer from 0 on, below 2^63, not -1",
        ),
        (["solve", "line", "--solver", "good", "--seed", str(2**63)], "below 2^63, not 9223372036854775808"),
        (["compare", "line", "--solver", "good", "--seed", "1", "--seed", "1"], "a seed is given twice"),
        (["solve", "none.py", "--solver", "good"], "has no `case`"),
        (["solve", "other.py", "--solver", "good"], "has a `case` that is int"),
        (["solve", "exits.py", "--solver", "good"], "SystemExit"),
        (["solve", "line", "--solver", "god"], "unknown solver 'god'"),
        (["solve", "line", "--solver", "good", "--set", "widht=3"], "did you mean 'width'"),
        (["solve", "line", "--solver", "good", "--set", "width=wide"], "good.width must be a whole number"),
        (["solve", "line", "--solver", "good", "--set", "width"], "KEY=VALUE is expected"),
        (
            ["solve", "line", "--solver", "good", "--set", "poor.width=3"],
            "'poor' is not among the solvers good",
        ),
        (["solve", "line", "--solver", "good", "--out", "raises.py"], "is a file"),
        (["solve", "line", "--solver", "good", "--out", "cases"], "holds other files"),
        (["solve", "line", "--solver", "good", "--out", "/proc/out"], "cannot be written"),
        (
            ["compare", "line", "--solver", "good", "--solver", "poor", "--set", "width=3"],
            "--set good.width=3",
        ),
        (["compare", "line", "--solver", "good", "--solver", "good"], "named twice"),
        (["compare", "line", "--solver", "good", "--require", "good.u.l2"], "SOLVER.FIELD.MEASURE=VALUE"),
        (["compare", "line", "--solver", "good", "--require", "good.u.l2=nan"], "SOLVER.FIELD.MEASURE=VALUE"),
        (["compare", "line", "--solver", "good", "--require", "good.w.l2=1"], "unknown field in --require"),
        (["compare", "line", "--solver", "good", "--require", "poor.u.l2=1"], "unknown solver in --require"),
        (["compare", "line", "--solver", "good", "--require", "good.u.l3=1"], "unknown measure in --require"),
        (["report", "cases"], "not an output folder of mlpde"),
        (["bench", "nothing"], "unknown benchmark 'nothing'"),
    ],
)
def test_bad_input(mlpde, tmp_path, arguments, sentence):
    for name, text in BROKEN.items():
        (tmp_path / name).write_text(text)
    before = sorted(tmp_path.rglob("*"))
    code, out, err = mlpde(*arguments)
    assert code == 2
    assert sentence in err
    assert err.startswith("Error: ")
    assert len(err.strip().splitlines()) == 1
    assert out == ""
    assert sorted(p for p in tmp_path.rglob("*") if "__pycache__" not in p.parts) == before


def test_a_run_that_diverges_ends_with_one_sentence(mlpde):
    settings = [
        f"--set={text}" for text in ("optimizer=adam", "learning_rate=1e308", "iterations=3", "width=4")
    ]
    code, _, err = mlpde("solve", "square_poisson", "--solver", "pinn", *settings)
    assert code == 1 and err.strip().splitlines()[-1].startswith("Error: the ")
    assert "not finite" in err and "Traceback" not in err


def test_a_problem_the_solver_does_not_take(mlpde, tmp_path):
    heat = CASE.replace("exact=lambda x: x[0]", "time=(0, 1), initial=0.0")
    (tmp_path / "heat.py").write_text(heat)
    code, _, err = mlpde("solve", "heat.py", "--solver", "good")
    assert code == 2
    assert "solver 'good' does not take line: it has 'time', the solver takes 'steady'" in err


def test_the_installed_command(tmp_path):
    run = [sys.executable, "-m", "mlpde.cli"]
    done = subprocess.run([*run, "show", "nothing"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no case 'nothing'" in done.stderr
    assert "Traceback" not in done.stderr
    assert subprocess.run([*run, "--help"], capture_output=True, text=True, cwd=tmp_path).returncode == 0
    assert subprocess.run([*run, "solve"], capture_output=True, text=True, cwd=tmp_path).returncode == 2
