"""Domain: what the domain is, with named regions and boundaries, its mesh, and points in it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from geometry.corners import Corner, find_corners, find_tips
from geometry.errors import GeometryError
from geometry.mesh import Mesh
from geometry.names import unknown_name
from geometry.pieces import Piece, find_pieces
from geometry.places import rounded
from geometry.size_map import SizeMap


@dataclass(frozen=True)
class _Cad:
    """What is read from the CAD model once, and needed without gmsh afterwards."""

    groups: Any  # geometry.groups.Groups
    bounding_box: np.ndarray  # (2, dim)
    curves: dict[int, Any]  # dim 2: boundary entity -> geometry.curves.Curve
    areas: dict[int, float]  # dim 3: boundary entity -> exact area, where OpenCASCADE knows it
    curved: frozenset[int]  # dim 3: boundary entities that are not planes
    # between two regions: curves (dim 2), or the surfaces' entities (dim 3)
    inner: dict[tuple[str, str], list[Any]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class Domain:
    """A domain in R^dim, dim = 1, 2 or 3, made by `build(model)` with gmsh's own API.

    `build` receives `gmsh.model`, makes the geometry (`model.occ...`, then `model.occ.synchronize()`) and names
    physical groups with `model.addPhysicalGroup(dim, tags, name=...)`: dimension dim = regions, which may be left out
    (then there is one, "domain"), dimension dim - 1 = boundaries, which must cover the outer boundary without overlap.
    A named curve inside a surface (join them by `model.occ.fragment`) is a slit: both of its sides are that boundary.

    size: element size where nothing asks for smaller ones; 1/20 of the bounding box's diagonal if left out. At this
    size a full circle gets 16 edges, however small it is.

    Two domains are equal only if they are the same object. Raises GeometryError for all that is wrong with a geometry;
    the geometry itself is built, and checked, when it is first needed.
    """

    dim: int
    build: Callable[[ModuleType], None]
    size: float | None = None

    def __post_init__(self) -> None:
        if self.dim not in (1, 2, 3):
            raise GeometryError(
                f"a Domain has dimension 1, 2 or 3, not {self.dim!r}; for more use Box or Ball."
            )
        if not callable(self.build):
            raise GeometryError(f"build must be a function of gmsh.model, not {self.build!r}.")
        if self.size is not None:
            _check_size(self.size)

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        boundaries: Mapping[str, Sequence[Any]] | Callable[[np.ndarray], str] | None = None,
        scale: float = 1.0,
        size: float | None = None,
    ) -> "Domain":
        """The geometry of a CAD file (STEP, IGES, BREP), of a gmsh script (.geo), or a finished mesh.

        CAD: faces that do not form a solid are sewn together; faces have the names of a STEP file. A script names
        physical groups. A mesh may have any format that gmsh (.msh) or meshio (VTU, XDMF, Abaqus, ...) reads, with
        named groups, sets or numbers of regions and boundaries: see `MeshDomain`.

        boundaries: names with the numbers of their faces (plane domains: curves; meshes: names or numbers in the file),
        or a function that names a face by its centre (dim,), in meshes each facet that has no name yet; without it the
        names in the file count. scale: what coordinates are multiplied with; gmsh reads millimetres from CAD files
        that tell their unit.
        """
        from geometry.cad import SUFFIXES, read_cad
        from geometry.geo_script import read_script
        from geometry.mesh_import import read_mesh

        path = Path(path)
        suffix = path.suffix.lower()
        if suffix not in (*SUFFIXES, ".geo"):
            return read_mesh(path, boundaries, scale, size)
        dim, build = (read_script if suffix == ".geo" else read_cad)(path, boundaries, scale)
        return cls(dim, build, size)

    def __repr__(self) -> str:
        function = getattr(self.build, "func", self.build)
        return (
            f"Domain({self.dim}, {getattr(function, '__name__', type(function).__name__)}, size={self.size})"
        )

    def __getstate__(self) -> dict[str, Any]:
        return {"dim": self.dim, "build": self.build, "size": self.size}

    # -- what the domain is -------------------------------------------------------------------------------------

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the regions."""
        return tuple(self._cad.groups.regions)

    @property
    def boundaries(self) -> tuple[str, ...]:
        """Names of the boundaries."""
        return tuple(self._cad.groups.boundaries)

    @property
    def interfaces(self) -> tuple[str, ...]:
        """Names of the groups between two regions; they have no points or facets of their own yet."""
        return tuple(self._cad.groups.interfaces)

    @property
    def bounding_box(self) -> np.ndarray:
        """Lower and upper corner (2, dim) of the exact geometry."""
        return self._cad.bounding_box.copy()

    @property
    def default_size(self) -> float:
        """Element size when none is asked for."""
        lower, upper = self._cad.bounding_box
        return float(self.size) if self.size is not None else float(np.linalg.norm(upper - lower) / 20)

    @cached_property
    def _cad(self) -> _Cad:
        """The geometry, built once, checked and read."""
        from geometry.gmsh_session import gmsh_session

        with gmsh_session() as gmsh:
            self._run_build(gmsh)
            return self._read(gmsh.model)

    def _run_build(self, gmsh: ModuleType) -> None:
        from geometry.units import hint_after_build

        try:
            self.build(gmsh.model)
        except GeometryError:
            raise
        except Exception as error:
            raise GeometryError(
                f"the build function of {self!r} failed: {type(error).__name__}: {error}"
                f"{hint_after_build(gmsh, error)}"
            ) from error

    def _read(self, model: ModuleType) -> _Cad:
        from geometry.bounds import bounding_box
        from geometry.curves import read_curve
        from geometry.groups import read_groups
        from geometry.interfaces import entities_between
        from geometry.units import check_diagonal

        groups = read_groups(model, self.dim)
        box = bounding_box(model, self.dim)
        check_diagonal(float(np.linalg.norm(box[1] - box[0])))
        outer = [tag for tags in groups.boundaries.values() for tag in tags]
        areas = {}
        if self.dim == 3:
            known = set(model.occ.getEntities(2))
            areas = {tag: model.occ.getMass(2, tag) for tag in outer if (2, tag) in known}
        inner: dict[tuple[str, str], list[Any]] = dict(entities_between(model, self.dim, groups.regions))
        if self.dim == 2:
            inner = {pair: [read_curve(model, tag) for tag in tags] for pair, tags in inner.items()}
        return _Cad(
            groups=groups,
            bounding_box=box,
            curves={tag: read_curve(model, abs(tag)) for tag in outer} if self.dim == 2 else {},
            areas=areas,
            inner=inner,
            curved=frozenset(tag for tag in outer if self.dim == 3 and model.getType(2, tag) != "Plane"),
        )

    # -- the mesh -----------------------------------------------------------------------------------------------

    @cached_property
    def _meshes(self) -> dict[tuple[float, int, str], Mesh]:
        return {}

    def mesh(self, size: float | None = None, order: int = 2, sizes: SizeMap | None = None) -> Mesh:
        """Mesh of simplices with curved geometry of order 1, 2 or 3, kept in memory and on disk.

        A size other than the default scales all element sizes by the same factor, those of size fields included, so
        that sizes h, h/2, h/4 make a sequence for a convergence study. sizes: one size field more, such as adaptive
        refinement finds; it is scaled in the same way.
        """
        from geometry import cache
        from geometry.gmsh_session import gmsh_session
        from geometry.meshing import generate, set_sizes

        if order not in (1, 2, 3):
            raise GeometryError(f"the order of a mesh is 1, 2 or 3, not {order!r}.")
        size = self.default_size if size is None else _check_size(size)
        wanted = (size, order, sizes.digest if sizes else "")
        if wanted not in self._meshes:
            groups, default_size = self._cad.groups, self.default_size
            with gmsh_session() as gmsh:
                self._run_build(gmsh)
                set_sizes(gmsh, size, default_size)
                if sizes is not None:
                    sizes.add_to(gmsh)
                key = cache.mesh_key(gmsh, self.dim, groups, order, sizes)
                mesh = cache.load(key)
                if mesh is None:
                    self._check_crossings()
                    mesh = generate(gmsh, self.dim, groups, order, size)
                    cache.save(key, mesh)
            self._meshes[wanted] = mesh
        return self._meshes[wanted]

    def _check_crossings(self) -> None:
        from geometry.curves import find_crossing

        crossing = find_crossing(self._cad.curves) if self.dim == 2 else None
        if crossing:
            first, second, where = crossing
            who = f"curve {first} crosses itself" if first == second else f"curves {first} and {second} cross"
            raise GeometryError(
                f"the boundary is no boundary: {who} near {rounded(where, self._cad.bounding_box)}; move them apart."
            )

    def quadrature(self, degree: int, size: float | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, dim) and weights (n,) on the mesh of that size; see Mesh.quadrature."""
        return self.mesh(size).quadrature(degree)

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Whether each of the points (n, dim) lies in the domain (boundary included), as far as the mesh can tell."""
        return self.mesh().contains(points)

    # -- points -------------------------------------------------------------------------------------------------

    def interior(self, n: int, rule: str = "uniform", seed: int = 0) -> np.ndarray:
        """Points (n, dim) inside: "uniform" (independent, random), "sobol" (low discrepancy), "grid" (a regular lattice
        masked by the inside test, about n points)."""
        from geometry import sampling

        n = sampling.check_count(n)
        mesh = self.mesh()
        if rule == "uniform":
            return sampling.uniform(mesh, n, np.random.default_rng(seed))
        if rule == "sobol":
            return sampling.sobol_inside(mesh, self.bounding_box, n, seed)
        if rule == "grid":
            return sampling.lattice_inside(mesh, self.bounding_box, n)
        raise GeometryError(f"unknown rule {rule!r} for interior points; use 'uniform', 'sobol' or 'grid'.")

    def boundary(
        self, name: str, n: int, seed: int | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Points (n, dim), weights (n,) and outward unit normals (n, dim) on a named boundary of the exact geometry.

        dim 2: midpoints of equal arcs of each curve, so never a corner; dim 3: spread evenly by area; with a seed:
        independent uniform points. The weights sum to the boundary's length or area. dim 1: the end points themselves,
        however many are asked for, with weight 1.
        """
        from geometry import sampling

        n = sampling.check_count(n)
        if name not in self.boundaries:
            if name in self.interfaces:
                raise GeometryError(
                    f"{name!r} is an interface between regions, not a boundary; it has no boundary points."
                )
            raise unknown_name("boundary", name, self.boundaries)
        return self.mesh().boundary_quadrature(name, 0) if self.dim == 1 else self._on(name, n, seed)

    def _on(self, name: str, n: int, seed: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if self.dim == 2:
            return self._on_curves(self._cad.groups.boundaries[name], n, seed)
        return self._on_surfaces(name, n, seed)

    def _on_curves(
        self, tags: tuple[int, ...], n: int, seed: int | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        from geometry.sampling import shares

        lengths = np.array([self._cad.curves[tag].length for tag in tags])
        rng = np.random.default_rng(seed)
        counts = shares(n, lengths) if seed is None else rng.multinomial(n, lengths / lengths.sum())
        points, weights, normals = [], [], []
        for tag, length, count in zip(tags, lengths, counts, strict=True):
            place = (np.arange(count) + 0.5) / max(count, 1) if seed is None else rng.random(count)
            x, tangent = self._cad.curves[tag].at(place * length)
            points.append(x)
            weights.append(np.full(count, length / max(count, 1) if seed is None else lengths.sum() / n))
            normals.append(self._sides[tag] * np.stack([tangent[:, 1], -tangent[:, 0]], axis=1))
        total = np.concatenate(weights)
        return np.concatenate(points), total * (lengths.sum() / total.sum()), np.concatenate(normals)

    @cached_property
    def _sides(self) -> dict[int, float]:
        """dim 2: 1 where the outward normal is the tangent turned to the right, -1 where to the left."""
        mesh = self.mesh()
        sides = {}
        for tag, curve in self._cad.curves.items():
            facet = np.flatnonzero(mesh.facet_entities == tag)[:1]
            x, outward = mesh.on_facets(facet, np.full((1, 1), 0.5))
            samples, tangents = curve.at((np.arange(512) + 0.5) / 512 * curve.length)
            tangent = tangents[np.linalg.norm(samples - x, axis=1).argmin()]
            sides[tag] = float(np.sign(tangent[1] * outward[0, 0] - tangent[0] * outward[0, 1]))
        return sides

    def between(
        self, first: str, second: str, n: int, seed: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """About n points (n, dim) where two regions meet, and unit normals (n, dim) from `first` to `second`.

        dim 2: midpoints of equal arcs; dim 3: spread evenly by area; with a seed: independent uniform points; dim 1:
        the points where they meet, however many are asked for.  None if the regions do not meet.
        """
        inner = self._cad.inner.get((first, second), []) + self._cad.inner.get((second, first), [])
        if not inner:
            return np.empty((0, self.dim)), np.empty((0, self.dim))
        return (
            self._between_curves(inner, first, n, seed)
            if self.dim == 2
            else self._between_facets(inner, first, second, n, seed)
        )

    def _between_facets(
        self, faces: list[int], first: str, second: str, n: int, seed: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        from geometry.gmsh_session import gmsh_session
        from geometry.interfaces import onto_surfaces, points_between

        x, normals = points_between(self.mesh(), first, second, n, seed)
        if self.dim == 3:
            with gmsh_session() as gmsh:
                self._run_build(gmsh)
                if any(gmsh.model.getType(2, face) != "Plane" for face in faces):
                    x, normals = onto_surfaces(gmsh.model, faces, x, normals)
        return x, normals

    def _between_curves(
        self, curves: list[Any], first: str, n: int, seed: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        lengths, rng, mesh = np.array([c.length for c in curves]), np.random.default_rng(seed), self.mesh()
        points, normals = [], []
        for curve in curves:
            count = int(np.ceil(n * curve.length / lengths.sum()))
            place = (np.arange(count) + 0.5) / count if seed is None else rng.random(count)
            x, tangent = curve.at(place * curve.length)
            normal = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
            behind = mesh.locate(x - 1e-3 * self.default_size * normal)[0]
            is_first = mesh.cell_regions[behind] == mesh.regions.index(first)
            points.append(x)
            normals.append(np.where(is_first[:, None], normal, -normal))
        return np.concatenate(points), np.concatenate(normals)

    @cached_property
    def corners(self) -> tuple[Corner, ...]:
        """dim 2: the vertices of the boundary with their interior angles and the boundaries that meet; else none.

        Where a slit ends inside, the angle is 2 pi.  A finished mesh has no curves, and no corners either.
        """
        if self.dim != 2:
            return ()
        outer = {tag: name for name, tags in self._cad.groups.boundaries.items() for tag in tags}
        slits = {abs(tag) for tag in outer if tag < 0}
        curves = {tag: curve for tag, curve in self._cad.curves.items() if abs(tag) not in slits}
        once = {tag: curve for tag, curve in self._cad.curves.items() if tag > 0}
        tips = find_tips(once, {tag: name for tag, name in outer.items() if tag in slits})
        return find_corners(curves, self._sides, outer) + tips

    @cached_property
    def pieces(self) -> dict[str, tuple[Piece, ...]]:
        """dim 2: the straight and circular pieces of every boundary that consists of such; else empty.

        A finished mesh has no curves, and no pieces either.
        """
        return find_pieces(self._cad.curves, self._cad.groups.boundaries) if self.dim == 2 else {}

    def _on_surfaces(self, name: str, n: int, seed: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        from geometry.gmsh_session import gmsh_session
        from geometry.interfaces import onto_surfaces
        from geometry.sampling import facet_samples

        mesh = self.mesh()
        tags = self._cad.groups.boundaries[name]
        facets = np.flatnonzero(mesh.facet_boundaries == mesh.boundaries.index(name))
        chosen, eta = facet_samples(mesh, facets, n, seed)
        x, normals = mesh.on_facets(chosen, eta)
        normals /= np.linalg.norm(normals, axis=1)[:, None]
        bent = [tag for tag in tags if tag in self._cad.curved]
        if bent:  # the mesh is only near a curved surface: move the points onto it
            with gmsh_session() as gmsh:
                self._run_build(gmsh)
                for tag in bent:
                    here = np.flatnonzero(mesh.facet_entities[chosen] == tag)
                    if not len(here):
                        continue
                    x[here], normals[here] = onto_surfaces(gmsh.model, [tag], x[here], normals[here])
        known = all(tag in self._cad.areas for tag in tags)  # gmsh's own kernel does not tell areas
        area = (
            sum(self._cad.areas[tag] for tag in tags) if known else mesh.boundary_quadrature(name, 2)[1].sum()
        )
        return x, np.full(n, area / n), normals


def _check_size(size: float) -> float:
    if isinstance(size, bool) or not isinstance(size, int | float | np.number) or not (0 < size < math.inf):
        raise GeometryError(f"the size of elements must be a positive number, not {size!r}.")
    return float(size)
