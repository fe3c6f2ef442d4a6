import pytest
import torch

from mlpde.optimize.staircase_qr import staircase_qr


def triangles(columns, count):
    generator = torch.Generator().manual_seed(0)
    return torch.cat(
        [torch.randn(columns, columns, generator=generator, dtype=torch.float64).triu() for _ in range(count)]
    )


@pytest.mark.parametrize("columns", [5, 500])  # one panel, and several
def test_the_triangle_is_that_of_householder_qr(columns):
    matrix = triangles(columns, 3)
    r = staircase_qr(matrix.clone(), columns)
    assert torch.equal(r.tril(-1), torch.zeros_like(r))
    expected = torch.linalg.qr(matrix, mode="r")[1]
    torch.testing.assert_close(r[:columns].abs(), expected.abs(), rtol=1e-9, atol=1e-11)


def test_only_the_pivots_are_made_triangular():
    matrix = triangles(600, 2)[:1000]
    r = staircase_qr(matrix.clone(), 450)
    assert torch.equal(r[:, :450].tril(-1), torch.zeros_like(r[:, :450]))
    gram = matrix.T @ matrix  # the rows are rotated as a whole
    torch.testing.assert_close(r.T @ r, gram, rtol=0, atol=1e-13 * float(gram.abs().max()))


def test_columns_and_rows_of_zeros_stay_zero():
    matrix = triangles(450, 2)
    matrix[:, 40] = 0
    matrix[600:620] = 0
    r = staircase_qr(matrix.clone(), 450)
    assert torch.isfinite(r).all()
    assert float(r[:, 40].abs().max()) == 0
    gram = matrix.T @ matrix
    torch.testing.assert_close(r.T @ r, gram, rtol=0, atol=1e-13 * float(gram.abs().max()))
