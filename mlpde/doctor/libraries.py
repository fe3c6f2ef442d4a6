"""The libraries, and what they need."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import warnings
from pathlib import Path
from typing import Any

from mlpde.doctor.finding import Finding


def check_versions() -> Finding:
    """Python and the packages that decide about results."""
    from mlpde.machine import versions

    found = versions()
    text = ", ".join(f"{name} {version}" for name, version in found.items())
    if not (3, 12) <= sys.version_info[:2] < (3, 14):
        return Finding(
            text, "DOLFINx has wheels for Python 3.12 and 3.13: make an environment of one of them"
        )
    return Finding(text)


def check_dolfinx() -> Finding:
    """DOLFINx is there, from wherever; whether it works is what `check_solve` tells."""
    missing = [name for name in ("dolfinx", "basix", "ufl", "ffcx") if importlib.util.find_spec(name) is None]
    if missing:
        return Finding(
            "", f"no {', '.join(missing)}: FEM needs it; pip install mlpde, or conda's fenics-dolfinx"
        )
    return Finding("installed")


def check_mpi() -> Finding:
    """The library, and whether its processes are those that Slurm has started."""
    from mlpde.parallel import ranks, strangers

    size, MPI = ranks(), importlib.import_module("mpi4py.MPI")
    library = MPI.Get_library_version().replace("\0", "").strip().splitlines()[0].replace("\t", " ")
    found = f"{' '.join(library.split())}, {size} process{'es' if size > 1 else ''}"
    return Finding(found, strangers() or "")


def check_petsc() -> Finding:
    """PETSc's scalars and packages; MUMPS and SLEPc are needed."""
    PETSc = importlib.import_module("petsc4py.PETSc")
    importlib.import_module("slepc4py.SLEPc")
    packages = (
        "mumps",
        "hypre",
        "scalapack",
        "ptscotch",
        "parmetis",
        "superlu_dist",
        "cuda",
        "hip",
        "kokkos",
    )
    there = [name for name in packages if PETSc.Sys.hasExternalPackage(name)]
    gpu = [name for name in ("cuda", "hip", "kokkos") if name in there]
    version = ".".join(map(str, PETSc.Sys.getVersion()))
    found = (
        f"{version} with SLEPc, {', '.join(there) or 'no packages'}; GPU types: {', '.join(gpu) or 'none'}"
    )
    if PETSc.ScalarType().dtype.kind == "c":
        return Finding(found, "PETSc is built for complex numbers: take a build for real ones")
    return Finding(found, "" if "mumps" in there else "no MUMPS, the direct solver: take a PETSc that has it")


def check_gmsh() -> Finding:
    """gmsh loads and meshes."""
    from geometry import rectangle

    with warnings.catch_warnings(
        action="ignore"
    ):  # of a cache that cannot be written, which has a line of its own
        mesh = rectangle(0.0, 0.0, 1.0, 1.0).mesh(0.5)
    return Finding(f"meshes a square into {len(mesh.cells)} triangles")


def check_compiler() -> Finding:
    """What FFCx compiles by: the compiler, and Python's header."""
    named = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    compiler = named.split()[0]
    if shutil.which(compiler) is None:
        return Finding(
            "",
            f"no C compiler {compiler!r}, FFCx compiles weak forms: apt-get install gcc libc6-dev, or set CC",
        )
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.c")
        source.write_text("#include <Python.h>\nint probe(void) { return 0; }\n")
        include = sysconfig.get_path("include")
        command = [compiler, "-shared", "-fPIC", f"-I{include}", str(source), "-o", f"{folder}/probe.so"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = next(
            (line for line in done.stderr.splitlines() if "error" in line), f"exit code {done.returncode}"
        )
        return Finding(compiler, f"it does not compile ({said}): apt-get install gcc libc6-dev python3-dev")
    return Finding(f"{shutil.which(compiler)} compiles against Python.h")


def check_torch() -> Finding:
    """The devices that torch can use."""
    torch: Any = importlib.import_module("torch")
    cuda = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
    if cuda and not torch.cuda.is_available():
        return Finding(
            "cpu", "a GPU is there, and torch cannot use it: its driver and torch's CUDA do not fit", False
        )
    for k in range(len(cuda)):
        torch.ones(2, dtype=torch.float64, device=f"cuda:{k}").sum().item()
    return Finding(", ".join(["cpu", *(f"cuda:{k} ({name})" for k, name in enumerate(cuda))]))


def check_solve() -> Finding:
    """DOLFINx, FFCx and PETSc together: Laplace's equation on a line, u = x."""
    import ufl

    from geometry import interval
    from mlpde import Dirichlet, Field, Problem
    from mlpde.solvers import solver
    from mlpde.solving import solve

    problem = Problem(
        interval(0.0, 1.0),
        Field("u"),
        lambda u, v, omega: ufl.inner(ufl.grad(u), ufl.grad(v)) * omega.dx,
        dirichlet=[Dirichlet("left", 0.0), Dirichlet("right", 1.0)],
    )
    error = abs(float(solve(problem, solver("fem", estimate=False))([[0.25]])[0]) - 0.25)
    problem_text = "" if error < 1e-10 else f"wrong by {error:.1e}: install DOLFINx and PETSc again"
    return Finding("compiles and solves a small problem", problem_text)


def check_rendering() -> Finding:
    """Pictures of bodies without a screen; reports do without."""
    import numpy as np

    from mlpde.rendering import Body, NoRendering, Surface, render

    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    try:
        render(Body(points, np.arange(4)[None], {}), [Surface()], height=50)
    except NoRendering as error:
        return Finding("", str(error), needed=False)
    return Finding("pyvista draws without a screen")
