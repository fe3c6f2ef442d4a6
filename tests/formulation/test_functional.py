"""Integrals, point values and outputs of known functions against exact values."""

import math

import numpy as np
import pytest
import torch
import ufl
from manufactured import jets as jets_of
from torch import sin

from geometry import Domain, annulus, disk, rectangle
from mlpde import At, Case, Field, InputError, Problem, dt
from mlpde.formulation.functional import check_measured, integrate, pointwise


def solution(function, asked=None):
    """The jets of a torch function of one point, as a Solution's model gives them."""

    def jets(points, derivatives):
        derivatives = set(derivatives)
        if asked is not None:
            asked.update(derivatives)
        every = jets_of(function, torch.from_numpy(np.ascontiguousarray(points)))
        return {alpha: every[alpha].numpy() for alpha in derivatives}

    return jets


def problem(domain, *fields, **keywords):
    return Problem(domain, list(fields) or [Field("u")], lambda u, v, omega: None, **keywords)


def two_regions(model):
    left, right = (model.occ.addRectangle(x, 0, 0, 1, 1) for x in (0, 1))
    model.occ.fragment([(2, left)], [(2, right)])
    model.occ.synchronize()
    for region, name in ((left, "left_half"), (right, "right_half")):
        model.addPhysicalGroup(2, [region], name=name)
    outer = [tag for _, tag in model.getBoundary([(2, left), (2, right)], oriented=False)]
    model.addPhysicalGroup(1, outer, name="outer")


LINEAR = solution(lambda x: (2 * x[0] + 3 * x[1])[None])


@pytest.mark.parametrize(
    ("quantity", "exact"),
    [
        (lambda u, omega: 1.0 * omega.dx, 1.0),
        (lambda u, omega: u * omega.dx, 2.5),
        (lambda u, omega: u**2 * omega.dx(degree=2), 4 / 3 + 9 / 3 + 12 / 4),
        (lambda u, omega: ufl.inner(ufl.grad(u), omega.n) * omega.ds("right"), 2.0),
        (lambda u, omega: ufl.inner(ufl.grad(u), omega.n) * omega.ds("left", "top"), -2.0 + 3.0),
        (lambda u, omega: ufl.inner(ufl.grad(u), omega.n) * omega.ds, 0.0),
        (
            lambda u, omega: (
                ufl.inner(omega.x, omega.n) * (omega.ds("left") + omega.ds("right") + omega.ds("top"))
            ),
            2.0,
        ),
        (lambda u, omega: omega.x[0] * omega.dx + u * omega.ds("bottom"), 1.5),
        (At((0.25, 0.5), lambda u, omega: u * ufl.grad(u)[1]), 6.0),
    ],
)
def test_on_the_unit_square(quantity, exact):
    square = problem(rectangle())
    assert integrate(quantity, square, LINEAR, square.domain.mesh(0.3)) == pytest.approx(exact, abs=1e-12)


def test_area_length_and_flux_of_a_disk():
    """The isoparametric boundary is off by O(h^4): 1e-5 here."""
    round_one = problem(disk(2.0))
    mesh = round_one.domain.mesh()
    paraboloid = solution(lambda x: (x @ x)[None])
    area = integrate(lambda u, omega: 1.0 * omega.dx, round_one, paraboloid, mesh)
    length = integrate(lambda u, omega: 1.0 * omega.ds("circle"), round_one, paraboloid, mesh)
    assert area == pytest.approx(4 * math.pi, rel=1e-4)
    assert length == pytest.approx(4 * math.pi, rel=1e-4)
    inflow = integrate(lambda u, omega: ufl.div(ufl.grad(u)) * omega.dx, round_one, paraboloid, mesh)
    outflow = integrate(
        lambda u, omega: ufl.dot(ufl.grad(u), omega.n) * omega.ds, round_one, paraboloid, mesh
    )
    assert outflow == pytest.approx(inflow, rel=1e-12)  # the divergence theorem, on the mesh itself


def test_over_a_region():
    halves = problem(Domain(2, two_regions))
    mesh = halves.domain.mesh(0.4)
    for name, exact in (("left_half", 2.5), ("right_half", 4.5)):
        value = integrate(lambda u, omega, name=name: u * omega.dx(name), halves, LINEAR, mesh)
        assert value == pytest.approx(exact, rel=1e-12)
    both = integrate(lambda u, omega: u * omega.dx("left_half", "right_half"), halves, LINEAR, mesh)
    assert both == pytest.approx(7.0, rel=1e-12)


def test_outputs_ask_only_for_the_jets_they_need():
    plane = problem(rectangle(), Field("u", shape=(2,)), Field("p"))
    asked: set = set()
    flow = solution(lambda x: torch.stack([x[0] * x[1], sin(x[0]), x[1] ** 2]), asked)
    points = np.random.default_rng(0).random((5, 2))
    x, y = points.T

    def stress(up, omega):
        u, p = up
        return ufl.sym(ufl.grad(u)) - p * ufl.Identity(2)

    shear = (x + np.cos(x)) / 2
    expected = np.stack([y - y**2, shear, shear, -(y**2)], 1).reshape(5, 2, 2)
    assert np.allclose(pointwise(stress, plane, points, flow), expected, rtol=1e-14)
    assert asked == {(), (0,), (1,)}
    asked.clear()
    assert np.allclose(pointwise(lambda up, omega: up[0].dx(0)[1], plane, points, flow), np.cos(x))
    assert asked == {(0,)}
    pair = pointwise(lambda up, omega: (up[1], omega.x[0]), plane, points, flow)
    assert np.allclose(pair, np.stack([y**2, x], 1))


def test_in_time():
    moving = problem(rectangle(), time=(0, 2), initial=0.0)
    wave = solution(lambda x: (x[0] * sin(x[2]))[None])
    mesh = moving.domain.mesh(0.5)
    power = integrate(lambda u, omega: u * dt(u) * omega.dx, moving, wave, mesh, time=0.7)
    assert power == pytest.approx(math.sin(0.7) * math.cos(0.7) / 3)
    value = integrate(At((0.5, 0.5), lambda u, omega: omega.t * u), moving, wave, mesh, time=0.7)
    assert value == pytest.approx(0.7 * 0.5 * math.sin(0.7))


@pytest.mark.parametrize(
    ("quantity", "sentence"),
    [
        (lambda u, omega: u, r"quantity 'q' must be an integral such as .* or an At\(...\), not Unknown"),
        (lambda u, omega: ufl.grad(u) * omega.dx, r"failed at .*test_functional.py:\d+: .*ufl.grad\(u\) \* omega"),
        (lambda u, omega: ufl.avg(u) * ufl.dS, r"an integral over omega.dx or omega.ds, not over interior_facet"),
        (At((0, 0), lambda u, omega: ufl.grad(u)), r"quantity 'q' at .* must be a scalar, not of shape \(2,\)"),
        (At((0, 0), lambda u, omega: "much"), r"must be a UFL expression or a tuple of them, not 'much'"),
        (At((0, 2), lambda u, omega: u), r"quantity 'q': the point \(0, 2\) lies outside the domain"),
        (lambda u, omega: u * omega.ds("lid"), r"unknown boundary 'lid'"),
    ],
)  # fmt: skip
def test_what_is_no_quantity(quantity, sentence):
    with pytest.raises(InputError, match=sentence):
        check_measured(Case("case", problem(rectangle()), quantities={"q": quantity}))


def test_a_point_on_the_boundary_can_be_measured():
    ring = problem(annulus(inner=0.5, outer=1.0))
    angles = np.linspace(0, 2 * np.pi, 50)
    points = [(r * np.cos(t), r * np.sin(t)) for r in (0.5, 1.0) for t in angles]
    check_measured(Case("case", ring, quantities={str(p): At(tuple(p), lambda u, omega: u) for p in points}))


def test_an_output_has_no_measure():
    case = Case("case", problem(rectangle()), outputs={"flux": lambda u, omega: u * omega.dx})
    with pytest.raises(InputError, match=r"output 'flux' must be a UFL expression .*without a measure"):
        check_measured(case)


def test_data_alone_ask_nothing_of_a_solution():
    """A load in a volume functional has no unknown in it; a model need not answer for no derivatives."""

    def refuses(points, derivatives):
        assert derivatives
        return LINEAR(points, derivatives)

    value = integrate(
        lambda u, omega: u * omega.dx - omega.x[0] * omega.ds("top"),
        problem(rectangle()),
        refuses,
        rectangle().mesh(),
    )
    assert abs(value - 2.0) < 1e-12
