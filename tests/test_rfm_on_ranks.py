"""RFM on several MPI ranks: subdomains spread over them, the same error and iterations as on one."""

import json

import pytest

SOLVE = """
import json
from mlpde.case_files import load
from mlpde.exact import exact_solution
from mlpde.parallel import world
from mlpde.solvers.rfm import RFM
case = load("square_poisson")
solution = RFM(features=60, partition=(3, 4), method="METHOD").solve(case.problem)
info = solution.info["least_squares"]
found = [solution.error(exact_solution(case))["u"]["l2"], info["iterations"], info["rows"], info["method"]]
if world() is None or world().rank == 0:
    print(json.dumps(found))
"""


@pytest.mark.mpi
@pytest.mark.parametrize("method", ["cholesky", "two_level"])
def test_two_ranks_find_what_one_does(mpi, method):
    one, two = (json.loads(mpi("-c", SOLVE.replace("METHOD", method), ranks=n).stdout) for n in (1, 2))
    assert two[0] == pytest.approx(one[0], rel=1e-3)
    assert two[1:] == one[1:]
    assert two[3] == method
