"""The picture of error against work: what stands in it, and when there is none."""

import numpy as np
import pytest

from mlpde.work_precision import work_figure


def run(solver, label, seconds, error, unknowns=100):
    errors = {"u": {"l2": error}, "p": {"l2": error and error / 10}}
    row = {"solver": solver, "label": label, "cpu_seconds": seconds, "errors": errors}
    return row | {"unknowns": unknowns, "info": {}}


def level(seconds, error):
    return {"cpu_seconds": seconds, "estimated_error": {"u": {"l2": error}}}


def test_configurations_of_a_solver_are_joined_from_few_to_many_unknowns():
    rows = [
        run("rfm", "rfm", 1.1, 1e-8, unknowns=400),
        run("rfm", "rfm-2", 1.0, 1e-3),
        run("rfm", "rfm-2", 1.2, 3e-3),
        run("rfm", "rfm-2", 1.4, 2e-3),
        run("pinn", "pinn", 9.0, 1e-2),
    ]
    reference = {"info": {"levels": [level(0.1, 1e-2), level(0.3, 1e-4)]}}
    (axes,) = work_figure({"solutions": rows, "reference": reference}).axes
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert lines["rfm"] == [[1.2, 2e-3], [1.1, 1e-8]]
    assert lines["pinn"] == [[9.0, 1e-2]]
    assert lines["fem's levels, as it estimates"] == [[0.1, 1e-2], [0.3, 1e-4]]
    assert axes.get_xscale() == axes.get_yscale() == "log"


@pytest.mark.parametrize(
    "rows",
    [[run("rfm", "rfm", 1.0, 1e-3)], [run("rfm", "rfm", 1.0, 1e-3), run("pinn", "pinn", 2.0, None)]],
    ids=["one run", "the other failed"],
)
def test_one_point_makes_no_picture(rows):
    assert work_figure({"solutions": rows, "reference": None}) is None


def test_runs_that_differ_by_little_are_shown_on_whole_decades():
    rows = [run("rfm", "rfm", 16.4, 9.09e-7), run("pinn", "pinn", 75.0, 9.08e-7)]
    (axes,) = work_figure({"solutions": rows, "reference": None}).axes
    for limits in (axes.get_xlim(), axes.get_ylim()):
        assert np.allclose(np.log10(limits), np.round(np.log10(limits)))
    axes.figure.canvas.draw()
    assert {label.get_text() for label in axes.get_xticklabels(minor=True)} <= {""}
