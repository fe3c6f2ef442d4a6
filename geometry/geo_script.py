"""Domains from gmsh scripts (.geo), whose physical groups are the regions and boundaries."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from geometry.cad import Names, name_boundaries
from geometry.checks import check_file
from geometry.errors import GeometryError


def read_script(path: Path, boundaries: Names, scale: float) -> tuple[int, Callable[[Any], None]]:
    """Dimension and build function of the script's geometry; the script runs each time the geometry is built.

    Its mesh sizes and options count, all but Mesh.MeshSizeFactor. boundaries: instead of the script's groups.
    """
    from geometry.gmsh_session import gmsh_session

    check_file(path)
    if scale != 1:
        raise GeometryError(f"{path}: a script scales its lengths and mesh sizes itself; leave scale at 1.")
    with gmsh_session() as gmsh:
        dim = _run(path, gmsh.model)
    return dim, partial(_build, path, boundaries)


def _run(path: Path, model: Any) -> int:
    import gmsh

    try:
        gmsh.merge(str(path))
    except Exception as error:  # gmsh raises plain Exception
        raise GeometryError(f"{path}: gmsh cannot run the script ({error}).") from error
    model.mesh.clear()
    dim = max((dim for dim, _ in model.getEntities()), default=0)
    if dim < 1:
        raise GeometryError(f"{path}: it makes no curve, surface or volume.")
    return dim


def _build(path: Path, boundaries: Names, model: Any) -> None:
    dim = _run(path, model)
    if boundaries is not None:
        model.removePhysicalGroups(model.getPhysicalGroups(dim - 1))
        name_boundaries(path, dim, boundaries, model)
