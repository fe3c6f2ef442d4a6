"""The exact solution in time: its value and all first derivatives, of a problem and of a backward one."""

import numpy as np
import pytest
import ufl

from geometry import interval
from mlpde import Field, InputError, Problem, SemilinearParabolic, dt
from mlpde.exact import exact_solution
from mlpde.problem import Case

LINE = interval(0.0, 1.0)


def known(x, t):
    return x[0] ** 2 * ufl.exp(2 * t)


def forward() -> Problem:
    return Problem(
        LINE,
        Field("u"),
        lambda u, v, omega: dt(u) * v * omega.dx,
        time=(0.0, 1.0),
        initial=0.0,
        exact=known,
    )


def backward() -> SemilinearParabolic:
    return SemilinearParabolic(
        1, 1.0, 0.0, lambda t, x, y, z: 0 * y, lambda x: x[0], domain=LINE, exact=known
    )


@pytest.mark.parametrize(("problem", "default"), [(forward(), 1.0), (backward(), 0.0)])
def test_value_gradient_and_rate(problem, default):
    solution = exact_solution(Case("known", problem))
    points, times = np.array([[0.3], [0.8]]), np.array([0.1, 0.9])
    jets = solution.jets(points, [(), (0,), (1,)], times)
    x, growth = points, np.exp(2 * times)[:, None]
    assert jets[()] == pytest.approx(x**2 * growth)
    assert jets[(0,)] == pytest.approx(2 * x * growth)
    assert jets[(1,)] == pytest.approx(2 * x**2 * growth)
    assert solution(points) == pytest.approx(points[:, 0] ** 2 * np.exp(2 * default))
    assert solution.info["estimated_error"] == {"u": {"l2": 0.0, "h1": 0.0, "l2_time": 0.0}}
    assert solution.error(solution)["u"]["l2_time"] == 0.0
    with pytest.raises(InputError, match="offers its first derivatives"):
        solution.jets(points, [(1, 1)], times)
