"""Rows on several MPI ranks: the same solution and iterations as on one, and errors that reach all ranks."""

from pathlib import Path

import pytest

from mlpde.optimize.distributed import owned, owner

HERE = Path(__file__).parents[1]
SETUP = f"""
import sys; sys.path[:0] = [{str(HERE / "optimize")!r}, {str(HERE / "representation")!r}]
from mpi4py import MPI
import torch
from blocks import random_rows
from test_published_problems import Poisson
from mlpde.errors import InputError
from mlpde.optimize.distributed import owner
from mlpde.optimize.least_squares import solve_blocks
from mlpde.representation.coarse_functions import coarse_functions
world = MPI.COMM_WORLD
"""
SOLVE = (
    SETUP
    + """
features, groups = Poisson.rows(4, 60, 14, 1.0, "tanh")
mine = [g for g in groups if owner(min(g.blocks), 16, world.size) == world.rank]
for method in ("cholesky", "two_level", "block_qr", "mixed_qr"):
    arguments = {"method": method, "centres": features.partition.centres,
                 "coarse": lambda: coarse_functions(features, 1)}
    x, info = solve_blocks(mine, [60] * 16, communicator=world, **arguments)
    alone, serial = solve_blocks(groups, [60] * 16, **arguments)
    assert all(torch.equal(x, other) for other in world.allgather(x))
    error, expected = (Poisson.error(features, c) for c in (x, alone))
    assert abs(error - expected) < 1e-3 * expected, (method, error, expected)
    assert info["method"] == method and info["warnings"] == []
    for name in ("rows", "columns", "iterations", "dropped"):
        assert info.get(name) == serial.get(name), (method, name, info, serial)
    for name in ("residual", "norm"):
        assert abs(info[name] - serial[name]) < 1e-3 * serial[name], (method, name, info, serial)
if world.rank == 0:
    print("same")
"""
)
REFUSE = (
    SETUP
    + """
def refused(groups, widths):
    try:
        solve_blocks(groups, widths, method="cholesky", communicator=world)
    except InputError as error:
        return str(error)

groups = random_rows([(0,), (1,)], [4, 4], rows=9)
mine = [groups[world.rank % 2]] if world.rank < 2 else []
told = [refused(mine, [4, 4, 2])]
mine = [g._replace(matrix=g.matrix * (1 - world.rank)) for g in mine]
told.append(refused(mine, [4, 4]))
mine = [g._replace(rhs=g.rhs / (1 - world.rank)) for g in mine]
told.append(refused(mine, [4, 4]))
assert all(other == told for other in world.allgather(told))
if world.rank == 0:
    print(*told, sep="\\n")
"""
)


@pytest.mark.parametrize(("blocks", "ranks"), [(7, 2), (3, 5), (16, 4)])
def test_every_block_has_one_owner(blocks, ranks):
    class Rank:
        size = ranks

    found = []
    for Rank.rank in range(ranks):
        found += [(b, Rank.rank) for b in owned(blocks, Rank)]
    assert found == [(b, owner(b, blocks, ranks)) for b in range(blocks)]


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_several_ranks_find_what_one_does(mpi, ranks):
    assert mpi("-c", SOLVE, ranks=ranks).stdout.strip() == "same"


@pytest.mark.mpi
def test_what_is_wrong_on_one_rank_is_said_on_all(mpi):
    untouched, zero, infinite = mpi("-c", REFUSE).stdout.strip().splitlines()
    assert untouched.startswith("No row touches block 2")
    assert zero.endswith("all rows of block 1 are zero. Give it an equation.")
    assert infinite.endswith("has entries that are not finite.")
