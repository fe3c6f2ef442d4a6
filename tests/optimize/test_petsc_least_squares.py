"""PETSc's part: run-time options with their prefix, types it lacks, options nobody asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOLVE = f"""
import sys; sys.path.insert(0, {str(HERE)!r})
from blocks import grid_cliques, random_rows
from mlpde.errors import InputError
from mlpde.optimize.least_squares import solve_blocks
try:
    _, info = solve_blocks(random_rows(grid_cliques(3, 3), [5] * 9, rows=20), [5] * 9, method="cholesky")
    print(info["method"], info["iterations"], *info["warnings"])
except InputError as error:
    print("refused:", error)
"""


def solved_with(options, monkeypatch):
    """PETSc reads its options once a process."""
    monkeypatch.setenv("PETSC_OPTIONS", options)
    return subprocess.check_output([sys.executable, "-c", SOLVE], text=True, stderr=subprocess.STDOUT)


def test_options_choose_the_solver_at_run_time(monkeypatch):
    printed = solved_with("-rfm_ksp_max_it 500 -rfm_pc_type none -rfm_ksp_monitor", monkeypatch)
    assert "KSP Residual norm" in printed
    iterations = next(line for line in printed.splitlines() if "cholesky" in line).split()[1]
    assert 3 < int(iterations) < 500


def test_an_option_that_nothing_used_is_named(monkeypatch):
    printed = solved_with("-rfm_ksp_typ lsqr -rfm_ksp_rtol 1e-3", monkeypatch)
    assert printed.splitlines() == [
        "cholesky 1 the PETSc option -rfm_ksp_typ was not used by the method cholesky"
    ]


def test_options_of_others_are_left_to_petsc_to_name(monkeypatch):
    printed = solved_with("-rfm_ksp_typ lsqr -other_option 1", monkeypatch)
    assert "-other_option" in printed
    assert printed.count("rfm_ksp_typ") == 1


@pytest.mark.parametrize(
    "option", ["-rfm_ksp_rtol abc", "-rfm_ksp_norm_type foo", "-rfm_pc_factor_mat_solver_type mump"]
)
def test_a_value_that_petsc_refuses_is_named(option, monkeypatch):
    printed = solved_with(option, monkeypatch)
    assert printed.startswith(f"refused: PETSc refuses one of the options {option}: ")
    assert printed.count("\n") == 1


def test_an_option_that_block_qr_cannot_use_is_said_once(monkeypatch):
    started = "from mpi4py import MPI; from petsc4py import PETSc\n" + SOLVE.replace("cholesky", "block_qr")
    monkeypatch.setenv("PETSC_OPTIONS", "-rfm_ksp_typ lsqr")
    found = subprocess.run(
        [sys.executable, "-c", started.replace('info["iterations"], ', "")], capture_output=True, text=True
    )
    assert (found.stdout + found.stderr).count("rfm_ksp_typ") == 1


@pytest.mark.parametrize("option", ["-rfm_mat_type aijcusparse", "-rfm_ksp_type nonsense"])
def test_a_type_that_this_petsc_lacks_is_refused_not_replaced(option, monkeypatch):
    from mpi4py import MPI  # noqa: F401
    from petsc4py import PETSc

    if PETSc.Sys.hasExternalPackage("cuda") and "cusparse" in option:
        pytest.skip("this PETSc has CUDA")
    printed = solved_with(option, monkeypatch)
    assert printed.startswith("refused: This PETSc does not know a type")
    assert option in printed
