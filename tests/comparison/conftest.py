"""Makes `polynomial` importable by name: the tables of solvers and models name modules."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def polynomial_solvers(monkeypatch):
    """SOLVERS and MODELS with the solvers of polynomial.py, which need no linear algebra."""
    from mlpde.saved_solution import MODELS
    from mlpde.solvers import SOLVERS

    for name, target in {"good": "Good", "poor": "Poor", "counting": "Counting"}.items():
        monkeypatch.setitem(SOLVERS, name, f"polynomial:{target}")
    monkeypatch.setitem(MODELS, "polynomial", "polynomial:Polynomial")
