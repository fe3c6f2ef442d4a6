"""Meshes on disk, under a hash of all that determines them. The folder may be deleted at any time."""

import hashlib
import os
import tempfile
import warnings
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np

from geometry.mesh import Mesh
from geometry.size_map import SizeMap

_VERSION = 3  # raise when the meshing module or the arrays of Mesh change
_warned: set[str] = set()


def cache_folder() -> Path:
    """$XDG_CACHE_HOME/mlpde/meshes, or ~/.cache/mlpde/meshes."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlpde" / "meshes"


def mesh_key(gmsh: ModuleType, dim: int, groups: object, order: int, sizes: SizeMap | None = None) -> str:
    """Hash of the current model: shape, groups, size fields, options, order, gmsh's version, mesh of its curves.

    The mesh of the curves stands for what gmsh cannot write down (size callbacks, sizes at points).
    """
    digest = hashlib.sha256(repr((_VERSION, dim, groups, order, gmsh.__version__)).encode())
    if sizes is not None:  # gmsh writes down that there is a map, not what stands in it
        digest.update(sizes.digest.encode())
    with tempfile.TemporaryDirectory() as folder:
        # BREP holds OpenCASCADE shapes; .geo_unrolled holds the built-in kernel's shapes and the size fields;
        # .opt holds every option.
        for suffix in (
            ("brep", "geo_unrolled", "opt") if gmsh.model.occ.getEntities() else ("geo_unrolled", "opt")
        ):
            path = os.path.join(folder, f"model.{suffix}")
            gmsh.write(path)
            with open(path) as lines:  # lines that name the temporary folder are left out
                digest.update("".join(line for line in lines if folder not in line).encode())
    boundaries = [tag for _, tag in gmsh.model.getEntities(dim - 1)]
    copied_from = gmsh.model.mesh.getPeriodic(dim - 1, boundaries)
    if list(copied_from) != boundaries:
        digest.update(repr((boundaries, list(copied_from))).encode())
    gmsh.model.mesh.generate(1)
    digest.update(gmsh.model.mesh.getNodes()[1].tobytes())
    return digest.hexdigest()


def load(key: str) -> Mesh | None:
    """The mesh stored under the key, or None; a damaged file is reported and made again."""
    path = cache_folder() / f"{key}.npz"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Mesh.from_arrays(arrays)
    except (
        FileNotFoundError,
        NotADirectoryError,
        PermissionError,
    ):  # `save` says that the folder is of no use
        return None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        _warn_once(f"cannot read the cached mesh {path} ({error}); the mesh is made again.")
        return None


def save(key: str, mesh: Mesh) -> None:
    """Stores the mesh: written to a temporary name and renamed, so that two processes may store the same one."""
    folder = cache_folder()
    temporary = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file:
            temporary = file.name
            np.savez(file, allow_pickle=False, **mesh.arrays())
        os.replace(temporary, folder / f"{key}.npz")
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        _warn_once(f"meshes are not kept on disk: {folder} is not writable ({error}).")


def _warn_once(message: str) -> None:
    if message not in _warned:
        _warned.add(message)
        warnings.warn(message, RuntimeWarning, stacklevel=4)
