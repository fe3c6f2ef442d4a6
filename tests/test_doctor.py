"""mlpde doctor: what works is fine, what does not has a remedy, and only what is needed makes the exit code 1."""

import subprocess
import sys

import pytest
import typer

from mlpde.doctor import command, libraries, surroundings
from mlpde.doctor.finding import Finding, examine


def test_all_is_fine_here_quickly():
    done = subprocess.run(
        [sys.executable, "-m", "mlpde.cli", "doctor", "--quick"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(":")[0].split(maxsplit=1)[1] for line in lines] == list(command.QUICK)
    assert all(line.split()[0] in ("fine", "note") for line in lines)


def test_a_small_problem_is_solved_and_torch_has_a_device():
    assert examine(libraries.check_solve) == Finding("compiles and solves a small problem")
    assert examine(libraries.check_torch).found.startswith("cpu")


def test_the_exit_code_is_that_of_what_is_needed(monkeypatch, capsys):
    checks = {"a": lambda: Finding("well"), "b": lambda: Finding("", "gone: get it", needed=False)}
    monkeypatch.setattr(command, "QUICK", checks)
    command.doctor(quick=True)
    assert capsys.readouterr().out == "    fine  a: well\n    note  b: gone: get it\n"
    monkeypatch.setitem(checks, "c", lambda: 1 / 0)
    with pytest.raises(typer.Exit) as end:
        command.doctor(quick=True)
    assert end.value.exit_code == 1
    assert " problem  c: ZeroDivisionError: division by zero" in capsys.readouterr().out


def test_a_missing_library_is_a_problem():
    def check():
        import no_such_library  # noqa: F401

    assert "no_such_library is not installed" in examine(check).problem


def test_tasks_of_slurm_that_mpi_does_not_see(monkeypatch):
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    assert "srun started 4 processes, but MPI joins 1" in libraries.check_mpi().problem


def test_no_compiler_and_one_that_does_not_compile(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    assert "no C compiler 'no-such-compiler'" in libraries.check_compiler().problem
    monkeypatch.setenv("CC", "false")
    assert "it does not compile" in libraries.check_compiler().problem


def test_little_memory_and_disk(monkeypatch):
    monkeypatch.setattr(surroundings, "LEAST_MEMORY", 1e9)
    monkeypatch.setattr(surroundings, "LEAST_DISK", 1e9)
    assert examine(surroundings.check_memory).word == examine(surroundings.check_disk).word == "problem"


def test_folders_that_cannot_be_written(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/cache")
    monkeypatch.setenv("HOME", "/proc")
    assert examine(surroundings.check_cache).word == "problem"
    assert "XDG_CACHE_HOME" in examine(surroundings.check_cache).problem
    assert examine(surroundings.check_home).word == "note"
