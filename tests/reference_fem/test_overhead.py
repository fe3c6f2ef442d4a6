"""FEM without its estimate against the same problem written by hand for DOLFINx, on the same mesh."""

import pytest

from geometry import annulus, rectangle
from mlpde.bench._by_hand import overhead


@pytest.mark.slow
@pytest.mark.parametrize(
    ("domain", "size"), [(rectangle(), 0.008), (annulus(), 0.012)], ids=["square", "annulus"]
)
def test_costs_at_most_15_percent_more_than_by_hand(domain, size):
    ours, theirs = overhead(domain, size)
    print(f"ours {ours:.3f} s, by hand {theirs:.3f} s, ratio {ours / theirs:.3f}")
    assert ours < 1.15 * theirs
