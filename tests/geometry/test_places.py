"""Coordinates in messages are rounded relative to the domain."""

import numpy as np
import pytest

from geometry.places import rounded


@pytest.mark.parametrize(
    ("point", "corners", "shown"),
    [
        ((-2.709e-18, 1.0), [[0, 0], [1, 1]], "(0.0, 1.0)"),
        ((-0.0, 1 / 3), [[0, 0], [1, 1]], "(0.0, 0.3333)"),
        ((1e-6 / 3, -1e-20), [[0, 0], [1e-6, 1e-6]], "(3.333e-07, 0.0)"),
        ((1e6 + 1 / 3, 123456.7), [[1e6, 0], [1e6 + 1, 1e6]], "(1000000.3333, 123500.0)"),
        ((1e-17, 0.25), [[1e-17, 0], [-1e-17, 1]], "(0.0, 0.25)"),
        ((2.0,), [[2.0]], "(2.0,)"),
    ],
)
def test_noise_is_zero_and_four_digits_remain(point, corners, shown):
    assert str(rounded(np.array(point), np.array(corners, dtype=float))) == shown
