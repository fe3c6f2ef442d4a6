"""UFL expressions in torch: random ones against UFL's own evaluation, and closed forms in 100 dimensions."""

import math

import pytest
import torch
import ufl
from hypothesis import given, settings
from hypothesis import strategies as st
from manufactured import assert_close, random_points
from ufl.algorithms.analysis import extract_type
from ufl.algorithms.apply_algebra_lowering import apply_algebra_lowering
from ufl.algorithms.remove_complex_nodes import remove_complex_nodes

from mlpde import InputError, largest, smallest, total
from mlpde.formulation.symbolic import lower, tensor
from mlpde.formulation.torch_expression import Slot, TorchFunction
from mlpde.formulation.weak_form import abstract_function, abstract_mesh


def evaluate(expression, points, layout=None, jets=None):
    return TorchFunction([expression], layout or {}, points.shape[1])(points, None, jets)[0]


# -------------------------------------------------------------------- random expressions
X = ufl.SpatialCoordinate(abstract_mesh(2))
UNARY = [
    ufl.sin,
    ufl.cos,
    ufl.tanh,
    ufl.atan,
    lambda a: (
        a if isinstance(a, ufl.classes.Abs) else abs(a)
    ),  # UFL's abs(abs(a)) contains itself, without end
    lambda a: ufl.exp(-(a**2)),
    lambda a: ufl.sqrt(1 + a**2),
    lambda a: -a,
]
BINARY = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / (2 + b**2),
    lambda a, b: (1 + a**2) ** ufl.sin(b),
    ufl.max_value,
    ufl.min_value,
    lambda a, b: ufl.atan2(a, 3 + b**2),
    lambda a, b: ufl.conditional(ufl.lt(a, b), a * b, b),
    lambda a, b: ufl.conditional(ufl.Or(ufl.ge(a, 0.5), ufl.Not(ufl.gt(b, a))), a, 2.0),
]
VECTORS = [
    lambda a, b: ufl.as_vector((a, b)),
    lambda a, b: (a + b) * X,
    lambda a, b: ufl.outer(X, ufl.as_vector((a, b))) * X,
    lambda a, b: ufl.as_matrix(((a, b), (X[0], a))).T * X,
    lambda a, b: ufl.conditional(ufl.gt(a, b), ufl.perp(X), ufl.as_vector((b, 2 * a))),
]


def index_sum(v, w):
    i, j = ufl.indices(2)
    matrix = ufl.as_tensor(v[i] * w[j] + w[i] * X[j], (j, i))
    return matrix[i, j] * v[j] * w[i] + matrix[i, i]


FROM_VECTORS = [
    ufl.inner,
    ufl.dot,
    index_sum,
    lambda v, w: ufl.det(ufl.outer(v, X) + ufl.outer(X, w)),
    lambda v, w: largest(v) - smallest(w) + total(v),
    lambda v, w: (v + w)[0] * v[1],
]


def compound(scalar):
    """One operator over expressions that are drawn already."""
    vector = st.tuples(st.sampled_from(VECTORS), scalar, scalar).map(lambda fab: fab[0](*fab[1:]))
    return st.one_of(
        st.tuples(st.sampled_from(UNARY), scalar).map(lambda fa: ufl.as_ufl(fa[0](fa[1]))),
        st.tuples(st.sampled_from(BINARY), scalar, scalar).map(lambda fab: ufl.as_ufl(fab[0](*fab[1:]))),
        st.tuples(st.sampled_from(FROM_VECTORS), vector, vector).map(lambda fvw: fvw[0](*fvw[1:])),
    )


NUMBERS = st.integers(-20, 20).map(lambda k: ufl.as_ufl(k / 10 if k % 10 else k // 10))
SCALARS = st.recursive(st.one_of(st.sampled_from([X[0], X[1]]), NUMBERS), compound, max_leaves=8)


@settings(max_examples=150, deadline=None)
@given(SCALARS, st.lists(st.tuples(*[st.floats(0.05, 0.95)] * 2), min_size=1, max_size=3))
def test_random_expressions_agree_with_ufl(expression, points):
    expected = torch.tensor([float(expression(point)) for point in points], dtype=torch.float64)
    batch = torch.tensor(points, dtype=torch.float64)
    with_indices = remove_complex_nodes(apply_algebra_lowering(expression))
    for lowered in (with_indices, lower(expression)):
        error = (evaluate(lowered, batch) - expected).abs()
        assert torch.all(error <= 1e-11 * expected.abs().clamp(min=1))


@settings(max_examples=50, deadline=None)
@given(SCALARS)
def test_gradients_of_random_expressions_agree_with_autograd(expression):
    if not extract_type(expression, ufl.classes.SpatialCoordinate):
        return
    points = random_points(4, 2).requires_grad_()
    value = evaluate(lower(expression), points)
    gradient = evaluate(tensor(ufl.grad(expression)), points.detach())
    expected = torch.autograd.grad(value.sum(), points)[0] if value.requires_grad else 0 * gradient
    assert torch.all((gradient - expected).abs() <= 1e-10 * expected.abs().max().clamp(min=1))


def test_tensors_keep_their_shape():
    u = abstract_function(2, (2,))
    strain = tensor(ufl.sym(ufl.grad(u)))
    jets = {(0,): torch.tensor([[1.0, 2.0]]).double(), (1,): torch.tensor([[3.0, 5.0]]).double()}
    result = evaluate(strain, random_points(1, 2), {u: Slot(0)}, jets)
    assert result.tolist() == [[[1.0, 2.5], [2.5, 5.0]]]


def test_float32_and_constants():
    points = torch.rand(3, 2)
    condition = ufl.conditional(ufl.lt(1, 2), ufl.Identity(2), 0 * ufl.Identity(2))
    result = TorchFunction([tensor(ufl.as_ufl(2.5)), tensor(condition), tensor(X[0] * X)], {}, 2)(points)
    assert [part.dtype for part in result] == [torch.float32] * 3
    assert [part.shape for part in result] == [(3,), (3, 2, 2), (3, 2)]
    assert torch.equal(result[1], torch.eye(2).expand(3, 2, 2))


def test_a_power_has_a_finite_derivative_at_zero():
    points = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(evaluate(X[0] ** 2 + X[1] ** 3.0, points).sum(), points)
    assert gradient.tolist() == [[0.0, 0.0]]


# -------------------------------------------------------------------- 100 dimensions
DIM = 100
POINTS = random_points(16, DIM)


def in_100_dimensions(expression_of, dim=DIM, points=POINTS):
    """Value and x-gradient by autograd of `expression_of(x)`."""
    x = ufl.SpatialCoordinate(abstract_mesh(dim))
    points = points.clone().requires_grad_()
    value = evaluate(tensor(ufl.as_ufl(expression_of(x))), points)
    (gradient,) = torch.autograd.grad(value.sum(), points)
    return value.detach(), gradient


def test_reductions_over_components():
    ranks = POINTS.argsort(1)
    rows = torch.arange(len(POINTS))
    value, gradient = in_100_dimensions(smallest)
    assert torch.equal(value, POINTS.min(1).values)
    assert torch.equal(gradient[rows, ranks[:, 0]], torch.ones(16).double()) and gradient.sum() == 16
    value, gradient = in_100_dimensions(
        lambda x: largest(2 * x - ufl.as_vector([0.01 * i for i in range(DIM)]))
    )
    shifted = 2 * POINTS - 0.01 * torch.arange(DIM, dtype=torch.float64)
    assert_close(value, shifted.max(1).values)
    assert_close(gradient, 2 * torch.nn.functional.one_hot(shifted.argmax(1), DIM).double())
    value, gradient = in_100_dimensions(lambda x: total(x) ** 2)
    assert_close(value, POINTS.sum(1) ** 2)
    assert_close(gradient, 2 * POINTS.sum(1, keepdim=True).expand(-1, DIM))
    value, gradient = in_100_dimensions(lambda x: ufl.ln((1 + ufl.inner(x, x)) / 2))
    squares = (POINTS**2).sum(1, keepdim=True)
    assert_close(value, torch.log((1 + squares[:, 0]) / 2))
    assert_close(gradient, 2 * POINTS / (1 + squares))


def test_extrema_of_some_components_and_of_scalars():
    value, gradient = in_100_dimensions(
        lambda x: largest(ufl.as_vector([x[7], x[3], ufl.sin(x[50]), x[3] * x[4]]))
    )
    candidates = torch.stack(
        [POINTS[:, 7], POINTS[:, 3], POINTS[:, 50].sin(), POINTS[:, 3] * POINTS[:, 4]], 1
    )
    assert_close(value, candidates.amax(1))
    assert gradient.count_nonzero(1).max() <= 2
    value, _ = in_100_dimensions(lambda x: ufl.min_value(smallest(x), ufl.max_value(x[0], x[1])))
    assert_close(value, POINTS.amin(1))


def test_a_driver_of_value_and_gradient():
    """f(t, x, y, z) of a default-risk pricing problem: y is component 0 of the jets, z the next 100."""
    y, z = abstract_function(DIM, ()), abstract_function(DIM, (DIM,))
    x = ufl.SpatialCoordinate(abstract_mesh(DIM))
    q = ufl.min_value(0.2, ufl.max_value(0.02, (y - 50) / (70 - 50) * (0.02 - 0.2) + 0.2))
    driver = -2 / 3 * q * y - 0.02 * y + ufl.inner(z, z) + total(z) * smallest(x) + ufl.dot(z, x)
    function = TorchFunction([lower(driver)], {y: Slot(0), z: Slot(1)}, DIM)
    assert function.derivatives == {()}
    values = torch.cat([torch.linspace(40, 80, 16).double()[:, None], POINTS.sin()], 1)
    (actual,) = function(POINTS, None, {(): values})
    v, w = values[:, 0], values[:, 1:]
    rate = torch.clamp((v - 50) / 20 * (0.02 - 0.2) + 0.2, 0.02, 0.2)
    expected = -2 / 3 * rate * v - 0.02 * v + (w**2).sum(1) + w.sum(1) * POINTS.amin(1) + (w * POINTS).sum(1)
    assert_close(actual, expected)


def test_a_matrix_diffusion_and_the_gradient_of_an_unknown():
    u = abstract_function(DIM, ())
    x = ufl.SpatialCoordinate(abstract_mesh(DIM))
    z = ufl.outer(x, x) * ufl.grad(u)
    function = TorchFunction([lower(z), lower(largest(ufl.grad(u)))], {u: Slot(0)}, DIM)
    jets = {(i,): POINTS[:, i : i + 1].cos() for i in range(DIM)}
    vector, extremum = function(POINTS, None, jets)
    assert_close(vector, POINTS * (POINTS * POINTS.cos()).sum(1, keepdim=True))
    assert_close(extremum, POINTS.cos().amax(1))


def test_a_thousand_components():
    points = random_points(3, 1000)
    value, _ = in_100_dimensions(lambda x: largest(x) - smallest(x) + total(x), 1000, points)
    assert_close(value, points.amax(1) - points.amin(1) + points.sum(1))


def test_a_python_sum_over_hundreds_of_components_names_the_word_to_use():
    assert_close(in_100_dimensions(lambda x: sum(x[i] ** 2 for i in range(DIM)))[0], (POINTS**2).sum(1))
    with pytest.raises(InputError, match=r"nested too deeply .* write total\(vector\)"):
        in_100_dimensions(lambda x: sum(x[i] ** 2 for i in range(300)), 300, random_points(2, 300))


def test_reductions_refuse_what_is_no_vector():
    with pytest.raises(
        InputError, match=r"total\(...\) reduces the components of a vector, not of shape \(2, 2\)"
    ):
        total(ufl.Identity(2))


@pytest.mark.slow
def test_a_reduction_over_100_components_costs_what_torch_costs():
    import time

    x = ufl.SpatialCoordinate(abstract_mesh(DIM))
    function = TorchFunction([lower(smallest(x))], {}, DIM)
    points = random_points(8192, DIM).requires_grad_()

    def seconds(reduction):
        best = math.inf
        for _ in range(10):
            start = time.perf_counter()
            torch.autograd.grad(reduction(points).sum(), points)
            best = min(best, time.perf_counter() - start)
        return best

    assert seconds(lambda p: function(p)[0]) < 3 * seconds(lambda p: p.amin(1))
