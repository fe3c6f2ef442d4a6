"""Neural solvers: what training costs beside FEM and RFM, DeepXDE beside PINN, and the published tables.

CPU-seconds, one thread, three seeds where nothing else is said; the tables that take longest come last.
"""

from __future__ import annotations


def main() -> None:
    """Print the tables."""
    from mlpde.bench import (
        _neural_deep_ritz,
        _neural_derivatives,
        _neural_equal_error,
        _neural_high,
        _neural_time,
        _neural_wan,
    )

    for part in (
        _neural_equal_error,
        _neural_derivatives,
        _neural_wan,
        _neural_high,
        _neural_deep_ritz,
        _neural_time,
    ):
        part.main()
