"""A run that was killed between its last step and its solution takes no further step."""

import numpy as np
import pytest

from mlpde import PINN, WAN, DeepRitz
from mlpde.case_files import load
from mlpde.monitor import Monitor


@pytest.mark.parametrize(
    ("solver", "reason"),
    [
        (PINN(width=5, depth=1, tolerance=0.3), "tolerance"),
        (PINN(width=1, depth=1, points=30), "stagnation"),
        (WAN(width=5, depth=1, tolerance=0.3), "tolerance"),
        (WAN(adversary="network", width=5, depth=1, points=50, tolerance=3.0), "tolerance"),
        (DeepRitz(width=5, depth=1, tolerance=0.3), "tolerance"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_no_step_follows_the_last(solver, reason, tmp_path, monkeypatch):
    monkeypatch.setattr(Monitor, "save_every", 0.0)
    problem = load("square_poisson").problem
    whole = solver.solve(problem, monitor=Monitor(tmp_path / "checkpoint"))
    again = solver.solve(problem, monitor=Monitor(tmp_path / "checkpoint", resume=True))
    assert whole.info["stopped_by"] == again.info["stopped_by"] == reason
    assert again.info["residual"] == whole.info["residual"]
    assert np.array_equal(again.model.parameters, whole.model.parameters)
