"""Domains from STEP, IGES and BREP files, healed and scaled, with boundaries named by the user or by the file."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from geometry.checks import check_file, check_positive
from geometry.errors import GeometryError
from geometry.groups import describe
from geometry.names import name_at
from geometry.silence import silence
from geometry.step_names import face_names

Names = Mapping[str, Sequence[int]] | Callable[[np.ndarray], str] | None
SUFFIXES = (".step", ".stp", ".iges", ".igs", ".brep")
_LISTED = 20  # entities that a message names


def read_cad(path: Path, boundaries: Names, scale: float) -> tuple[int, Callable[[Any], None]]:
    """Dimension and build function of the file's geometry; the file is read each time the geometry is built."""
    from geometry.gmsh_session import gmsh_session

    check_positive(str(path), "scale", scale)
    check_file(path)
    with gmsh_session() as gmsh:
        dim = _import(path, scale, gmsh.model)
    return dim, partial(_build, path, boundaries, scale)


def _import(path: Path, scale: float, model: Any) -> int:
    import gmsh

    # `model.occ.dilate` would turn every surface into a spline, whose area OpenCASCADE knows to 3 digits only
    gmsh.option.setNumber("Geometry.OCCScaling", scale)
    try:
        with silence():  # OpenCASCADE tells the terminal what it thinks of a file
            shapes = model.occ.importShapes(str(path))
    except Exception as error:  # gmsh raises plain Exception
        raise GeometryError(f"{path}: OpenCASCADE cannot read the file ({error}).") from error
    finally:
        gmsh.option.setNumber("Geometry.OCCScaling", 1)
    if not shapes:
        raise GeometryError(f"{path}: OpenCASCADE cannot read the file, or finds no shape in it.")
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
    return dim


def _build(path: Path, boundaries: Names, scale: float, model: Any) -> None:
    name_boundaries(path, _import(path, scale, model), boundaries, model)


def name_boundaries(path: Path, dim: int, boundaries: Names, model: Any) -> None:
    """Physical groups of the entities of dimension dim - 1: by number, by a function of their centres, or by name."""
    entities = [tag for _, tag in model.getEntities(dim - 1)]
    groups: dict[str, list[int]] = {}
    if isinstance(boundaries, Mapping):
        groups = {name: list(tags) for name, tags in boundaries.items()}
    else:
        if boundaries is not None:
            box = np.array(model.getBoundingBox(-1, -1)).reshape(2, 3)
            names = [name_at(boundaries, _centre(model, dim, tag), box) for tag in entities]
        elif dim == 3 and path.suffix.lower() in (".step", ".stp"):
            names = face_names(path, [model.getType(2, tag) for tag in entities])
        else:
            names = [model.getEntityName(dim - 1, tag).rsplit("/", 1)[-1] for tag in entities]
        nameless = [tag for tag, name in zip(entities, names, strict=True) if not name]
        if nameless:
            raise GeometryError(
                f"{path}: {len(nameless)} of {len(entities)} entities of its boundary have no name: "
                f"{', '.join(describe(model, dim - 1, tag) for tag in nameless[:_LISTED])}"
                f"{', ...' if len(nameless) > _LISTED else ''}; pass boundaries= a dict of names to entity numbers, or "
                "a function of an entity's centre."
            )
        for tag, name in zip(entities, names, strict=True):
            groups.setdefault(name, []).append(tag)
    for name, tags in groups.items():
        model.addPhysicalGroup(dim - 1, tags, name=name)


def _centre(model: Any, dim: int, tag: int) -> np.ndarray:
    """The centre of mass (dim,) of a boundary entity; that of its box where gmsh's own kernel made it."""
    if (dim - 1, tag) in model.occ.getEntities(dim - 1):
        return np.array(model.occ.getCenterOfMass(dim - 1, tag))[:dim]
    return np.array(model.getBoundingBox(dim - 1, tag)).reshape(2, 3).mean(0)[:dim]
