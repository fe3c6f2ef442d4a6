"""What every test can count on: one thread a process, visibly skipped GPU tests, and `mpi` to start ranks."""

import os

# The linear algebra libraries and torch read this when they are loaded, so it stands before every other import:
# results do not depend on the number of cores, and pytest's workers do not fight over them.
os.environ["OMP_NUM_THREADS"] = "1"

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked `gpu`, with the reason, where torch finds no CUDA device."""
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if on_gpu:
        import torch

        if not torch.cuda.is_available():
            for item in on_gpu:
                item.add_marker(pytest.mark.skip(reason="torch finds no CUDA device"))


@pytest.fixture
def mpi() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`mpi("-c", code)` or `mpi("-m", "mlpde.cli", "solve", ...)`: run this Python on `ranks` processes.

    A run that does not end with the exit code `code` fails the test with what the processes printed; otherwise the
    completed process comes back, with `stdout` and `stderr`. What several ranks print may be mixed: let one of them
    print what is compared.
    """
    beside_python = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside_python) if beside_python.exists() else shutil.which("mpiexec")
    assert mpiexec, f"no mpiexec beside {sys.executable} nor on the PATH: `make venv` installs one"

    def run(
        *arguments: str, ranks: int = 2, code: int = 0, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        command = [mpiexec, "-n", str(ranks), sys.executable, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        if done.returncode != code:
            pytest.fail(f"{' '.join(command)}\nended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    return run


@pytest.fixture
def command_line(monkeypatch, tmp_path, capsys) -> Callable[..., tuple[int, str, str]]:
    """`command_line("solve", "line")` -> (exit code, stdout, stderr) of mlpde, in an empty folder."""
    from mlpde import cli

    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mlpde", *arguments])
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        return (code, *capsys.readouterr())

    return run
