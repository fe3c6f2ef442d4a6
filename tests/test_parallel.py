"""Under mpiexec: the same numbers as with one rank, one report, one voice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CASE = """
import ufl
from geometry import rectangle
from mlpde import Case, Dirichlet, Field, Problem

def weak_form(u, v, omega):
    return (ufl.inner(ufl.grad(u), ufl.grad(v)) - v) * omega.dx

problem = Problem(rectangle(0.0, 0.0, 1.0, 1.0), Field("u"), weak_form, dirichlet=DIRICHLET)
case = Case(
    "membrane", problem, quantities={"mean": lambda u, omega: u * omega.dx},
    solvers={"fem": {"degree": 2, "size": 0.2}, "rfm": {"features": 40, "partition": (1, 1)}},
)
"""
ON_ONE_RANK = """
import os
if os.environ["PMI_RANK"] == "1":
    raise ValueError("here alone")
"""
COMPARE = ("-m", "mlpde.cli", "compare")


@pytest.fixture
def case_file(tmp_path):
    def write(before="", dirichlet='[Dirichlet("all", 0.0)]'):
        (tmp_path / "membrane.py").write_text(before + CASE.replace("DIRICHLET", dirichlet))
        return str(tmp_path / "membrane.py")

    return write


def figures(folder):
    """What does not depend on time and machine."""
    metrics = json.loads((folder / "metrics.json").read_text())
    rows = [metrics["reference"], *metrics["solutions"]]
    numbers = {}
    for number, row in enumerate(rows):
        for kind in ("errors", "estimated_error"):
            for field, errors in row.get(kind, {}).items():
                numbers |= {(number, kind, field, name): value for name, value in errors.items()}
        numbers |= {(number, name): value for name, value in row["quantities"].items()}
        numbers[number, "unknowns"] = row["unknowns"]
    return numbers, [row["config"] for row in rows], metrics["case"]


@pytest.mark.mpi
def test_compare_on_two_ranks_gives_the_numbers_of_one_and_one_report(mpi, case_file, tmp_path):
    arguments = (*COMPARE, case_file(), "--solver", "rfm", "--solver", "fem", "--require", "fem.u.l2=0.1")
    subprocess.run(
        [sys.executable, *arguments, "--out", str(tmp_path / "one")], check=True, capture_output=True
    )
    done = mpi(*arguments, "--out", str(tmp_path / "two"))
    numbers, *rest = figures(tmp_path / "one")
    found, *others = figures(tmp_path / "two")
    assert others == rest
    assert found == pytest.approx(numbers, rel=1e-8, abs=1e-15)
    assert numbers[1, "errors", "u", "l2"] > 1e-8  # so that the comparison says something
    assert done.stdout.count("report: ") == 1
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix != ".py" and p.name != "__pycache__") == [
        "one",
        "two",
    ]
    files = [sorted(p.relative_to(tmp_path / n) for p in (tmp_path / n).rglob("*")) for n in ("one", "two")]
    assert files[0] == files[1]


@pytest.mark.mpi
@pytest.mark.parametrize("solver", ["fem", "rfm"])
def test_bad_input_ends_all_ranks_with_one_sentence(mpi, case_file, tmp_path, solver):
    done = mpi(
        *COMPARE, case_file(dirichlet="[]"), "--solver", solver, "--out", str(tmp_path / "out"), code=2
    )
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("Error: pure Neumann problem")
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.mpi
def test_a_rank_that_fails_alone_ends_the_others(mpi, case_file, tmp_path):
    file = case_file(before=ON_ONE_RANK)
    done = mpi(*COMPARE, file, "--solver", "fem", "--out", str(tmp_path / "out"), code=2, timeout=100)
    assert done.stderr.count("here alone") == 2  # the line, and what it says
    assert len([line for line in done.stderr.splitlines() if line.startswith("Error: ")]) == 1


@pytest.mark.mpi
def test_a_run_of_rank_0_goes_on_from_its_checkpoint_and_is_everyones(mpi, tmp_path):
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent / "comparison")!r})
from polynomial import Counting
from geometry import interval
from mlpde import Case, Field, Problem, solve
from mlpde.monitor import Monitor

Monitor.save_every = 0.0
Counting.stop_at = STOP
case = Case("c", Problem(interval(0.0, 1.0), Field("u"), lambda u, v, omega: u * v * omega.dx))
found = solve(case, Counting(), out={str(tmp_path / "out")!r}, resume=True)
assert found([[0.5]]) == 55 and [row["step"] for row in found.info["history"]] == list(range(1, 11))
"""
    first = subprocess.run([sys.executable, "-c", code.replace("STOP", "4")], capture_output=True, text=True)
    assert "KeyboardInterrupt" in first.stderr
    mpi("-c", code.replace("STOP", "4"))  # step 4, where it stopped, is not taken again


@pytest.mark.mpi
def test_a_benchmark_is_refused_on_several_ranks(mpi):
    assert "start it without mpiexec" in mpi("-m", "mlpde.cli", "bench", "fem", code=2).stderr


def test_without_mpiexec_mpi_is_not_loaded():
    code = "import sys; from mlpde.parallel import ranks; assert ranks() == 1; assert 'mpi4py' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


MISPAIRED = {
    "srun": {"SLURM_STEP_NUM_TASKS": "2", "SLURM_GTIDS": "0,1", "SLURM_STEP_TASKS_PER_NODE": "2"},
    "Open MPI's mpiexec": {"OMPI_COMM_WORLD_SIZE": "2", "PMIX_RANK": "0"},
    "mpiexec": {"PMI_SIZE": "2"},
}


def listed(variables):
    """`mlpde list` in an environment like the starter's, with no MPI behind it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "PMI", "OMPI_"))}
    return subprocess.run(
        [sys.executable, "-m", "mlpde.cli", "list"],
        env=environment | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("starter", MISPAIRED)
def test_processes_that_mpi_does_not_join_are_refused_with_one_sentence(starter):
    done = listed(MISPAIRED[starter])
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"Error: {starter} started 2 processes, but MPI joins 1") and (
        "--mpi=" in line or "mpiexec beside" in line
    )


def test_of_processes_that_mpi_does_not_join_the_first_speaks_alone():
    done = listed(MISPAIRED["srun"] | {"SLURM_PROCID": "1"})
    assert (done.returncode, done.stderr) == (2, "")


@pytest.mark.parametrize(
    "variables",
    [
        {"SLURM_NTASKS": "4", "SLURM_PROCID": "0"},  # a batch script
        {
            "SLURM_STEP_NUM_TASKS": "2",
            "SLURM_GTIDS": "0",
            "SLURM_STEP_TASKS_PER_NODE": "2",
        },  # one sent from a step
        {"SLURM_STEP_NUM_TASKS": "1", "SLURM_GTIDS": "0", "SLURM_STEP_TASKS_PER_NODE": "1"},
    ],
)
def test_one_process_of_a_batch_script_is_not_refused(variables):
    assert listed(variables).returncode == 0
