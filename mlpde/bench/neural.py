"""Neural solvers: what training costs beside FEM and RFM, DeepXDE beside PINN, and the published tables.

CPU-seconds, one thread, three seeds where nothing else is said; the tables that take longest come last.
"""

from __future__ import annotations


def main() -> None:
    """Print the tables."""
    from mlpde.bench import (
        neural_deep_ritz,
        neural_derivatives,
        neural_equal_error,
        neural_geometry,
        neural_high,
        neural_time,
        neural_wan,
    )

    for part in (
        neural_equal_error,
        neural_derivatives,
        neural_wan,
        neural_high,
        neural_deep_ritz,
        neural_geometry,
        neural_time,
    ):
        part.main()
