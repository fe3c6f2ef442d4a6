"""PINN on the smooth square, beside DeepXDE with its defaults, and on the plate with holes; CPU seconds, one thread."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import numpy as np

from mlpde.bench import print_table
from mlpde.bench._neural_pinn import first_below, timed_errors
from mlpde.bench._peers import python

SEEDS = (0, 1, 2)
MARKS = (1e-6, 1e-8)  # errors whose time is asked for

# -Lap u = 2 pi^2 sin(pi x) sin(pi y), u = 0 on the boundary, as DeepXDE's own Poisson examples do it
DEEPXDE = """
import json, sys, time
import os
os.environ["DDE_BACKEND"] = "pytorch"
import numpy as np, torch
torch.set_num_threads(1)
import deepxde as dde
dde.config.set_default_float("float64")
dde.config.set_random_seed(int(sys.argv[1]))
def pde(x, u):
    f = 2 * np.pi**2 * torch.sin(np.pi * x[:, 0:1]) * torch.sin(np.pi * x[:, 1:2])
    return -dde.grad.hessian(u, x, i=0, j=0) - dde.grad.hessian(u, x, i=1, j=1) - f
square = dde.geometry.Rectangle([0, 0], [1, 1])
wall = dde.icbc.DirichletBC(square, lambda x: 0, lambda x, on_boundary: on_boundary)
data = dde.data.PDE(square, pde, wall, num_domain=1000, num_boundary=200)
model = dde.Model(data, dde.nn.FNN([2] + [50] * 4 + [1], "tanh", "Glorot uniform"))
t = (np.arange(101) + 0.5) / 101
x = np.stack(np.meshgrid(t, t), -1).reshape(-1, 2)
exact = np.sin(np.pi * x[:, 0]) * np.sin(np.pi * x[:, 1])
start = time.process_time()
model.compile("adam", lr=1e-3)
model.train(iterations=int(sys.argv[2]), verbose=0)
dde.optimizers.set_LBFGS_options(maxiter=1000)  # with the default of 15000 it runs for ten minutes
model.compile("L-BFGS")
model.train(verbose=0)
cpu = time.process_time() - start
error = np.linalg.norm(model.predict(x)[:, 0] - exact) / np.linalg.norm(exact)
print("RESULT " + json.dumps({"error": float(error), "cpu_seconds": cpu}))
"""


def deepxde(seed: int, iterations: int = 1000) -> dict[str, float]:
    """Error and CPU seconds of DeepXDE: 4 x 50 tanh, Adam, then at most 1000 steps of L-BFGS."""
    command = [str(python("deepxde", "deepxde", "torch")), "-c", DEEPXDE, str(seed), str(iterations)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    lines = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment
    ).stdout.splitlines()
    return json.loads(next(line for line in lines if line.startswith("RESULT "))[len("RESULT ") :])


def main() -> None:
    """Print the tables."""
    from mlpde.case_files import load
    from mlpde.comparison import reference_solver
    from mlpde.exact import exact_solution
    from mlpde.solvers.pinn import PINN
    from mlpde.solving import solve

    square, plate = load("square_poisson"), load("plate_with_holes")
    tracks = [timed_errors(square, exact_solution(square), PINN(), seed) for seed in SEEDS]
    peers = [deepxde(seed) for seed in SEEDS]
    rows: list[list[Any]] = []
    for mark, asked in zip(MARKS, (10, 30), strict=True):
        times = [first_below(track, mark) for track in tracks]
        rows.append([f"PINN(), {mark:.0e}", f"<= {asked} s", float(np.median(times)), max(times)])
    ends = [track[-1] for track in tracks]
    rows.append(["PINN(), at its end", "", float(np.median([t for t, _ in ends])), max(t for t, _ in ends)])
    rows.append(["DeepXDE, at its end", "", *(f(p["cpu_seconds"] for p in peers) for f in (_median, max))])
    print_table("smooth square: CPU seconds, 3 seeds", ["what", "asked", "median", "worst"], rows)
    rows = [
        ["PINN()", "", _median(e for _, e in ends), max(e for _, e in ends)],
        ["DeepXDE", "", _median(p["error"] for p in peers), max(p["error"] for p in peers)],
    ]
    print_table("smooth square: relative L2 error at the end", ["what", "asked", "median", "worst"], rows)

    reference = solve(plate, reference_solver(plate))
    tracks = [timed_errors(plate, reference, PINN(), seed) for seed in SEEDS]
    times = [first_below(track, 1e-3) for track in tracks]
    rows = [["PINN(), 1e-3", "<= 60 s", float(np.median(times)), max(times)]]
    ends = [track[-1] for track in tracks]
    rows.append(["PINN(), at its end", "", float(np.median([t for t, _ in ends])), max(t for t, _ in ends)])
    print_table("plate with holes: CPU seconds, 3 seeds", ["what", "asked", "median", "worst"], rows)
    print("errors at the end:", ", ".join(f"{e:.2e}" for _, e in ends))


def _median(values: Any) -> float:
    return float(np.median(list(values)))
