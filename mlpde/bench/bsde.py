"""High dimension: u(0, x0) of the published problems by regression and networks, its intervals, and a mesh in d = 2.

CPU-seconds, one thread; the set-up of UFL apart.  Beside every error stands the nonlinearity gap |E g - u| / |u|: who
leaves the driver out is no further off than that.
"""

from __future__ import annotations


def main() -> None:
    """Print the tables."""
    from mlpde.bench import bsde_coverage, bsde_deep, bsde_mesh, bsde_pictures, bsde_published

    for part in (bsde_published, bsde_pictures, bsde_mesh, bsde_coverage, bsde_deep):
        part.main()
