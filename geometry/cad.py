"""Domains from STEP, IGES and BREP files, healed and scaled, with boundaries named by the user or by the file."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from geometry.checks import check_positive
from geometry.errors import GeometryError

Names = Mapping[str, Sequence[int]] | Callable[[np.ndarray], str] | None
_SUFFIXES = (".step", ".stp", ".iges", ".igs", ".brep")


def read_cad(path: Path, boundaries: Names, scale: float) -> tuple[int, Callable[[Any], None]]:
    """Dimension and build function of the file's geometry; the file is read each time the geometry is built."""
    from geometry.gmsh_session import gmsh_session

    check_positive(str(path), "scale", scale)
    if path.suffix.lower() not in _SUFFIXES:
        raise GeometryError(f"{path}: the format is not known; use one of {', '.join(_SUFFIXES)}.")
    if not path.is_file():
        raise GeometryError(f"{path}: there is no such file.")
    with gmsh_session() as gmsh:
        dim = _import(path, scale, gmsh.model)
    return dim, partial(_build, path, boundaries, scale)


def _import(path: Path, scale: float, model: Any) -> int:
    try:
        model.occ.importShapes(str(path))
    except Exception as error:  # gmsh raises plain Exception
        raise GeometryError(f"{path}: OpenCASCADE cannot read the file ({error}).") from error
    model.occ.synchronize()
    if (
        not model.getEntities(3) and len(model.getEntities(2)) > 1
    ):  # faces that may only need to be sewn together
        box = np.array(model.getBoundingBox(-1, -1)).reshape(2, 3)
        tolerance = 1e-4 * np.linalg.norm(box[1] - box[0])  # IGES files hold edges to about 5 digits
        model.occ.healShapes(tolerance=tolerance, sewFaces=True, makeSolids=True)
        model.occ.synchronize()
    dim = max((dim for dim, _ in model.getEntities()), default=0)
    if dim == 2:
        box = np.array(model.getBoundingBox(-1, -1)).reshape(2, 3)
        if np.ptp(box[:, 2]) > 1e-6 * np.ptp(box, axis=0).max():
            raise GeometryError(
                f"{path}: its surfaces do not close to a solid, even sewn together; repair it in the CAD program."
            )
    if dim < 2:
        raise GeometryError(f"{path}: it holds neither a solid nor a plane surface.")
    if scale != 1:
        model.occ.dilate(model.getEntities(dim), 0, 0, 0, scale, scale, scale)
        model.occ.synchronize()
    return dim


def _build(path: Path, boundaries: Names, scale: float, model: Any) -> None:
    dim = _import(path, scale, model)
    groups: dict[str, list[int]] = {}
    if isinstance(boundaries, Mapping):
        groups = {name: list(tags) for name, tags in boundaries.items()}
    else:
        for _, tag in model.getEntities(dim - 1):
            if boundaries is None:
                name = model.getEntityName(dim - 1, tag).rsplit("/", 1)[-1]
            else:
                name = boundaries(np.array(model.occ.getCenterOfMass(dim - 1, tag))[:dim])
            if not name:
                raise GeometryError(
                    f"{path}: its boundary entity {tag} has no name; pass boundaries= a dict of names to entity "
                    "numbers, or a function of an entity's centre."
                )
            groups.setdefault(name, []).append(tag)
    for name, tags in groups.items():
        model.addPhysicalGroup(dim - 1, tags, name=name)
