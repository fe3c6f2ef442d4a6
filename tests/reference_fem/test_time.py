"""Problems in time: orders of the schemes, steps from a tolerance, estimated beside true errors, what is refused."""

import json

import numpy as np
import pytest
import ufl
from ufl import grad, inner

from geometry import disk, interval, rectangle
from mlpde import Dirichlet, Field, InputError, Problem, case_files, compare, dt, solve
from mlpde.exact import exact_solution
from mlpde.monitor import Monitor
from mlpde.problem import Case
from mlpde.solution import Solution
from reference_fem import FEM

LINE, SQUARE = interval(0.0, 1.0), rectangle(0.0, 0.0, 1.0, 1.0)


def errors(problem, **settings):
    """Solution, and its errors against the exact solution of the problem."""
    case = Case("in_time", problem)
    found = solve(case, FEM(**settings))
    return found, found.error(exact_solution(case))


def orders(problem, field="u", measure="l2", steps=(10, 20, 40), **settings):
    values = [errors(problem, steps=n, estimate=False, **settings)[1][field][measure] for n in steps]
    return np.log2(np.array(values[:-1]) / values[1:])


def heat(u, v, omega):
    return (dt(u) * v + inner(grad(u), grad(v))) * omega.dx


def nonlinear() -> Problem:
    """dt(u + t u^3) - div((1 + u^2) grad u) = f, with boundary values that move."""

    def exact(x, t):
        return (1 + ufl.sin(3 * t) / 2) * ufl.sin(x[0])

    def weak_form(u, v, omega):
        g, t = exact(omega.x, omega.t), omega.t
        source = dt(g + g**3 * t) - ufl.div((1 + g**2) * grad(g))
        return (dt(u + u**3 * t) * v + (1 + u**2) * inner(grad(u), grad(v)) - source * v) * omega.dx

    return Problem(
        LINE,
        Field("u"),
        weak_form,
        dirichlet=Dirichlet("all", exact),
        exact=exact,
        time=(0.0, 1.0),
        initial=lambda x: exact(x, 0.0),
    )


def string() -> Problem:
    """A vibrating string, u = cos(pi t) sin(pi x) + sin(2 pi t) sin(2 pi x)."""

    def exact(x, t):
        return ufl.cos(ufl.pi * t) * ufl.sin(ufl.pi * x[0]) + ufl.sin(2 * ufl.pi * t) * ufl.sin(
            2 * ufl.pi * x[0]
        )

    return Problem(
        LINE,
        Field("u"),
        lambda u, v, omega: (dt(dt(u)) * v + inner(grad(u), grad(v))) * omega.dx,
        dirichlet=Dirichlet("all", 0.0),
        exact=exact,
        time=(0.0, 1.0),
        initial=(lambda x: exact(x, 0.0), lambda x: 2 * ufl.pi * ufl.sin(2 * ufl.pi * x[0])),
    )


def taylor_green() -> Problem:
    """Decaying vortices of Navier-Stokes, viscosity 0.1."""
    rate = 18 * 0.1

    def velocity(x, t):
        a, b = 3 * x[0], 3 * x[1]
        return ufl.exp(-rate * t) * ufl.as_vector([-ufl.cos(a) * ufl.sin(b), ufl.sin(a) * ufl.cos(b)])

    def pressure(x, t):
        return -ufl.exp(-2 * rate * t) / 4 * (ufl.cos(6 * x[0]) + ufl.cos(6 * x[1]))

    def weak_form(up, vq, omega):
        (u, p), (v, q) = up, vq
        flow = inner(dt(u) + ufl.dot(grad(u), u), v) + 0.1 * inner(grad(u), grad(v))
        return (flow - p * ufl.div(v) - q * ufl.div(u)) * omega.dx

    return Problem(
        SQUARE,
        [Field("u", shape=(2,)), Field("p", mean_zero=True)],
        weak_form,
        dirichlet=Dirichlet("all", velocity, field="u"),
        exact={"u": velocity, "p": pressure},
        time=(0.0, 1.0),
        initial={"u": lambda x: velocity(x, 0.0)},
    )


@pytest.mark.parametrize("scheme", ["bdf2", "theta"])
@pytest.mark.parametrize("make", [nonlinear, string])
def test_both_schemes_are_of_second_order_in_both_orders_of_time(make, scheme):
    settings = {"degree": 4, "scheme": scheme, "steps": (20, 40, 80)}
    assert orders(make(), **settings)[-1] == pytest.approx(2, abs=0.15)
    assert orders(make(), measure="l2_time", **settings)[-1] == pytest.approx(2, abs=0.25)


def test_velocity_and_pressure_of_an_incompressible_flow_are_of_second_order():
    coarse, fine = (errors(taylor_green(), degree=3, steps=n, estimate=False)[1] for n in (20, 40))
    for field in ("u", "p"):
        assert np.log2(coarse[field]["l2"] / fine[field]["l2"]) == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize("make", [nonlinear, string, taylor_green])
def test_steps_from_a_tolerance_meet_it_and_the_estimate_is_near_the_true_error(make):
    found, true = errors(make(), tolerance=3e-4)
    assert found.info["time_error"] <= 3e-4
    for name, error in true.items():
        own = found.info["estimated_error"][name]
        assert 0.5 < own["l2"] / error["l2"] < 2
        assert 0.5 < own["l2_time"] / error["l2_time"] < 2
        assert 0.3 < own["h1"] / error["h1"] < 3


def test_the_time_error_alone_is_below_the_tolerance():
    for tolerance in (1e-3, 1e-5):
        _, true = errors(string(), degree=6, tolerance=tolerance, estimate=False)
        assert max(true["u"]["l2"], true["u"]["l2_time"]) < tolerance


def test_a_jump_at_the_start_is_met_by_short_steps_and_said():
    """u = 1 at the start, 0 at both ends: a Fourier series."""

    def exact(x, t):
        modes = [k * np.pi for k in range(1, 60, 2)]
        return sum(4 / k * ufl.sin(k * x[0]) * ufl.exp(-(k**2) * t) for k in modes)

    problem = Problem(
        LINE, Field("u"), heat, dirichlet=Dirichlet("all", 0.0), exact=exact, time=(0.0, 0.1), initial=1.0
    )
    found, true = errors(problem, size=0.02)
    assert max(true["u"]["l2"], true["u"]["l2_time"]) < 2e-4
    assert np.diff(found.model.times)[0] < 1e-6
    assert "differs from its Dirichlet values by up to 1" in found.info["warnings"][0]


def test_a_source_that_starts_late_is_not_overlooked():
    """u = max(t - 0.37, 0) everywhere."""

    def exact(x, t):
        return ufl.max_value(t - 0.37, 0) + 0 * x[0]

    def weak_form(u, v, omega):
        return heat(u, v, omega) - ufl.conditional(ufl.gt(omega.t, 0.37), 1.0, 0.0) * v * omega.dx

    problem = Problem(LINE, Field("u"), weak_form, exact=exact, time=(0.0, 1.0), initial=0.0)
    _, true = errors(problem, estimate=False)
    assert true["u"]["l2"] < 1e-4


def test_the_trapezoidal_rule_keeps_the_energy_of_a_wave():
    def energy(u, omega):
        return (dt(u) ** 2 + inner(grad(u), grad(u))) * omega.dx

    case = Case("string", string(), quantities={"energy": energy})
    found = solve(case, FEM(degree=3, steps=60, estimate=False))
    x, weights = found.mesh.quadrature(8)
    rates = [
        float(weights @ (found.jets(x, [(1,)], t)[(1,)] ** 2 + found.jets(x, [(0,)], t)[(0,)] ** 2)[:, 0])
        for t in (0.2, 0.5, 1.0)
    ]
    assert found.info["scheme"] == "theta"
    assert found.quantities["energy"] == pytest.approx(rates[-1], rel=1e-10)
    # what is left is the interpolation of the rate between the steps
    assert rates == pytest.approx([2.5 * np.pi**2] * 3, rel=4e-3)


def test_an_electric_field_in_a_cavity_oscillates():
    """E_tt + curl curl E = 0 by edge elements, whose nodal values are not shared by cells."""

    def exact(x, t):
        a, b = ufl.pi * x[0], ufl.pi * x[1]
        mode = ufl.as_vector([-ufl.cos(a) * ufl.sin(b), ufl.sin(a) * ufl.cos(b)])
        return ufl.cos(np.sqrt(2) * ufl.pi * t) * mode

    problem = Problem(
        SQUARE,
        Field("E", family="Nedelec"),
        lambda u, v, omega: (inner(dt(dt(u)), v) + inner(ufl.curl(u), ufl.curl(v))) * omega.dx,
        dirichlet=Dirichlet("all", 0.0),
        exact=exact,
        time=(0.0, 0.5),
        initial=(lambda x: exact(x, 0.0), 0.0),
    )
    _, true = errors(problem, steps=64, size=0.2, degree=3, estimate=False)
    assert true["E"]["l2_time"] < 3e-3


def test_a_saved_solution_is_evaluated_at_any_time(tmp_path):
    found, _ = errors(nonlinear(), steps=10, estimate=False)
    loaded = Solution.load(found.save(tmp_path / "solution"))
    points, times = np.array([[0.2], [0.7], [0.7]]), [0.05, 0.31, 1.0]
    assert np.array_equal(loaded(points, times), found(points, times))
    assert np.array_equal(loaded.gradient(points, times), found.gradient(points, times))
    assert loaded(points)[1] == found(points, 1.0)[2]


def test_one_factorisation_serves_all_steps_of_a_constant_operator():
    problem = Problem(LINE, Field("u"), heat, dirichlet=Dirichlet("left", 0.0), time=(0.0, 1.0), initial=1.0)
    assert solve(problem, FEM(steps=50, estimate=False)).info["factorisations"] == 2  # one of the start


@pytest.mark.slow
def test_kept_factors_make_fifty_steps_four_times_faster():
    from mlpde.bench.fem_time import kept

    assert min(row[-1] for row in kept()) > 4


def test_two_ranks_give_the_same_numbers(mpi):
    code = """
import json
from mpi4py import MPI
from mlpde import solve
from tests.reference_fem.test_time import taylor_green
from reference_fem import FEM
found = solve(taylor_green(), FEM(steps=6, size=0.2))
values = found.evaluate([[0.3, 0.4], [0.9, 0.1]], t=0.77)
if MPI.COMM_WORLD.rank == 0:
    print(json.dumps([{k: v.tolist() for k, v in values.items()}, found.info["estimated_error"]]))
"""
    values, estimated = json.loads(mpi("-c", code).stdout.splitlines()[-1])
    found = solve(taylor_green(), FEM(steps=6, size=0.2))
    for name, value in found.evaluate([[0.3, 0.4], [0.9, 0.1]], t=0.77).items():
        assert np.allclose(value, values[name], rtol=1e-8)
        assert found.info["estimated_error"][name] == pytest.approx(estimated[name], rel=1e-5)


def step_mass(u, v, omega):
    return (
        ufl.conditional(ufl.gt(omega.x[0], 0.5), 1.0, 0.0) * dt(u) * v + inner(grad(u), grad(v))
    ) * omega.dx


def blow_up(u, v, omega):
    return heat(u, v, omega) - u**2 * v * omega.dx


def stokes(up, vq, omega):
    (u, p), (v, q) = up, vq
    return (inner(dt(u), v) + inner(grad(u), grad(v)) - p * ufl.div(v) - q * ufl.div(u)) * omega.dx


@pytest.mark.parametrize(
    ("form", "more", "settings", "sentence"),
    [
        (lambda u, v, o: inner(grad(u), grad(v)) * o.dx, {}, {}, "contains no dt"),
        (
            heat,
            {"initial": lambda x: 1 / x[0]},
            {},
            "the initial value is not finite.*field 'u' near x = \\(0.0",
        ),
        (
            heat,
            {"initial": (0.0, 1.0)},
            {},
            "of first order in time: its initial must be the value u0, 2 given",
        ),
        (step_mass, {}, {}, "the mass matrix of field 'u' is singular.*near x = \\(0.0,\\)"),
        (
            blow_up,
            {"initial": 1.0},
            {},
            "the step in time from t = 0.99.*, of length .* did not converge: the residual went",
        ),
        (
            blow_up,
            {"initial": 1.0},
            {"steps": 50},
            "from t = 0.88, of length 4.00e-02, .*in 20 Newton steps; more steps are needed",
        ),
        (
            heat,
            {"dirichlet": Dirichlet(at=(0.1234,), value=0.0)},
            {},
            "the mesh has no node there; add the point to the geometry",
        ),
    ],
)
def test_what_cannot_be_solved_is_said(form, more, settings, sentence):
    problem = Problem(LINE, Field("u"), form, **({"time": (0.0, 2.0), "initial": 0.0} | more))
    with pytest.raises(InputError, match=sentence):
        solve(problem, FEM(estimate=False, **settings))


@pytest.mark.parametrize(
    ("initial", "value", "sentence"),
    [
        ({"u": 0.0, "p": 1.0}, 0.0, "field 'p' has an initial value, but weak_form has no dt"),
        ({}, 0.0, "field 'u' is of first order in time: its initial must be the value u0, 0 given"),
        ({"u": 0.0}, lambda x, t: ufl.as_vector([x[0] * t, 0]), "the data of field 'p' do not balance"),
    ],
)
def test_several_fields_that_do_not_fit_are_named(initial, value, sentence):
    fields = [Field("u", shape=(2,)), Field("p", mean_zero=True)]
    wall = Dirichlet("all", value, field="u")
    problem = Problem(SQUARE, fields, stokes, dirichlet=wall, time=(0.0, 1.0), initial=initial)
    with pytest.raises(InputError, match=sentence):
        solve(problem, FEM(size=0.3, estimate=False))


def test_a_curved_wall_that_leaves_data_slightly_out_of_balance_is_no_error():
    """A divergence-free velocity on a circle: its interpolation between the nodes has a small flux through it."""

    def wall(x, t):
        return (1 + t) * ufl.as_vector(
            [ufl.sin(2 * x[0]) * ufl.cos(2 * x[1]), -ufl.cos(2 * x[0]) * ufl.sin(2 * x[1])]
        )

    problem = Problem(
        disk(1.0, (0.1, 0.2)),
        [Field("u", shape=(2,)), Field("p", mean_zero=True)],
        stokes,
        dirichlet=Dirichlet("all", wall, field="u"),
        time=(0.0, 1.0),
        initial={"u": lambda x: wall(x, 0.0)},
    )
    found = solve(problem, FEM(size=0.4, steps=10, estimate=False))
    x, weights, normals = found.mesh.boundary_quadrature("circle", 6)
    assert abs(weights @ (found.evaluate(x)["u"] * normals).sum(1)) < 1e-2


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"steps": 0}, "fem.steps must be an integer from 1 on, not 0"),
        ({"tolerance": -1.0}, "fem.tolerance must be a positive number, not -1.0"),
        ({"scheme": "euler"}, "value of fem.scheme: 'euler': there is 'bdf2', 'theta'"),
    ],
)
def test_wrong_settings_are_named(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        FEM(**settings)


def test_the_published_numbers_of_the_cases_in_time_are_met():
    for name in ("heat_square", "membrane"):
        case = case_files.load(name)
        found = solve(case, FEM(estimate=False))
        for quantity, (value, _) in case.published.items():
            assert found.quantities[quantity] == pytest.approx(value, abs=2e-3 * max(1, abs(value))), quantity


def test_solutions_in_time_are_compared_and_reported(tmp_path):
    case = case_files.load("hjb_2d")
    fem = FEM(size=1.2, degree=2, steps=8, estimate=False)
    exact = compare(case, [fem])
    assert exact.reference.solver == "exact"
    result = compare(case, [fem], reference=FEM(size=1.2, degree=3, steps=16), out=tmp_path / "out")
    error, other = (c.metrics["solutions"][0]["errors"]["u"] for c in (exact, result))
    assert error["l2"] == pytest.approx(other["l2"], rel=0.2)
    assert error["l2_time"] == pytest.approx(other["l2_time"], rel=0.2)
    assert set(result.metrics["reference"]["estimated_error"]["u"]) == {"l2", "h1", "l2_time"}
    assert "L2(0, T)" in (tmp_path / "out" / "report.md").read_text()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9], ids=["first run", "second run", "second level"])
def test_a_killed_run_goes_on_from_its_checkpoint_to_the_same_result(tmp_path, share):
    problem, fem = nonlinear(), FEM(degree=2, tolerance=1e-3)
    steps: list[float] = []
    whole = fem.solve(problem, monitor=Monitor(display=lambda *_: steps.append(0)))
    total, killed_at = len(steps), int(share * len(steps))

    def count(*_):
        steps.append(1)
        if sum(steps) == killed_at:
            raise KeyboardInterrupt

    first = Monitor(tmp_path / "checkpoint", {}, display=count)
    first.save_every = 0.0
    with pytest.raises(KeyboardInterrupt):
        fem.solve(problem, monitor=first)
    found = fem.solve(problem, monitor=Monitor(tmp_path / "checkpoint", {}, resume=True, display=count))
    assert sum(steps) == total + 1  # the step that was interrupted is made again
    points, times = np.array([[0.2], [0.6]]), np.array([0.3, 1.0])
    assert np.allclose(found(points, times), whole(points, times), rtol=1e-8)
    assert found.info["estimated_error"]["u"] == pytest.approx(whole.info["estimated_error"]["u"], rel=1e-4)
