"""DeepXDE with its defaults on the smooth square: 4 x 50 tanh, soft conditions, Adam, then L-BFGS."""

from __future__ import annotations

import json
import os
import subprocess

from mlpde.bench._neural_tracks import Track
from mlpde.bench._peers import python

ADAM, LBFGS = 1000, 1000  # steps; with the 15000 of its defaults L-BFGS runs for ten minutes

# -Lap u = 2 pi^2 sin(pi x) sin(pi y), u = 0 on the boundary, as DeepXDE's own Poisson examples do it
DEEPXDE = """
import json, sys, time
import os
os.environ["DDE_BACKEND"] = "pytorch"
import numpy as np, torch
torch.set_num_threads(1)
import deepxde as dde
dde.config.set_default_float("float64")
seed, adam, lbfgs = map(int, sys.argv[1:])
dde.config.set_random_seed(seed)
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
track, spent = [], 0.0
def measure():
    global spent
    before = time.process_time()
    error = np.linalg.norm(model.predict(x)[:, 0] - exact) / np.linalg.norm(exact)
    track.append((before - start - spent, float(error)))
    spent += time.process_time() - before
class Watch(dde.callbacks.Callback):
    def on_epoch_end(self):
        if self.model.train_state.iteration % 100 == 0:
            measure()
start = time.process_time()
model.compile("adam", lr=1e-3)
measure()
model.train(iterations=adam, verbose=0, callbacks=[Watch()])
dde.optimizers.set_LBFGS_options(maxiter=lbfgs)
dde.optimizers.config.LBFGS_options |= {"iter_per_step": 100, "fun_per_step": 125}
model.compile("L-BFGS")
model.train(verbose=0, callbacks=[Watch()])
measure()
print("RESULT " + json.dumps(track))
"""


def deepxde(seed: int) -> Track:
    """The error of DeepXDE against CPU-seconds, the measuring not counted."""
    command = [str(python("deepxde", "deepxde", "torch")), "-c", DEEPXDE, *map(str, (seed, ADAM, LBFGS))]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    lines = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment
    ).stdout.splitlines()
    found = json.loads(next(line for line in lines if line.startswith("RESULT "))[len("RESULT ") :])
    return [(seconds, error) for seconds, error in found]
