"""pyRFM beside ours: the same equations at the same points, as many features of the same kind; error and time.

The equations are written out by our formulation, as terms c(x) D^alpha u_m at points; pyRFM makes its features of
them, joins subdomains where the window is psi_a, and solves by its QR.  Its weights are drawn from U(-1, 1), so R = 1.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlpde.bench import print_table
from mlpde.bench._peers import python

SEEDS = range(5)
PYRFM = """
import contextlib, json, sys, time
import numpy as np, torch
with contextlib.redirect_stdout(sys.stderr):
    import pyrfm
torch.set_num_threads(1)
data, s = np.load(sys.argv[1]), json.loads(sys.argv[2])
dim, fields = len(s["cells"]), s["components"]
start = time.process_time()
with contextlib.redirect_stdout(sys.stderr):
    model = pyrfm.RFMBase(
        dim=dim, n_hidden=s["features"], domain=s["box"], n_subdomains=s["cells"], rf=pyrfm.RFTanH,
        pou=pyrfm.PsiA if s["window"] == "psi_a" else pyrfm.PsiB, seed=s["seed"],
    )
def derivative(x, alpha):
    make = (model.features, model.features_derivative, model.features_second_derivative)[len(alpha)]
    return torch.cat([t for t in make(x, *alpha).flat_data], dim=1)
def tensor(name):
    return torch.from_numpy(data[name])
blocks, right = [], []
for i, terms in enumerate(s["parts"]):
    x, residual, coefficients = tensor(f"points{i}"), tensor(f"residual{i}"), tensor(f"coefficients{i}")
    values = {a: derivative(x, a) for a in {tuple(alpha) for _, _, alpha in terms}}
    width = next(iter(values.values())).shape[1]
    rows = torch.zeros(residual.shape[1], len(x), fields, width)
    for c, (equation, component, alpha) in zip(coefficients.T, terms):
        rows[equation, :, component] += c[:, None] * values[tuple(alpha)]
    blocks.append(rows.reshape(-1, fields * width))
    right.append(-residual.T.reshape(-1, 1))
if s["window"] == "psi_a":
    with contextlib.redirect_stdout(sys.stderr):
        joints = torch.cat(model.add_c_condition(s["joints"], order=1).flat_data, dim=1)
    for m in range(fields):
        rows = torch.zeros(len(joints), fields, joints.shape[1])
        rows[:, m] = joints
        blocks.append(rows.reshape(len(joints), -1))
        right.append(torch.zeros(len(joints), 1))
with contextlib.redirect_stdout(sys.stderr):
    model.compute(torch.cat(blocks)).solve(torch.cat(right))
seconds = time.process_time() - start
x = tensor("test")
alphas = [(), *((i,) for i in range(dim))]
found = torch.cat([torch.stack([derivative(p, a) @ model.W for a in alphas]) for p in x.split(4000)], dim=1)
np.save(sys.argv[3], found.numpy())
print(json.dumps({"seconds": seconds, "rows": sum(len(b) for b in blocks)}))
"""


@dataclass(frozen=True)
class Known:
    """A model of which the values and first derivatives (d + 1, n, components) are known at n points alone."""

    found: np.ndarray

    def jets(self, points: np.ndarray, derivatives: Any) -> dict[Any, np.ndarray]:
        """Those of the derivatives, at the points they were found at."""
        assert len(points) == self.found.shape[1]
        return {alpha: self.found[alpha[0] + 1 if alpha else 0] for alpha in derivatives}


def pyrfm(case: Any, reference: Any, settings: dict[str, Any], seed: int) -> tuple[Any, float, int]:
    """pyRFM's solution at the reference's quadrature points, its CPU seconds, and the number of its rows."""
    from mlpde.formulation.residual import strong_form
    from mlpde.formulation.sampling import collocate, lattice
    from mlpde.solution import Solution

    problem, cells = case.problem, settings["partition"]
    form, domain = strong_form(problem), problem.domain
    inside = lattice(domain, cells, settings["points"] * settings["features"])
    arrays, parts = {"test": reference.samples.points}, []
    for i, part in enumerate(collocate(form, domain, inside)):
        residual, terms = part.linearise(None)
        parts.append([(t.equation, t.component, t.derivative) for t in terms])
        coefficients = np.stack([t.coefficient.numpy() for t in terms], axis=1)
        arrays |= {
            f"points{i}": part.points.numpy(),
            f"residual{i}": residual.numpy(),
            f"coefficients{i}": coefficients,
        }
    text = json.dumps(
        {
            "box": domain.bounding_box.T.reshape(-1).tolist(),
            "cells": cells,
            "features": settings["features"],
            "components": form.components,
            "window": settings["window"],
            "joints": int(np.prod(cells)) - 1,  # in one dimension: a point on each face
            "seed": seed,
            "parts": parts,
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder, "given.npz"), Path(folder, "found.npy")
        np.savez(given, **arrays)
        command = [str(python("pyrfm", "pyrfm")), "-c", PYRFM, str(given), text, str(found)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        facts = json.loads(done.stdout.splitlines()[-1])
        known: Any = Known(np.load(found))  # all of a Model that errors need
        solution = Solution("pyrfm", "", problem.fields, known, None, {}, case)
    return solution, facts["seconds"], facts["rows"]


def main() -> None:
    """Print the table."""
    from mlpde.case_files import load
    from mlpde.exact import exact_solution
    from mlpde.solvers.rfm import RFM

    table: list[list[Any]] = []
    tanh: dict[str, Any] = {"activation": "tanh", "scale": 1.0, "polynomials": False}
    runs: list[tuple[str, dict[str, Any]]] = [
        ("helmholtz_1d", {"features": 50, "partition": (16,), "points": 1.0, "window": "psi_a"}),
        ("helmholtz_1d", {"features": 50, "partition": (32,), "points": 1.0, "window": "psi_a"}),
        ("elasticity_40_holes", {"features": 100, "partition": (4, 4), "points": 3.0, "window": "psi_b"}),
    ]
    for name, settings in runs:
        case = load(name)
        reference = exact_solution(case)
        peers, ours = [], []
        for seed in SEEDS if case.problem.domain.dim == 1 else SEEDS[:3]:
            solution, seconds, rows = pyrfm(case, reference, settings, seed)
            peers.append((solution.error(reference)["u"]["l2"], seconds, rows))
            solution = RFM(**settings, **tanh).solve(case.problem, seed=seed)
            facts = solution.info
            ours.append(
                (solution.error(reference)["u"]["l2"], facts["cpu_seconds"], facts["least_squares"]["rows"])
            )
        M = settings["features"] * int(np.prod(settings["partition"]))
        for who, figures in (("pyRFM", peers), ("ours", ours)):
            error, seconds, rows = np.median(figures, axis=0)
            table.append(
                [name, settings["window"], M, who, int(rows), len(figures), float(error), float(seconds)]
            )
    print_table(
        "pyRFM and ours: tanh, R = 1, the same features and points, median",
        ["case", "window", "M", "by", "rows", "seeds", "median L2 error of u", "CPU seconds"],
        table,
    )
