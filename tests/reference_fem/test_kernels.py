"""The kernel cache after a process that was killed while it compiled, and beside one that is at it."""

import os
import signal
import subprocess
import sys
import time

import pytest

COMPILE = """
from pathlib import Path
import sys
from mpi4py import MPI
import dolfinx, ufl
from dolfinx import fem
from reference_fem import kernels
{before}
mesh = dolfinx.mesh.create_unit_interval(MPI.COMM_WORLD, 2)
form = kernels.compiled(fem.form, fem.Constant(mesh, 3.0) * ufl.dx(mesh), comm=mesh.comm)
value = mesh.comm.allreduce(fem.assemble_scalar(form))
if mesh.comm.rank == 0:
    print(value)
"""

KILLED = """
import cffi, os, signal
cffi.FFI.compile = lambda *arguments, **options: os.kill(os.getpid(), signal.SIGKILL)
"""

SLOW = """
import cffi, sys, time
fast = cffi.FFI.compile
def compile(*arguments, **options):
    print("compiling", file=sys.__stdout__, flush=True)  # FFCx catches the other
    time.sleep(4)
    return fast(*arguments, **options)
cffi.FFI.compile = compile
"""

IMPATIENT = "kernels.LOOK = 1"


@pytest.fixture
def python(tmp_path):
    """Start this Python on a code, with a kernel cache of its own."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}

    def start(code: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
        )

    return start


def test_a_killed_compilation_is_made_anew(python, tmp_path):
    killed = python(COMPILE.format(before=KILLED))
    assert killed.wait() == -signal.SIGKILL
    folder = tmp_path / "fenics" / "mlpde"
    (left,) = [path for path in folder.glob("*.c") if not path.with_suffix(".c.cached").exists()]
    start = time.perf_counter()
    after = python(COMPILE.format(before=""))
    out, _ = after.communicate()
    assert after.returncode == 0 and float(out) == 3.0
    assert left.with_suffix(".c.cached").exists()
    assert time.perf_counter() - start < 60  # FFCx would have waited for ten minutes


@pytest.mark.mpi
def test_also_on_two_ranks(python, tmp_path, mpi, monkeypatch):
    python(COMPILE.format(before=KILLED)).wait()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    done = mpi("-c", COMPILE.format(before=""), timeout=100)
    assert float(done.stdout) == 3.0


def test_a_kernel_that_another_process_compiles_is_waited_for(python):
    first = python(COMPILE.format(before=SLOW))
    assert first.stdout is not None and first.stdout.readline() == "compiling\n"
    second = python(COMPILE.format(before=SLOW + IMPATIENT))
    assert second.communicate()[0] == "3.0\n"  # and does not compile
    assert first.communicate()[0] == "3.0\n"


NO_LOCKS = """
import errno, fcntl
def flock(*arguments):
    raise OSError(errno.ENOSYS, "no locks here")
fcntl.flock = flock
"""


def test_a_file_system_without_locks_compiles_as_well(python):
    assert python(COMPILE.format(before=NO_LOCKS)).communicate()[0] == "3.0\n"
