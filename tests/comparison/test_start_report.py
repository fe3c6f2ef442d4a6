"""A semilinear problem on the whole space: y0 with its interval in metrics, tables, sentences and requirements."""

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import ufl

from mlpde import Case, InputError, SemilinearParabolic, Solution, compare, solve
from mlpde.report import verdict
from mlpde.start_report import start_table

DIM = 20


def problem(**more) -> SemilinearParabolic:
    return SemilinearParabolic(DIM, 1.0, 1.0, lambda t, x, y, z: 0 * y, lambda x: ufl.dot(x, x), **more)


KNOWN = problem(exact=lambda x, t: ufl.dot(x, x) + DIM * (1 - t))  # sigma = 1


@dataclass(frozen=True)
class Constant:
    """The value of a constant, as if it came from paths."""

    value: float
    kind: ClassVar[str] = "constant"

    def jets(self, points, derivatives):
        return {a: np.full((len(points), 1), 0.0 if a else self.value) for a in derivatives}

    def state(self):
        return {"value": np.array([self.value])}, {}

    @classmethod
    def from_state(cls, arrays, settings):
        return cls(float(arrays["value"][0]))


@dataclass(frozen=True)
class Guess:
    """y0 = 40 (1 + 1e-3 2^seed) with an interval."""

    interval: bool = True
    name: ClassVar[str] = "guess"
    accepts: ClassVar[frozenset[str]] = frozenset({"semilinear", "high dimension"})

    def solve(self, problem: Any, *, seed: int, monitor: Any) -> Solution:
        value = 40 * (1 + 1e-3 * 2**seed)
        y0 = {"value": value, "ci95": 0.02, "bias": 0.01, "lower": 39.9, "upper": None}
        info: dict[str, Any] = {"unknowns": 7, "seed": seed, "nonlinearity_gap": 0.25}
        if self.interval:
            info["quantities"] = {"y0": y0}
        return Solution(self.name, repr(self), problem.fields, Constant(value), None, info, problem)


@pytest.fixture
def constants(monkeypatch):
    from mlpde import saved_solution

    monkeypatch.setitem(saved_solution.MODELS, "constant", f"{__name__}:Constant")


def test_against_the_exact_value(tmp_path, constants):
    case = Case("quadratic", KNOWN, published={"y0": (40.0, "a book")})
    comparison = compare(case, [Guess(), Guess(interval=False)], seeds=(0, 1, 2), out=tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["reference"]["quantities"] == {"y0": pytest.approx(40.0)}
    assert metrics["solutions"][0]["quantities"]["y0"]["ci95"] == 0.02
    assert metrics["solutions"][3]["quantities"]["y0"] == pytest.approx(40.04)
    errors = [row["errors"]["u"]["y0"] for row in metrics["solutions"][:3]]
    assert errors == pytest.approx([1e-3, 2e-3, 4e-3])
    assert comparison.typical("guess").info["seed"] == 1
    table = start_table(metrics)
    assert table["rows"][0][:2] == ["published (a book)", "40.0000000"]
    assert table["rows"][2][:5] == ["guess, seed 1", "40.0800000", "± 0.020", "0.010", "≥ 39.90000"]
    assert "0.20 % (worst 0.40 % of 3 seeds)" in table["rows"][2]
    assert all(len(row) == len(table["header"]) for row in table["rows"])
    assert (tmp_path / "out" / "slices" / "ray.vtu").exists()
    text = (tmp_path / "out" / "report.md").read_text()
    assert "Value at (0, x0)" in text
    assert "E g, which knows nothing of the driver, is 25 % off" in text
    loaded = Solution.load(tmp_path / "out" / "solutions" / "guess-seed1")
    assert loaded.quantities["y0"]["value"] == pytest.approx(40.08)
    assert loaded(np.ones((2, DIM)), t=0.5) == pytest.approx(40.08)


def test_without_a_reference_the_published_value_is_compared():
    comparison = compare(Case("quadratic", problem(), published={"y0": (40.0, "a book")}), [Guess()])
    assert comparison.reference is None
    assert "its difference to the published value is 0.10 %" in verdict(comparison.metrics)[0]
    assert "guess finds u(0, x0) = 40.0400000 with the 95 % interval ± 0.020" in str(
        verdict(comparison.metrics)
    )


def test_how_the_value_was_found_is_told():
    metrics = compare(Case("quadratic", KNOWN), [Guess()]).metrics
    metrics["solutions"][0]["info"] |= {"y0_by": "tempering", "residual_network": True}
    (sentence,) = (line for line in verdict(metrics) if "finds" in line)
    assert "= 40.0400000 by tempering with a network for what its features miss" in sentence


def test_one_solution_with_its_report(tmp_path, constants):
    solve(Case("quadratic", KNOWN), Guess(), out=tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["solutions"][0]["errors"] == {"u": {"y0": pytest.approx(1e-3)}}


def test_quantities_need_a_domain():
    with pytest.raises(InputError, match=r"the whole space: its value at .* is reported by itself, as y0"):
        Case("quadratic", problem(), quantities={"mean": lambda u, omega: u * omega.dx})


def test_pictures_of_the_values():
    from mlpde.start_figures import interval_figure, settling_figure

    case = Case("quadratic", KNOWN, published={"y0": (40.0, "a book")})
    metrics = compare(case, [Guess(), Guess(interval=False)], seeds=(0, 1)).metrics
    figure = interval_figure(metrics)
    assert figure is not None
    labels = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert labels == ["guess, seed 0", "guess, seed 1"]  # the others have no interval
    assert settling_figure(metrics) is None
    metrics["solutions"][0]["info"]["history"] = [
        {"step": k, "y0": 40 + 1 / k, "ci95": 0.1} for k in (1, 2, 3)
    ]
    settled = settling_figure(metrics)
    assert settled is not None
    assert settled.axes[0].get_xlabel() == "step"
