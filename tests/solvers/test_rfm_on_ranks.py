"""RFM on several MPI ranks: subdomains spread over them, the same solution as on one, whatever the rows are."""

import json

import numpy as np
import pytest

SOLVE = """
import json
from mlpde.case_files import load
from mlpde.exact import exact_solution
from mlpde.parallel import world
from mlpde.solvers.rfm import RFM
case = load("square_poisson")
found = {}
for method in ("cholesky", "two_level"):
    solution = RFM(features=60, partition=(3, 4), activation="sin", scale=3.0, method=method).solve(case.problem)
    info = solution.info["least_squares"]
    error = solution.error(exact_solution(case))["u"]["l2"]
    found[method] = [error, info["iterations"], info["rows"], info["method"]]
if world() is None or world().rank == 0:
    print(json.dumps(found))
"""
KINDS = """
import json
import numpy as np
from mlpde.case_files import load
from mlpde.parallel import world
from mlpde.solvers.rfm import RFM

plain = {"features": 60, "partition": (2, 2), "activation": "tanh", "scale": 1.0, "method": "cholesky"}
waves = {"activation": "sin", "scale": 3.0}
runs = {
    "ns2d_backstep": plain | {"partition": (4, 2)},  # Newton's method
    "l_shape": plain,  # corner functions on the whole domain
    "annulus_interface": plain,  # two sets of features
    "variable_coefficient": plain | {"window": "psi_a"},
    "heat_st": plain | waves | {"features": 100, "time_blocks": 2},
    "schroedinger_st": plain | waves,  # periodic
}
found = {}
for name, settings in runs.items():
    problem = load(name).problem
    solution = RFM(**settings).solve(problem)
    points = problem.domain.interior(50, seed=1)
    times = None if problem.time is None else np.linspace(*problem.time, 50)
    values = np.concatenate([v.reshape(50, -1) for v in solution.evaluate(points, times).values()], axis=1)
    if world() is not None:
        assert all(np.array_equal(values, other) for other in world().allgather(values)), name
    found[name] = values.tolist()
if world() is None or world().rank == 0:
    print(json.dumps(found))
"""
ON_ROOT = """
from mlpde.case_files import load
from mlpde.parallel import on_root, world
from mlpde.solvers.rfm import RFM

@on_root
def alone():
    return RFM(features=40, partition=(2, 2)).solve(load("square_poisson").problem).info["least_squares"]["method"]

assert alone() == "block_qr"
assert world().size == 2
"""


@pytest.mark.mpi
def test_two_ranks_find_what_one_does(mpi):
    one, two = (json.loads(mpi("-c", SOLVE, ranks=n).stdout) for n in (1, 2))
    assert two.keys() == {"cholesky", "two_level"}
    for method, (error, *facts) in two.items():
        assert error == pytest.approx(one[method][0], rel=1e-3)
        assert facts == one[method][1:]
        assert facts[-1] == method


@pytest.mark.mpi
@pytest.mark.slow
def test_rows_of_every_kind_are_spread_over_ranks(mpi):
    one, two = (json.loads(mpi("-c", KINDS, ranks=n).stdout) for n in (1, 2))
    assert one.keys() == two.keys()
    for name, values in one.items():
        assert np.abs(np.subtract(two[name], values)).max() < 1e-5 * np.abs(values).max(), name


@pytest.mark.mpi
def test_rank_0_alone_waits_for_no_other(mpi):
    mpi("-c", ON_ROOT, timeout=120)
