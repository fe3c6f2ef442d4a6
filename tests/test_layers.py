"""Who may import whom: one table, checked against every import of the packages without running them."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("geometry", "mlpde", "reference_fem", "cases")

# A layer's modules -> what they may import of ours. "a" is the module alone, "a.*" the package and all in it.
PROBLEM = ("geometry.*", "mlpde.errors", "mlpde.files", "mlpde.language", "mlpde.conditions", "mlpde.problem")
FORMULATION = (*PROBLEM, "mlpde.formulation.*")
NUMERICS = (*FORMULATION, "mlpde.representation.*", "mlpde.optimize.*")
SOLUTION = (
    *NUMERICS,
    "mlpde.modes",
    "mlpde.monitor",
    "mlpde.settings",
    "mlpde.relative_errors",
    "mlpde.saved_solution",
    "mlpde.solution",
)
PICTURES = (
    *SOLUTION,
    "mlpde.fields",
    "mlpde.series",
    "mlpde.slices",
    "mlpde.scales",
    "mlpde.plotting",
    "mlpde.rendering",
    "mlpde.spatial",
    "mlpde.animation",
    "mlpde.work_precision",
    "mlpde.figures",
    "mlpde.formatting",
    "mlpde.start_report",
    "mlpde.start_figures",
    "mlpde.report",
)
COMPARE = (
    *PICTURES,
    "mlpde.parallel",
    "mlpde",
    "mlpde.solvers",
    "mlpde.backward",
    "mlpde.exact",
    "mlpde.machine",
    "mlpde.solving",
    "mlpde.comparison",
    "mlpde.results",
)
SWEEP = (*COMPARE, "mlpde.progress", "mlpde.case_files", "mlpde.sweep.*")
CLI = (*SWEEP, "mlpde.doctor.*", "mlpde.bench.*")
LAYERS = {
    "geometry.*": ("geometry.*",),
    "mlpde": (
        *COMPARE,
        "mlpde.solvers.*",
    ),  # the public names; what is heavy is imported when it is asked for (see the last test)
    "mlpde.errors": (),
    "mlpde.language": ("mlpde.errors",),
    "mlpde.conditions": ("mlpde.errors", "mlpde.language"),
    "mlpde.problem": PROBLEM,
    "mlpde.formulation.*": FORMULATION,
    "mlpde.optimize.*": (*FORMULATION, "mlpde.optimize.*"),
    "mlpde.referees.*": (*FORMULATION, "mlpde.referees.*"),  # independent of all solvers
    "mlpde.representation.*": NUMERICS,
    "mlpde.files": (),
    "mlpde.parallel": ("geometry.errors", "mlpde.errors"),
    "mlpde.monitor": PROBLEM,
    "mlpde.settings": ("mlpde.errors",),
    "mlpde.modes": (),
    "mlpde.relative_errors": (*PROBLEM, "mlpde.start_report", "mlpde.solution"),
    "mlpde.saved_solution": (*PROBLEM, "mlpde.solution"),
    "mlpde.solution": PICTURES,  # solution.plot(), solution.export()
    "mlpde.energy_training": SOLUTION,
    "mlpde.eigen_residual": SOLUTION,
    "mlpde.eigen_training": SOLUTION,
    "mlpde.warm_start": SOLUTION,
    "mlpde.solvers.*": (
        *SOLUTION,
        "mlpde.parallel",
        "mlpde.energy_training",
        "mlpde.eigen_training",
        "mlpde.eigen_residual",
        "mlpde.warm_start",
    ),  # neither another solver nor the table of them
    "mlpde.backward": SOLUTION,
    "mlpde.exact": SOLUTION,
    "mlpde.machine": (),
    "mlpde.fields": PICTURES,
    "mlpde.series": PICTURES,
    "mlpde.slices": PICTURES,
    "mlpde.scales": PICTURES,
    "mlpde.plotting": PICTURES,
    "mlpde.rendering": (),  # a script of its own as well
    "mlpde.spatial": PICTURES,
    "mlpde.animation": PICTURES,
    "mlpde.work_precision": PICTURES,
    "mlpde.figures": PICTURES,
    "mlpde.formatting": (),
    "mlpde.start_report": ("mlpde.formatting",),
    "mlpde.start_figures": PICTURES,
    "mlpde.report": PICTURES,
    "mlpde.solving": COMPARE,
    "mlpde.comparison": COMPARE,
    "mlpde.results": COMPARE,
    "mlpde.progress": (),
    "mlpde.case_files": (*COMPARE, "cases"),
    "mlpde.bench.*": (*CLI, "mlpde.solvers.*", "mlpde.energy_training", "mlpde.referees.*", "cases.*"),
    "mlpde.sweep.*": SWEEP,
    "mlpde.doctor.*": (*SWEEP, "mlpde.doctor.*"),
    "mlpde.cli": CLI,
    "reference_fem.*": (
        *FORMULATION,
        "mlpde.monitor",
        "mlpde.modes",
        "mlpde.relative_errors",
        "mlpde.settings",
        "mlpde.solution",
        "reference_fem.*",
    ),
    "cases.*": ("geometry", "mlpde", "cases.*"),
}
# Libraries with global state or a heavy installation, and the only modules that import them.
LIBRARIES = {
    "gmsh": ("geometry.*",),
    "dolfinx": ("reference_fem.*", "mlpde.bench._by_hand"),
    "dolfinx_solver": (),  # DOLFINx may as well come from conda or Debian
}
# `mlpde` reaches the reference only by "reference_fem:name", and only here, so that it works without DOLFINx.
NAMES_THE_REFERENCE = ("mlpde.saved_solution", "mlpde.solvers", "mlpde.solvers.wan")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


def fits(module: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(module, p) or (p.endswith(".*") and module == p[:-2]) for p in patterns)


def imports(tree: ast.Module, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Line and full name of every import, at any depth; `from a import b` is a.b if that is a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")
                parents = parents[: len(parents) - node.level + is_package]
                base = ".".join(parents + base.split(".") * bool(base))
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield node.lineno, name if name in MODULES else base
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            if isinstance(node.args[0], ast.Constant):
                yield node.lineno, node.args[0].value


def violations(module: str, source: str, is_package: bool = False) -> list[str]:
    tree = ast.parse(source)
    layer = next((layer for layer in LAYERS if fits(module, (layer,))), None)
    if layer is None:
        return [f"{module} is in no layer: add it to the table LAYERS of tests/test_layers.py"]
    found = []
    for line, name in imports(tree, module, is_package):
        library = name.split(".")[0]
        if library in PACKAGES and not fits(name, LAYERS[layer]):
            found.append(f"{module}:{line} imports {name}; the layer {layer} may import {LAYERS[layer]}")
        if library in LIBRARIES and not fits(module, LIBRARIES[library]):
            found.append(f"{module}:{line} imports {library}; only {LIBRARIES[library]} may")
    if module.startswith("mlpde") and module not in NAMES_THE_REFERENCE:
        found += [
            f"{module}:{node.lineno} names {node.value!r}; only {NAMES_THE_REFERENCE} may"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch(r"reference_fem[\w.]*:\w+", node.value)
        ]
    return found


@pytest.mark.parametrize("module", MODULES)
def test_imports_only_what_its_layer_may(module):
    path = MODULES[module]
    assert violations(module, path.read_text(), path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("geometry.shapes", "import mlpde.problem"),
        ("mlpde.formulation.weak_form", "def f():\n    from mlpde.solvers import SOLVERS"),
        ("mlpde.formulation.weak_form", "from ..cli import main"),
        ("mlpde.representation.jets", "from mlpde import Problem"),
        ("mlpde.solvers.pinn", "from .rfm import RFM"),
        ("mlpde.solvers.pinn", "from mlpde.solvers import SOLVERS"),
        ("mlpde.comparison", "from mlpde.solvers.rfm import RFM"),
        ("mlpde.comparison", "import reference_fem"),
        ("mlpde.comparison", "importlib.import_module('reference_fem')"),
        ("mlpde.comparison", "FEM = 'reference_fem:FEM'"),
        ("mlpde.saved_solution", "from dolfinx import fem"),
        ("reference_fem", "import mlpde.optimize.least_squares"),
        ("mlpde.unheard_of", ""),
    ],
)
def test_an_import_against_the_layers_is_found(module, source):
    assert len(violations(module, source)) == 1


def test_importing_mlpde_stays_light():
    """What is heavy is loaded when it is used: the CLI answers at once, and BSDE needs no DOLFINx."""
    heavy = ("torch", "scipy", "gmsh", "dolfinx", "mpi4py", "petsc4py", "matplotlib", "reference_fem")
    code = f"import sys, mlpde; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
