"""mlpde sweep: what is done is kept, what is killed is run again, and everything lands in one report."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from mlpde import cli
from mlpde.doctor import surroundings
from mlpde.sweep import local, slurm

# A case whose solver answers at once, and is killed or held up by files that lie beside it, each once.
CASE = """
\"\"\"A straight line.\"\"\"
import os, signal, time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
import polynomial, ufl
from geometry import interval
from mlpde import Case, Field, Problem
from mlpde.saved_solution import MODELS
from mlpde.solvers import SOLVERS

HERE = Path(__file__).parent

class Steered(polynomial.Good):
    def solve(self, problem, *, seed, monitor):
        if (HERE / "kill").exists():
            (HERE / "kill").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        if (HERE / "hold").exists() and seed == 1:
            (HERE / "held").write_text(str(os.getpid()))
            time.sleep(100)
        if self.width == 13:
            raise ValueError("no luck")
        return super().solve(problem, seed=seed, monitor=monitor)

polynomial.Steered = Steered
SOLVERS["good"] = "polynomial:Steered"
MODELS["polynomial"] = "polynomial:Polynomial"
problem = Problem(
    interval(0.0, 1.0), Field("u"), lambda u, v, omega: ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx,
    EXACT
)
case = Case("line", problem, quantities={"mean": lambda u, omega: u * omega.dx})
"""
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "comparison"), *sys.path]),
}


@pytest.fixture
def mlpde(monkeypatch, tmp_path, command_line, request):
    """`mlpde("sweep", "line", ...)` -> (exit code, stdout, stderr), in a folder that has cases/line.py."""
    sys.path.insert(0, str(Path(__file__).parent / "comparison"))
    request.addfinalizer(lambda: sys.path.remove(str(Path(__file__).parent / "comparison")))
    from mlpde.saved_solution import MODELS
    from mlpde.solvers import SOLVERS

    monkeypatch.setitem(SOLVERS, "good", "")  # taken out again afterwards
    monkeypatch.setitem(MODELS, "polynomial", "")
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "line.py").write_text(CASE.replace("EXACT", "exact=lambda x: x[0]"))
    return command_line


SWEEP = ("sweep", "line", "--solver", "good", "--seed", "0", "--seed", "1", "--out", "out")


def test_a_sweep_in_which_a_worker_is_killed(mlpde, tmp_path):
    (tmp_path / "cases" / "kill").touch()
    arguments = (*SWEEP, "--set", "error=1e-3,1e-4", "--workers", "2")
    code, out, err = mlpde(*arguments)
    assert code == 0, out + err
    assert "0 of 4 runs are done, 4 to make" in err
    assert "step 4/4" in err and "failed 0" in err
    assert "4 of 4 runs are done." in out
    assert "line: the smallest median L2 error is 1.16e-4, by good error=1e-4" in out
    logs = {path.name: path.read_text() for path in (tmp_path / "out" / "logs").iterdir()}
    assert len(logs) == 4
    assert sum("ended by signal 9 (SIGKILL)" in text for text in logs.values()) == 1
    assert sum(text.count("$ ") for text in logs.values()) == 5  # four runs, and one of them again

    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    rows = metrics["cases"]["line"]["solutions"]
    assert [(row["label"], row["seed"]) for row in rows] == [
        (f"good error={error}", seed) for error in ("1e-3", "1e-4") for seed in (0, 1)
    ]
    with (tmp_path / "out" / "runs.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["good.error"] for line in lines] == ["1e-3", "1e-3", "1e-4", "1e-4"]
    assert float(lines[3]["l2"]) == pytest.approx(2 * float(lines[2]["l2"]))
    report = (tmp_path / "out" / "report.md").read_text()
    assert "| good error=1e-3 | 2 |" in report and "(worst 1.55e-3)" in report
    assert "figures/line_errors_over_the_seeds.png" in report
    assert "figures/line_error_against_work.png" in report
    assert "data:image/png" in (tmp_path / "out" / "report.html").read_text()

    code, _, err = mlpde(*arguments)
    assert code == 0 and "4 of 4 runs are done, 0 to make" in err
    assert {path.name: path.read_text() for path in (tmp_path / "out" / "logs").iterdir()} == logs


def test_a_sweep_that_is_killed_goes_on_with_what_is_missing(mlpde, tmp_path):
    (tmp_path / "cases" / "hold").touch()
    sweep = subprocess.Popen(
        [sys.executable, "-m", "mlpde.cli", *SWEEP], env=ENVIRONMENT, stderr=subprocess.PIPE
    )
    held = tmp_path / "cases" / "held"
    wait_for(lambda: held.exists() and held.read_text())
    run = int(held.read_text())
    code, _, err = mlpde(*SWEEP)
    assert code == 2 and "another `mlpde sweep` is at work in out" in err
    sweep.kill()
    sweep.communicate()
    wait_for(lambda: not alive(run))  # no run goes on behind the sweep
    (tmp_path / "cases" / "hold").unlink()
    done = (tmp_path / "out" / "runs" / "line-good-seed0" / "metrics.json").stat().st_mtime_ns
    code, out, err = mlpde(*SWEEP)
    assert code == 0 and "1 of 2 runs are done, 1 to make" in err
    assert "2 of 2 runs are done." in out
    assert (tmp_path / "out" / "runs" / "line-good-seed0" / "metrics.json").stat().st_mtime_ns == done


@pytest.fixture
def at_once(monkeypatch):
    """Runs are made in this process."""

    def run_here(runs, folder, workers, show):
        return {
            run: one(run.command(folder / local.RUNS / run.name), local.log_of(folder, run)) for run in runs
        }

    def one(command, log):
        log.parent.mkdir(exist_ok=True)
        with (
            log.open("a") as file,
            redirect_stdout(file),
            redirect_stderr(file),
            monkeypatch.context() as patch,
        ):
            patch.setattr(sys, "argv", command[2:])
            try:
                cli.main()
            except SystemExit as end:
                return end.code or 0
            except Exception:
                traceback.print_exc()
                return 1
        return 0

    monkeypatch.setattr(local, "run_here", run_here)


def test_a_sweep_grows_and_shrinks(mlpde, at_once, tmp_path):
    def sweep(error):
        (tmp_path / "sweep.toml").write_text(
            f'cases = ["line"]\nout = "out"\n[solvers.good]\nerror = {error}\nwidth = 9\n'
        )
        return mlpde("sweep", "sweep.toml")

    assert "0 of 1 runs are done, 1 to make" in sweep(1e-2)[2]
    code, _, err = sweep([1e-2, 1e-3])
    assert code == 0 and "1 of 2 runs are done, 1 to make" in err
    code, out, err = sweep(1e-3)
    assert code == 0 and "1 of 1 runs are done, 0 to make" in err
    assert "not asked for any more and left alone, 1 in out/runs: line-good_error=0.01_width=9-seed0" in out
    assert len(json.loads((tmp_path / "out" / "metrics.json").read_text())["cases"]["line"]["solutions"]) == 1

    (tmp_path / "out" / "report.md").unlink()
    assert mlpde("report", "out")[:2] == (0, "report: out/report.html\n")
    assert "1 of 1 runs are done." in (tmp_path / "out" / "report.md").read_text()

    (tmp_path / "out" / "runs" / "line-good_error=0.001_width=9-seed0" / "metrics.json").write_text('{"a')
    assert "0 of 1 runs are done, 1 to make" in sweep(1e-3)[2]

    with (tmp_path / "cases" / "line.py").open("a") as file:
        file.write("# otherwise\n")
    code, _, err = sweep(1e-3)
    assert code == 2 and "the output folder out holds runs from before case 'line' changed" in err


def test_parts_of_a_sweep_make_it_all(mlpde, at_once, tmp_path):
    assert mlpde(*SWEEP, "--part", "0/2")[0] == 0
    with local.alone(tmp_path / "out", part=True):
        assert mlpde(*SWEEP, "--part", "1/2")[0] == 0
        assert mlpde(*SWEEP)[0] == 2
    assert not (tmp_path / "out" / "metrics.json").exists()
    code, out, err = mlpde(*SWEEP)
    assert code == 0 and "2 of 2 runs are done, 0 to make" in err and "report: out/report.html" in out


def test_where_every_run_fails_the_report_says_so(mlpde, at_once, tmp_path):
    code, out, _ = mlpde(*SWEEP, "--set", "width=13")
    assert code == 1 and "0 of 2 runs are done." in out
    log = "logs/line-good_width=13-seed0.log"
    assert f"line-good_width=13-seed0 has no result: exit code 1, ValueError: no luck (see out/{log})" in out
    html = (tmp_path / "out" / "report.html").read_text()
    assert f'<a href="{log.replace("=", "%3D")}">{log}</a>' in html
    assert "no luck" in (tmp_path / "out" / "report.md").read_text()
    assert (tmp_path / "out" / "runs.csv").read_text().strip() == "case,solver,label,seed"


@pytest.mark.parametrize(
    "command", [SWEEP, ("solve", *SWEEP[1:4]), ("compare", *SWEEP[1:4])], ids=lambda c: c[0]
)
def test_a_cache_that_cannot_be_written(mlpde, tmp_path, monkeypatch, command):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    code, out, err = mlpde(*command)
    assert (code, out) == (2, "")
    assert "set XDG_CACHE_HOME to a folder that can be written" in err and len(err.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"cases", "file"}


def test_interrupted_by_ctrl_c(mlpde, monkeypatch, request):
    # of a process in the background a shell has it ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    monkeypatch.setattr(local, "run_here", lambda *_: signal.raise_signal(signal.SIGINT))
    code, _, err = mlpde(*SWEEP)
    assert code == 130 and "stopped: 0 of 2 runs are done; the same command makes the others" in err


def test_ended_as_slurm_does_when_the_time_is_over(mlpde, tmp_path):
    (tmp_path / "cases" / "hold").touch()
    sweep = subprocess.Popen(
        [sys.executable, "-m", "mlpde.cli", *SWEEP], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    )
    held = tmp_path / "cases" / "held"
    wait_for(lambda: held.exists() and held.read_text())
    sweep.terminate()
    _, err = sweep.communicate(timeout=20)
    assert sweep.returncode == 143
    assert err.endswith("stopped: 1 of 2 runs are done; the same command makes the others\n")
    assert "PETSC" not in err
    assert not alive(int(held.read_text()))


def test_without_exact_solution_against_a_reference_and_with_a_run_that_fails(mlpde, tmp_path):
    file = tmp_path / "cases" / "line.py"
    conditions = 'dirichlet=[Dirichlet("left", 0.0), Dirichlet("right", 1.0)]'
    file.write_text(CASE.replace("EXACT", conditions).replace("import Case", "import Dirichlet, Case"))
    (tmp_path / "sweep.toml").write_text(
        'cases = ["line"]\nout = "out"\n[solvers.good]\nwidth = [8, 13]\nerror = 1e-2\n'
    )
    code, out, err = mlpde("sweep", "sweep.toml", "--workers", "2")
    assert code == 1, out + err
    assert "line: The reference is by fem" in out
    assert "by good width=8" in out
    name = "line-good_error=0.01_width=13-seed0"
    assert f"{name} has no result: exit code 1, ValueError: no luck (see out/logs/{name}.log)" in out
    (row,) = json.loads((tmp_path / "out" / "metrics.json").read_text())["cases"]["line"]["solutions"]
    assert row["errors"]["u"]["l2"] == pytest.approx(1e-2 * (3 / 5) ** 0.5, rel=1e-6)
    assert "0.01 | 2 |" not in (tmp_path / "out" / "report.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("lin", "--solver", "good"), "there is no case 'lin': did you mean line"),
        (("line", "--solver", "goood"), "unknown solver 'goood'"),
        (("line",), "at least one solver"),
        (("line", "line", "--solver", "good"), "the case 'line' is given twice"),
        (("line", "cases/line.py", "--solver", "good"), "line and cases/line.py are both the case 'line'"),
        (("line", "--solver", "good", "--seed", "1", "--seed", "1"), "the seed 1 is given twice"),
        (("line", "--solver", "good", "--seed", "-1"), "the seeds must be integers from 0 on, not -1"),
        (("line", "--solver", "good", "--set", "errors=1"), "unknown option of solver 'good': 'errors'"),
        (("line", "--solver", "good", "--set", "error=1,x"), "good.error must be a number"),
        (("line", "--solver", "good", "--set", "error=1,1"), "is given twice"),
        (("line", "--solver", "good", "--set", "rfm.features=1"), "'rfm' is not among the solvers good"),
        (("line", "--solver", "good", "--partition", "cpu"), "--partition is Slurm's: give --slurm as well"),
        (
            ("line", "--solver", "good", "--slurm"),
            "--slurm: Slurm's sbatch, srun, squeue, scancel, sinfo not found",
        ),
        (("line", "--solver", "good", "--out", "cases"), "holds other files and no sweep"),
        (("line", "--solver", "good", "--part", "2/2"), "K/N is expected with K less than N"),
        (("empty.toml",), "good.error has no values to try"),
        (("none.toml",), "there is no file none.toml"),
        (("wrong.toml",), "cannot be read as TOML"),
        (
            ("keys.toml",),
            "unknown key case; seeds is no list; unknown key slurm.queue; solvers.good is no table; cases is missing",
        ),
    ],
)
def test_bad_input_starts_nothing(mlpde, tmp_path, monkeypatch, arguments, sentence):
    (tmp_path / "wrong.toml").write_text("cases = [")
    (tmp_path / "keys.toml").write_text(
        'case = ["line"]\nseeds = 1\nsolvers = {good = 1}\nslurm = {queue = "cpu"}\n'
    )
    (tmp_path / "empty.toml").write_text('cases = ["line"]\n[solvers.good]\nerror = []\n')
    monkeypatch.setenv("PATH", str(tmp_path))
    code, out, err = mlpde("sweep", *arguments)
    assert (code, out) == (2, "")
    assert sentence in err and len(err.strip().splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"cases", "wrong.toml", "keys.toml", "empty.toml"}


# What sbatch does: the elements of the array one after the other, here at once.
SBATCH = """#!/bin/sh
last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\)%.*/\\1/p' "$1")
grep -e partition -e time -e account "$1" > asked
echo "Submitted batch job 7"
for task in $(seq 0 "$last"); do
    SLURM_JOB_ID=$((7 + task)) SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$task SLURM_NTASKS=1 SLURM_JOB_NUM_NODES=1 \\
    SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0 sh -c "sleep 1; sh '$1'" >/dev/null 2>task-"$task" &
done
"""
REFUSES = """#!/bin/sh
echo "sbatch: error: invalid partition specified: night
sbatch: error: Batch job submission failed: Invalid partition name specified" >&2
exit 1
"""
PARTITIONS = "#!/bin/sh\necho night\necho day\n"
EMPTY = '#!/bin/sh\necho "slurm_load_jobs error: Invalid job id specified" >&2\nexit 1\n'


@pytest.fixture
def scheduler(tmp_path, monkeypatch):
    """`scheduler(script)`: it becomes sbatch; the queue is empty, the partitions are night and day."""

    def install(sbatch, sinfo=PARTITIONS):
        (tmp_path / "bin").mkdir()
        others = {"squeue": EMPTY, "srun": EMPTY, "scancel": EMPTY, "sinfo": sinfo}
        for name, text in {"sbatch": sbatch, **others}.items():
            (tmp_path / "bin" / name).write_text(text)
            (tmp_path / "bin" / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(slurm, "POLL", 0.2)

    return install


def test_by_slurm(mlpde, scheduler, tmp_path, monkeypatch):
    scheduler(SBATCH)
    monkeypatch.setattr(slurm, "GRACE", 60.0)
    code, out, err = mlpde(*SWEEP, "--slurm", "--partition", "night", "--account", "us", "--time", "30")
    assert code == 0, out + err
    assert "2 of 2 runs are done." in out
    asked = (tmp_path / "asked").read_text()
    for text in ("--partition=night", "--account=us", "--time=30"):
        assert text in asked
    assert "$ " in (tmp_path / "out" / "logs" / "line-good-seed0.log").read_text()


def test_a_job_that_leaves_the_queue_without_a_result_is_submitted_once_more(
    mlpde, scheduler, tmp_path, monkeypatch
):
    scheduler('#!/bin/sh\necho x >> submitted\necho "Submitted batch job 7"\n')
    monkeypatch.setattr(slurm, "GRACE", 0.0)
    code, out, _ = mlpde(*SWEEP, "--slurm")
    assert code == 1
    assert "line-good-seed0 has no result: killed, and killed again" in out
    assert (tmp_path / "submitted").read_text().split() == ["x", "x"]


def test_what_sbatch_refuses_is_passed_on(mlpde, scheduler):
    scheduler(REFUSES)
    code, _, err = mlpde(*SWEEP, "--slurm", "--partition", "night")
    assert code == 2
    (line,) = [line for line in err.splitlines() if line.startswith("Error")]
    assert "sbatch takes no job: " in line and "invalid partition specified: night" in line


@pytest.mark.parametrize(
    ("sinfo", "sentence"),
    [
        ("#!/bin/sh\necho day\n", "Slurm has no partition 'night': there is day"),
        (
            "#!/bin/sh\necho 'Unable to contact slurm controller' >&2\nexit 1\n",
            "(Unable to contact slurm controller)",
        ),
        ("#!/bin/sh\nexec sleep 9\n", "sinfo does not answer within 0.5 s"),
    ],
)
def test_a_slurm_that_cannot_be_used(mlpde, scheduler, tmp_path, monkeypatch, sinfo, sentence):
    scheduler(SBATCH, sinfo)
    monkeypatch.setattr(slurm, "ANSWER", 0.5)
    code, out, err = mlpde(*SWEEP, "--slurm", "--partition", "night")
    assert (code, out) == (2, "") and sentence in err and len(err.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"bin", "cases"}
    found = surroundings.check_slurm()
    assert found.word == ("fine" if "day" in sinfo else "note")


def wait_for(condition, patience=60.0):
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < patience
        time.sleep(0.05)


def alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().split(")")[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
