"""The ladder's methods against LAPACK on random block matrices, well and badly conditioned, on several graphs."""

import sys

import numpy as np
import pytest
import torch
from blocks import dense, grid_cliques, random_rows

from mlpde.optimize.elimination_order import elimination_order
from mlpde.optimize.least_squares import RowGroup, solve_blocks

GRAPHS = {
    "one block": ([(0,)], [7]),
    "chain": (grid_cliques(9), [4, 5, 6, 4, 5, 6, 4, 5, 6]),
    "ring": ([(i, (i + 1) % 8) for i in range(8)] + [(i,) for i in range(8)], [5] * 8),
    "grid": (grid_cliques(4, 5), [3, 4] * 10),
    "cube": (grid_cliques(3, 2, 3), [3] * 18),
    "two parts": ([(0, 1), (3, 2), (1,), (0,), (2,), (3,)], [4, 4, 4, 4]),
    "star": ([(i, 0) for i in range(1, 7)] + [(i,) for i in range(7)], [6] * 7),
    "order of blocks": ([(2, 0), (1, 2, 0), (1,), (0,), (2,)], [3, 5, 4]),
}


@pytest.mark.parametrize("global_width", [0, 6])
@pytest.mark.parametrize("graph", GRAPHS)
def test_block_qr_solves_what_lapack_solves(graph, global_width):
    cliques, widths = GRAPHS[graph]
    groups = random_rows(cliques, widths, global_width, rows=2 * max(widths) + global_width)
    matrix, rhs = dense(groups, widths, global_width)
    expected = np.linalg.lstsq(matrix, rhs, rcond=None)[0]
    for method in ("auto", "dense"):
        x, info = solve_blocks(groups, widths, global_width, method)
        assert np.abs(x.numpy() - expected).max() < 1e-11
        residual = matrix @ expected - rhs
        assert info["residual"] == pytest.approx(np.linalg.norm(residual), rel=1e-10)
        assert info["norm"] == pytest.approx(np.linalg.norm(expected), rel=1e-10)
        assert info["gradient"] < 1e-14
        assert (info["rows"], info["columns"]) == matrix.shape


@pytest.mark.parametrize("method", ["mixed_qr", "cholesky"])
@pytest.mark.parametrize("global_width", [0, 6])
@pytest.mark.parametrize("graph", GRAPHS)
def test_filtered_methods_solve_what_lapack_solves(graph, global_width, method):
    cliques, widths = GRAPHS[graph]
    groups = random_rows(cliques, widths, global_width, rows=2 * max(widths) + global_width)
    matrix, rhs = dense(groups, widths, global_width)
    expected = np.linalg.lstsq(matrix, rhs, rcond=None)[0]
    x, info = solve_blocks(groups, widths, global_width, method)
    assert np.abs(x.numpy() - expected).max() < 1e-8
    assert (info["method"], info["dropped"], info["warnings"]) == (method, 0, [])
    assert info["iterations"] <= 6
    assert info["gradient"] < 1e-8


def identity_coarse(widths, count=1):
    return lambda: [torch.eye(width, count, dtype=torch.float64) for width in widths]


@pytest.mark.parametrize("graph", GRAPHS)
def test_two_levels_reach_the_least_residual(graph):
    cliques, widths = GRAPHS[graph]
    groups = random_rows(cliques, widths, rows=2 * max(widths))
    matrix, rhs = dense(groups, widths)
    least = np.linalg.norm(matrix @ np.linalg.lstsq(matrix, rhs, rcond=None)[0] - rhs)
    _, info = solve_blocks(groups, widths, method="two_level", coarse=identity_coarse(widths))
    assert info["method"] == "two_level"
    assert info["residual"] == pytest.approx(least, rel=1e-7)


def test_a_factor_that_is_no_preconditioner_gives_way_to_block_qr():
    """Columns of two blocks that are nearly the same: the local filter cannot see it."""
    groups, widths = random_rows([(0, 1)], [6, 6], rows=40), [6, 6]
    groups[0].matrix[:, 6:] = groups[0].matrix[:, :6] + 1e-11 * groups[0].matrix[:, 6:]
    x, info = solve_blocks(groups, widths, method="cholesky")
    expected, _ = solve_blocks(groups, widths, method="block_qr")
    assert (x == expected).all()
    assert info["method"] == "block_qr"
    assert "block_qr was taken instead" in info["warnings"][0]


def test_two_levels_that_stagnate_give_way_to_cholesky(monkeypatch):
    monkeypatch.setattr("mlpde.optimize.two_level.ITERATIONS", 2)
    groups, widths = random_rows(grid_cliques(6), [5] * 6), [5] * 6
    _, info = solve_blocks(groups, widths, method="two_level", coarse=identity_coarse(widths))
    assert info["method"] == "cholesky"
    assert "did not converge in 2 iterations" in info["warnings"][0]


def test_auto_takes_block_qr_while_it_is_cheap(monkeypatch):
    groups, widths = random_rows(grid_cliques(3, 3, 3), [3] * 27, rows=12), [3] * 27
    centres = np.array(list(np.ndindex(3, 3, 3)), float)
    arguments = {"centres": centres, "coarse": identity_coarse(widths)}

    def taken(**arguments):
        return solve_blocks(groups, widths, **arguments)[1]["method"]

    assert taken(**arguments) == "block_qr"
    monkeypatch.setattr("mlpde.optimize.least_squares.IN_SPACE", (50, 80))
    assert taken(**arguments) == "two_level"
    assert taken(centres=centres) == "cholesky"
    assert taken(**arguments | {"centres": centres[:, :2]}) == "block_qr"
    monkeypatch.setattr("mlpde.optimize.least_squares.IN_PLANE", (50, 100))
    assert taken(**arguments | {"centres": centres[:, :2]}) == "cholesky"


def test_without_petsc4py_the_other_methods_are_named(monkeypatch):
    groups = random_rows([(0,)], [4], rows=9)
    monkeypatch.setitem(sys.modules, "petsc4py", None)
    assert solve_blocks(groups, [4], method="mixed_qr")[1]["method"] == "mixed_qr"
    with pytest.raises(ValueError, match=r"need petsc4py.*'block_qr' or 'mixed_qr'"):
        solve_blocks(groups, [4], method="cholesky")


def test_options_of_petsc_that_a_method_cannot_use_are_named(monkeypatch):
    monkeypatch.setenv("PETSC_OPTIONS", "-log_view -rfm_ksp_monitor")
    _, info = solve_blocks(random_rows([(0,)], [4], rows=9), [4])
    assert info["warnings"] == ["the PETSc option -rfm_ksp_monitor was not used by the method block_qr"]


def test_coordinates_change_the_order_not_the_solution():
    groups, widths = random_rows(grid_cliques(12, 12), [3] * 144, rows=6), [3] * 144
    centres = np.array(list(np.ndindex(12, 12)), float)
    x, _ = solve_blocks(groups, widths)
    y, info = solve_blocks(groups, widths, centres=centres)
    assert (x - y).abs().max() < 1e-11
    assert info["largest_front"][1] <= 3 * 2.5 * 12  # a separator is 12 blocks long


def _fronts(cliques, order):
    waiting = [set(c) for c in cliques]
    for block in order:
        front = set().union(*(c for c in waiting if block in c))
        waiting = [c for c in waiting if block not in c] + [front - {block}]
        yield front


def work(cliques, order):
    """Flops of the eliminations of equal blocks, up to a factor."""
    return sum(len(front) ** 2 for front in _fronts(cliques, order))


def test_dissection_grows_like_n_to_the_three_halves_in_the_plane():
    """n^(3/2) for nested dissection (George 1973), n^2 row by row."""
    works = {}
    for n in (8, 16, 32):
        cliques, centres = grid_cliques(n, n), np.array(list(np.ndindex(n, n)), float)
        order = elimination_order(cliques, [1] * n**2, centres)
        assert sorted(order) == list(range(n**2))
        assert sorted(elimination_order(cliques, [1] * n**2)) == list(range(n**2))
        works[n] = work(cliques, order) / n**2
    # Per block, so 2 from grid to grid in the limit (from above) against 4.
    assert works[32] / works[16] < 2.6
    assert works[32] / works[16] < works[16] / works[8]
    assert works[32] < 0.5 * work(grid_cliques(32, 32), range(1024)) / 1024


def singular(consistent):
    """Half of the columns of every block are combinations of the others."""
    widths = [12] * 5
    mix = torch.as_tensor(np.random.default_rng(1).standard_normal((6, 12)))
    groups = []
    for g in random_rows(grid_cliques(5), widths, rows=30):
        parts = [part[:, :6] @ mix for part in g.matrix.split([12] * len(g.blocks), dim=1)]
        matrix = torch.cat(parts, dim=1)
        groups.append(RowGroup(g.blocks, matrix, matrix.sum(dim=1) if consistent else g.rhs))
    return groups, widths


def test_a_singular_consistent_system_is_solved_to_rounding():
    groups, widths = singular(consistent=True)
    _, info = solve_blocks(groups, widths)
    _, rhs = dense(groups, widths)
    assert info["residual"] < 1e-13 * np.linalg.norm(rhs)
    assert info["norm"] < 100 * np.sqrt(60)


def test_a_singular_inconsistent_system_keeps_nearly_the_least_residual():
    """A few units of rounding have a price: |x| up to |r| / mu, a residual larger by a fraction of (eps/mu)^2."""
    groups, widths = singular(consistent=False)
    _, info = solve_blocks(groups, widths)
    matrix, rhs = dense(groups, widths)
    least = np.linalg.norm(matrix @ np.linalg.lstsq(matrix, rhs, rcond=1e-10)[0] - rhs)
    assert info["residual"] < 1.01 * least
    _, info = solve_blocks(groups, widths, regularisation=1e-12)
    assert info["residual"] < (1 + 1e-6) * least


def test_a_column_of_zeros_gets_zero():
    groups = random_rows([(0,)], [4], rows=9)
    groups[0].matrix[:, 2] = 0
    x, _ = solve_blocks(groups, [4])
    assert x[2] == 0
    assert torch.isfinite(x).all()


def test_single_precision_is_solved_in_single_precision():
    cliques, widths = GRAPHS["grid"]
    groups = random_rows(cliques, widths, dtype=torch.float32)
    matrix, rhs = dense(groups, widths)
    x, info = solve_blocks(groups, widths)
    assert x.dtype == torch.float32
    assert info["regularisation"] == pytest.approx(2**-21)
    assert np.abs(x.numpy() - np.linalg.lstsq(matrix, rhs, rcond=None)[0]).max() < 1e-3


def test_the_regularisation_is_that_of_the_columns():
    groups = random_rows([(0,)], [5], rows=9)
    matrix, rhs = dense(groups, [5])
    x, _ = solve_blocks(groups, [5], regularisation=0.1)
    more = 0.1 * np.diag(np.linalg.norm(matrix, axis=0))
    expected = np.linalg.lstsq(np.vstack([matrix, more]), np.concatenate([rhs, np.zeros(5)]), rcond=None)[0]
    assert np.abs(x.numpy() - expected).max() < 1e-13


def bad_input():
    good = random_rows([(0,), (1,), (0, 1)], [3, 4])
    nan = RowGroup(
        (0,), torch.full((5, 3), torch.nan, dtype=torch.float64), torch.ones(5, dtype=torch.float64)
    )
    yield [*good, nan], [3, 4], {}, r"Row group 3 \(blocks \(0,\)\) has entries that are not finite"
    yield good, [3, 4, 2], {}, "No row touches block 2"
    yield good[2:], [3, 4], {}, "5 rows cannot determine 7 columns"
    yield good, [3, 5], {}, r"Row group 1 has a matrix of shape \(6, 4\): \(6, 5\) was expected"
    yield [*good, good[0]._replace(blocks=(2,))], [3, 4], {}, r"names the blocks \(2,\)"
    yield [], [3], {}, "at least one row group"
    yield good, [3, 4], {"centres": np.zeros((1, 2))}, "1 centres were given for 2 blocks"
    yield good, [3, 4], {"method": "qr"}, "unknown least-squares method 'qr'.*'cholesky'"
    yield good, [3, 4], {"method": "two_level"}, "needs coarse functions"
    yield good, [3, 4], {"regularisation": -1.0}, "regularisation must be in"


@pytest.mark.parametrize(("groups", "widths", "options", "sentence"), list(bad_input()))
def test_bad_input_is_named(groups, widths, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        solve_blocks(groups, widths, **options)


def test_a_singular_matrix_without_regularisation_is_an_error():
    groups = random_rows([(0,)], [4], rows=9)
    groups[0].matrix[:, 2] = 0
    with pytest.raises(ValueError, match="pass regularisation > 0"):
        solve_blocks(groups, [4], regularisation=0.0)
