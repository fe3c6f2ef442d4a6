"""Features, jets and rows against automatic differentiation of the formula written out."""

import json
from typing import NamedTuple

import numpy as np
import pytest
import torch

from mlpde.optimize.least_squares import solve_blocks
from mlpde.representation.adapted_partition import adapted_partition
from mlpde.representation.collocation import assemble
from mlpde.representation.partition_of_unity import PartitionOfUnity
from mlpde.representation.random_features import ACTIVATIONS, RandomFeatures

ALPHAS = [(), (0,), (1,), (0, 0), (0, 1), (1, 1)]


class Term(NamedTuple):
    equation: int
    component: int
    derivative: tuple[int, ...]
    coefficient: torch.Tensor


def draw(activation="tanh", cells=(3, 2), global_features=5, **options):
    grid = PartitionOfUnity.grid((-1, 0), (2, 1), cells)
    return RandomFeatures.draw(grid, 7, 1.5, activation, global_features, **options)


def cloud(n=300, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).uniform((-1, 0), (2, 1), (n, 2)))


def hat(t, first, last):
    """psi_b in one direction, differentiable."""
    ramp = (1 - torch.sin(2 * torch.pi * t.abs())) / 2
    value = torch.where(
        t.abs() < 0.75, torch.ones_like(t), torch.where(t.abs() < 1.25, ramp, torch.zeros_like(t))
    )
    flat = ((t < 0) & first) | ((t > 0) & last)
    return torch.where(flat, torch.ones_like(t), value)


def written_out(features, x, coefficients):
    """u (n, components) by the formula, subdomain after subdomain."""
    grid = features.partition
    function = {"cube": lambda z: z**3}.get(features.activation) or getattr(torch, features.activation)
    lower, upper = torch.tensor(grid.lower), torch.tensor(grid.upper)
    radius = (upper - lower) / torch.tensor(grid.cells) / 2
    parts = []
    for s, index in enumerate(np.ndindex(*grid.cells)):
        t = (x - lower) / radius - (2 * torch.tensor(index) + 1)
        hats = [hat(t[:, k], i == 0, i == grid.cells[k] - 1) for k, i in enumerate(index)]
        psi = torch.stack(hats).prod(dim=0)
        parts.append(psi[:, None] * function(t @ features.weights[s].T + features.biases[s]))
    t = (x - (lower + upper) / 2) / ((upper - lower) / 2)
    parts.append(function(t @ features.global_weights.T + features.global_biases))
    return torch.cat(parts, dim=1) @ coefficients.T


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_jets_are_the_derivatives_of_the_formula(activation):
    features, x = draw(activation), cloud().requires_grad_()
    coefficients = torch.from_numpy(np.random.default_rng(1).standard_normal((2, features.count)))
    jets = features.evaluate(x.detach(), coefficients, ALPHAS)
    u = written_out(features, x, coefficients)
    for m in range(2):
        assert torch.allclose(jets[()][:, m], u[:, m], rtol=1e-12, atol=1e-12)
        gradient = torch.autograd.grad(u[:, m].sum(), x, create_graph=True)[0]
        for i in range(2):
            assert torch.allclose(jets[(i,)][:, m], gradient[:, i], rtol=1e-10, atol=1e-10)
            second = torch.autograd.grad(gradient[:, i].sum(), x, retain_graph=True)[0]
            for j in range(i, 2):
                assert torch.allclose(jets[i, j][:, m], second[:, j], rtol=1e-9, atol=1e-9)


def test_only_what_is_asked_for_is_returned():
    features, x = draw(), cloud()
    coefficients = torch.ones((1, features.count), dtype=torch.float64)
    every = features.evaluate(x, coefficients, ALPHAS)
    for alpha in ALPHAS:
        jets = features.evaluate(x, coefficients, [alpha])
        assert set(jets) == {alpha}
        assert torch.allclose(jets[alpha], every[alpha], rtol=1e-13, atol=1e-13)


def test_derivatives_of_single_features_add_up_to_the_jet():
    features, x = draw("sin"), cloud()
    coefficients = torch.from_numpy(np.random.default_rng(1).standard_normal((1, features.count)))
    local, whole = features.split(coefficients)
    jets = features.evaluate(x, coefficients, ALPHAS)
    for cover in features.partition.covers(x):
        total = dict.fromkeys(ALPHAS, 0.0)
        for subdomain in (*cover.subdomains, None):
            part = whole[0] if subdomain is None else local[0, subdomain]
            for alpha, values in features.derivatives(x[cover.rows], cover, subdomain, ALPHAS).items():
                total[alpha] = total[alpha] + values @ part
        for alpha in ALPHAS:
            assert torch.allclose(total[alpha], jets[alpha][cover.rows, 0], rtol=1e-11, atol=1e-11)


def operator(x, components=2, equations=2, seed=3):
    """A variable-coefficient system: every derivative of every component in some equation, one of them twice."""
    random = np.random.default_rng(seed)
    entries = [(k, m, alpha) for k in range(equations) for m in range(components) for alpha in ALPHAS[k:]]
    return [
        Term(*entry, torch.from_numpy(random.standard_normal(len(x)))) for entry in [*entries, entries[0]]
    ]


def apply(terms, jets, equations=2):
    out = torch.zeros((len(jets[()]), equations), dtype=torch.float64)
    for term in terms:
        out[:, term.equation] += term.coefficient * jets[term.derivative][:, term.component]
    return out


def test_rows_are_the_scaled_operator():
    """A x is the operator on the jets, in the scaling of the residual; the largest entry of a row is weight * scale."""
    features, x = draw(), cloud()
    terms = operator(x)
    residual = torch.from_numpy(np.random.default_rng(4).standard_normal((len(x), 2)))
    weight = torch.rand((len(x), 2), dtype=torch.float64) + 0.5
    groups = assemble(features, x, terms, residual, 2, weight=weight, scale=10.0)
    unknowns = torch.from_numpy(np.random.default_rng(5).standard_normal(2 * features.count))
    jets = features.evaluate(x, features.coefficients(unknowns), ALPHAS)
    expected = apply(terms, jets)
    covers = features.partition.covers(x)
    assert [g.blocks for g in groups] == [c.subdomains for c in covers]
    width, local = 14, 14 * features.partition.subdomains
    for group, cover in zip(groups, covers, strict=True):
        factor = weight[cover.rows].T.reshape(-1) * 10.0
        assert torch.allclose(group.matrix.abs().amax(dim=1), factor)
        columns = [torch.arange(b * width, (b + 1) * width) for b in group.blocks]
        values = group.matrix @ torch.cat([*(unknowns[c] for c in columns), unknowns[local:]])
        scaling = group.rhs / -residual[cover.rows].T.reshape(-1)
        assert torch.allclose(values, expected[cover.rows].T.reshape(-1) * scaling, rtol=1e-9, atol=1e-9)


def test_rows_can_couple_two_points():
    """u(left) - u(right) = 0, as periodic conditions need it."""
    features = draw(global_features=0)
    y = (torch.arange(40, dtype=torch.float64) + 0.5)[:, None] / 40
    left, right = torch.cat([-torch.ones_like(y), y], dim=1), torch.cat([2 * torch.ones_like(y), y], dim=1)
    one = torch.ones(40, dtype=torch.float64)
    zero = torch.zeros((40, 1), dtype=torch.float64)
    paired = (right, [Term(0, 0, (), -one)])
    groups = assemble(features, left, [Term(0, 0, (), one)], zero, 1, paired=paired)
    unknowns = torch.from_numpy(np.random.default_rng(5).standard_normal(features.count))
    u = [features.evaluate(p, features.coefficients(unknowns), [()])[()][:, 0] for p in (left, right)]
    found = []
    for group in groups:
        columns = torch.cat([torch.arange(b * 7, (b + 1) * 7) for b in group.blocks])
        found.append(group.matrix @ unknowns[columns])
        assert {0, 1, 4, 5} >= set(group.blocks)
        assert len(group.blocks) in (2, 4)
    signs = torch.cat(found).sign()
    order = torch.cat([c.rows for c in features.partition.covers(left)])
    assert torch.equal(signs, (u[0] - u[1])[order].sign())


def test_space_time_and_one_direction():
    """D = 1 and D = 3 (the last one time): the value and a mixed derivative against differences."""
    for lower, upper, cells in (((0,), (2,), (3,)), ((0, 0, 0), (1, 1, 2), (2, 1, 3))):
        grid = PartitionOfUnity.grid(lower, upper, cells)
        features = RandomFeatures.draw(grid, 6, activation="sin")
        x = 0.1 + 0.8 * torch.rand((50, grid.dim), dtype=torch.float64) * torch.tensor(upper)
        coefficients = torch.ones((1, features.count), dtype=torch.float64)
        last = grid.dim - 1
        step = torch.zeros(grid.dim, dtype=torch.float64)
        step[last] = 1e-6
        jet = features.evaluate(x, coefficients, [(last,), (0, last)])
        plus, minus = (features.evaluate(x + s * step, coefficients, [(), (0,)]) for s in (1, -1))
        assert torch.allclose(jet[last,], (plus[()] - minus[()]) / 2e-6, atol=1e-6)
        assert torch.allclose(jet[0, last], (plus[0,] - minus[0,]) / 2e-6, rtol=1e-5, atol=1e-4)


def test_saved_features_are_the_same(tmp_path):
    grid = PartitionOfUnity.grid((-1, 0), (2, 1), (4, 4))
    partition, done = adapted_partition(grid, cloud()[cloud()[:, 0] + cloud()[:, 1] < 1.2], 12)
    assert done
    features = RandomFeatures.draw(partition, 7, 2.0, "cos", 4, seed=3)
    np.savez(tmp_path / "arrays.npz", **features.arrays())
    (tmp_path / "settings.json").write_text(json.dumps(features.settings()))
    with np.load(tmp_path / "arrays.npz", allow_pickle=False) as arrays:
        again = RandomFeatures.restore(dict(arrays), json.loads((tmp_path / "settings.json").read_text()))
    coefficients = torch.ones((2, features.count), dtype=torch.float64)
    jets, others = (f.evaluate(cloud(), coefficients, ALPHAS) for f in (features, again))
    assert all(torch.equal(jets[alpha], others[alpha]) for alpha in ALPHAS)


def test_the_seed_decides():
    assert torch.equal(draw(seed=1).weights, draw(seed=1).weights)
    assert not torch.equal(draw(seed=1).weights, draw(seed=2).weights)
    assert draw().weights.abs().max() <= 1.5


def poisson_on(points, edge, partition, features=60):
    """Largest error of Laplace u = 0 for u = exp(x) sin(y), with what the subdomains hold."""

    def exact(p):
        return (torch.exp(p[:, 0]) * torch.sin(p[:, 1]))[:, None]

    drawn = RandomFeatures.draw(partition, features)
    one = torch.ones(len(points), dtype=torch.float64)
    laplace = [Term(0, 0, (0, 0), one), Term(0, 0, (1, 1), one)]
    groups = assemble(drawn, points, laplace, torch.zeros((len(points), 1), dtype=torch.float64), 1)
    groups += assemble(
        drawn, edge, [Term(0, 0, (), torch.ones(len(edge), dtype=torch.float64))], -exact(edge), 1
    )
    x, _ = solve_blocks(groups, [features] * partition.subdomains, centres=partition.centres)
    angle, radius = 2 * torch.pi * cloud(2000)[:, 1], torch.sqrt((cloud(2000)[:, 0] + 1) / 3)
    test = radius[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
    return float((drawn.evaluate(test, drawn.coefficients(x), [()])[()] - exact(test)).abs().max())


def test_cells_almost_outside_a_disc_ruin_the_solution_unless_they_are_merged():
    t = -1 + 2 * (torch.arange(60, dtype=torch.float64) + 0.5) / 60
    points = torch.cartesian_prod(t, t)
    points = points[points.norm(dim=1) < 1]
    angle = 2 * torch.pi * (torch.arange(240, dtype=torch.float64) + 0.5) / 240
    edge = torch.stack([angle.cos(), angle.sin()], dim=1)
    grid = PartitionOfUnity.grid((-1, -1), (1, 1), (6, 6))
    partition, done = adapted_partition(grid, torch.cat([points, edge]), 50)
    assert {a.cell for a in done} == {(0, 0), (0, 5), (5, 0), (5, 5)}
    error = poisson_on(points, edge, partition)
    assert error < 1e-3
    assert error < 1e-3 * poisson_on(points, edge, grid)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: draw("relu"), "unknown activation 'relu'"),
        (lambda: RandomFeatures.draw(draw().partition, 0), "at least one feature"),
        (lambda: RandomFeatures.draw(draw().partition, 5, -1.0), "positive number"),
        (lambda: draw().evaluate(cloud(), torch.ones((1, 3)), [()]), r"coefficients \(components, 47\)"),
        (lambda: draw().evaluate(cloud(), torch.ones((1, 47)), [(0, 0, 0)]), r"\(i, j\) with i <= j"),
        (lambda: draw().evaluate(cloud(), torch.ones((1, 47)), [(1, 0)]), r"\(i, j\) with i <= j"),
        (
            lambda: assemble(draw(), cloud(), operator(cloud()), torch.ones((300, 1)), 2),
            "equation 1 and component 0",
        ),
        (
            lambda: assemble(draw(), cloud(), operator(cloud()), torch.ones((3, 2)), 2),
            r"residual \(300, equations\)",
        ),
        (
            lambda: assemble(draw(), cloud(), operator(cloud(9)), torch.ones((300, 2)), 2),
            r"coefficient \(300,\)",
        ),
    ],
)
def test_bad_input_is_named(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
