"""Lengths that OpenCASCADE and gmsh can deal with: their tolerances are absolute, whatever the unit."""

from types import ModuleType

import numpy as np

from geometry.errors import GeometryError

_SMALLEST = (
    1e-5  # diagonal: at 1/20 of it, elements are as small as OpenCASCADE's tolerance, 1e-7, a few times
)
_LARGEST = 1e6
_TOO_SMALL = (
    "OpenCASCADE takes points nearer than 1e-7 for one; choose a unit in which the domain measures about 1"
)


def check_diagonal(diagonal: float) -> None:
    """A GeometryError if a domain whose bounding box has this diagonal is too small to be meshed."""
    if diagonal < _SMALLEST:
        raise GeometryError(
            f"the domain is too small: its bounding box has the diagonal {diagonal:.4g}, but {_TOO_SMALL}."
        )


def hint_after_build(gmsh: ModuleType, error: Exception) -> str:
    """The end of a message about a build function that failed: says so if it may be for lengths too small."""
    if type(error) is not Exception or not gmsh.isInitialized():  # gmsh raises plain Exception
        return ""
    gmsh.model.occ.synchronize()
    corners = [gmsh.model.getValue(0, tag, []) for _, tag in gmsh.model.getEntities(0)]
    if corners and np.linalg.norm(np.ptp(corners, axis=0)) >= _SMALLEST:
        return ""
    return f"; if it is for small lengths: {_TOO_SMALL}."


def hint_after_meshing(model: ModuleType) -> str:
    """The end of a message about a mesh that failed: says so if it may be for lengths too large."""
    box = np.array(model.getBoundingBox(-1, -1)).reshape(2, 3)
    diagonal = float(np.linalg.norm(box[1] - box[0]))
    if diagonal < _LARGEST:
        return ""
    return (
        f" The domain has the diagonal {diagonal:.4g}, and gmsh's tolerances are absolute: choose a unit in which it "
        "measures about 1."
    )
