"""Functions of space and time: interpolation and its derivatives, on polynomials that it reproduces."""

import numpy as np
import pytest

from geometry import disk, rectangle
from mlpde import InputError
from reference_fem.difference_formulas import bdf2, lagrange_weights, sdirk2, stencil, theta
from reference_fem.function import lagrange
from reference_fem.time_function import FiniteElementHistory

TIMES = np.array([0.0, 0.1, 0.15, 0.4, 0.5, 1.0])


def history(domain, f, size=0.4) -> FiniteElementHistory:
    """f(x, t) at the nodes of P2, every cell's nodes numbered by themselves."""
    mesh = domain.mesh(size)
    nodes = lagrange(2, 2).points
    count = len(mesh.cells)
    x = mesh.map(np.repeat(np.arange(count), len(nodes)), np.tile(nodes, (count, 1)))
    values = np.stack([f(x, t)[:, None] for t in TIMES])
    return FiniteElementHistory(mesh, (2,), TIMES, (np.arange(len(x)).reshape(count, -1),), (values,))


def test_cubics_in_time_and_parabolas_in_space_are_reproduced_with_their_derivatives():
    one = history(rectangle(0.0, 0.0, 1.0, 1.0), lambda x, t: x[:, 0] * x[:, 1] * t**3)
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(0, 1, (50, 2)), rng.uniform(0, 1, 50)])
    x, y, t = points.T
    known = {
        (): x * y * t**3,
        (0,): y * t**3,
        (0, 1): t**3,
        (2,): x * y * 3 * t**2,
        (1, 2): x * 3 * t**2,
        (2, 2): x * y * 6 * t,
    }
    jets = one.jets(points, known)
    for alpha, value in known.items():
        assert jets[alpha][:, 0] == pytest.approx(value, abs=1e-11)


def test_points_outside_are_nan_at_every_time():
    one = history(disk(1.0, (0.0, 0.0)), lambda x, t: x[:, 0] + t)
    values = one.jets(np.array([[0.0, 0.0, 0.2], [3.0, 0.0, 0.2]]), [()])[()][:, 0]
    assert values[0] == pytest.approx(0.2)
    assert np.isnan(values[1])
    with pytest.raises(InputError, match="derivatives of order 0, 1, 2"):
        one.jets(np.zeros((1, 3)), [(0, 0, 0)])


def test_times_side_by_side_and_backward():
    one = history(rectangle(0.0, 0.0, 1.0, 1.0), lambda x, t: x[:, 0] * (1 + t**2))
    point = np.array([[0.3, 0.6]])
    together = one.at(np.array([0.05, 0.7])).jets(point, [()])[()]
    assert together == pytest.approx(0.3 * np.array([[1.0025, 1.49]]))
    assert one.backward(1.0).jets(np.array([[0.3, 0.6, 0.3]]), [()])[()] == pytest.approx(0.3 * 1.49)


def test_the_stencil_has_two_times_on_either_side():
    assert stencil(TIMES, np.array([0.0, 0.12, 0.45, 1.0])).tolist() == [
        [0, 1, 2, 3],
        [0, 1, 2, 3],
        [2, 3, 4, 5],
        [2, 3, 4, 5],
    ]
    assert stencil(TIMES[:2], np.array([0.05])).tolist() == [[0, 1]]


@pytest.mark.parametrize("derivative", [0, 1, 2])
def test_weights_differentiate_cubics(derivative):
    nodes, t = np.array([[0.0, 0.1, 0.3, 0.7]]), np.array([0.4])
    p = np.polynomial.Polynomial([1.0, -2.0, 3.0, 4.0])
    weights = lagrange_weights(nodes, t, derivative)
    assert weights @ p(nodes[0]) == pytest.approx(p.deriv(derivative)(0.4) if derivative else p(0.4))


def test_difference_formulas_are_exact_for_parabolas_and_miss_cubics_by_their_constant():
    k, before = 0.1, 0.2
    t = np.array([0.0, -k, -k - before])  # the end of the step, its start, the one before

    def defect(formula, power):
        values = [np.array([x**power]) for x in t]
        rates = [np.array([power * x ** (power - 1)]) if power else np.zeros(1) for x in t]
        levels = [(values[j], rates[j], np.zeros(1)) for j in (1, 2)]
        known = formula.history(levels)[0]
        return float(formula.a * values[0][0] + known[0] - rates[0][0]), formula.a

    for formula in (bdf2(k, before), theta(k)):
        assert [defect(formula, p)[0] for p in (0, 1, 2)] == pytest.approx([0, 0, 0], abs=1e-13)
        rest, a = defect(formula, 3)
        # x' is wrong by rest; solved for x with x' given, x is wrong by rest / a = C k^3 x'''
        assert abs(rest) / a == pytest.approx(formula.error * k**3 * 6, rel=1e-10)
    first, second = sdirk2(k)
    assert first.a == second.a  # one factorisation for both stages
