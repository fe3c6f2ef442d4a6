"""From a gmsh model with checked groups to a Mesh."""

import math
from types import ModuleType

import numpy as np

from geometry import inner_nodes, reference
from geometry.errors import GeometryError
from geometry.groups import Groups, describe
from geometry.layers import scale_layers
from geometry.mesh import Mesh
from geometry.slits import open_slits
from geometry.topology import DEGENERATE, check_quality, orient, parents
from geometry.units import hint_after_meshing

EDGES_PER_CIRCLE = 16  # at the default size; a smaller size refines curved boundaries in proportion
_TYPES = {
    (0, 1): 15,
    (1, 1): 1,
    (1, 2): 8,
    (1, 3): 26,
    (2, 1): 2,
    (2, 2): 9,
    (2, 3): 21,
    (3, 1): 4,
    (3, 2): 11,
    (3, 3): 29,
}
_STRAIGHT = ("Line", "Plane")
_NO_PARAMETER = 1e6  # gmsh's sign for "not found"; OpenCASCADE's lines have their length as parameter


def set_sizes(gmsh: ModuleType, size: float, default_size: float) -> None:
    """Element size `size`; all that is finer at the default size (curvature, fields) is scaled by the same factor."""
    set_number = gmsh.option.setNumber
    factor = size / default_size
    # Without a size at its points gmsh never makes elements larger than a tenth of the diagonal.
    points = gmsh.model.getEntities(0)
    without = [
        point
        for point, given in zip(points, gmsh.model.mesh.getSizes(points), strict=True)
        if not 0 < given < 1e20
    ]
    gmsh.model.mesh.setSize(without, default_size)
    set_number("Mesh.MeshSizeMax", min(default_size, gmsh.option.getNumber("Mesh.MeshSizeMax")))
    set_number("Mesh.MeshSizeFactor", factor)
    # gmsh applies the factor last, so a larger size would take edges away from small holes.
    set_number("Mesh.MeshSizeFromCurvature", math.ceil(EDGES_PER_CIRCLE * max(1.0, factor)))
    scale_layers(gmsh.model, factor)


def generate(gmsh: ModuleType, dim: int, groups: Groups, order: int, size: float) -> Mesh:
    """Meshes the current model; sizes must be set. Raises GeometryError if gmsh fails or an element is inverted."""
    model = gmsh.model
    failure: Exception | None = None
    gmsh.logger.start()
    try:
        model.mesh.generate(dim)
        _set_order(gmsh, dim, order)
    except Exception as error:  # gmsh raises plain Exception
        failure = error
    finally:
        problems = [line for line in gmsh.logger.get() if line.startswith(("Error", "Warning"))]
        gmsh.logger.stop()
    # gmsh may also leave an entity without elements, and only warn.
    if failure or not all(len(model.mesh.getElementTypes(*entity)) for entity in model.getEntities(dim)):
        said = str(failure or "") or (problems[-1] if problems else "it gave no reason")
        raise GeometryError(
            f"gmsh could not mesh the domain at size {size:.4g} ({said}); try a smaller size, and look for curves or "
            f"surfaces that cross or nearly touch.{hint_after_meshing(model)}"
        ) from failure
    slits = [-tag for tags in groups.boundaries.values() for tag in tags if tag < 0]
    doubled = open_slits(gmsh, slits) if slits else {}
    mesh = _extract(model, dim, groups, order, doubled)
    if order > 1 and mesh.scaled_jacobians().min() < DEGENERATE:
        model.mesh.optimize("HighOrder")
        mesh = _extract(model, dim, groups, order, doubled, optimised=True)
    check_quality(mesh, f" at size {size:.4g}; use a smaller size.")
    return mesh


def _set_order(gmsh: ModuleType, dim: int, order: int) -> None:
    """Nodes of the order, on the curves and surfaces of the geometry.

    On a curve whose parameter passes 10^6, as that of a line so long does, gmsh fails or even crashes. Then the new
    nodes are put on straight elements, and moved to the closest points of curved entities here.
    """
    model = gmsh.model
    parameters = [model.getParametrizationBounds(*curve) for curve in model.getEntities(1)]
    far = any(max(map(abs, (lower[0], upper[0]))) >= _NO_PARAMETER for lower, upper in parameters)
    if far:
        gmsh.option.setNumber("Mesh.SecondOrderLinear", 1)
    model.mesh.setOrder(order)
    if not far:
        return
    for bounded, entity in [entity for d in range(1, dim) for entity in model.getEntities(d)]:
        if model.getType(bounded, entity) in _STRAIGHT:
            continue
        nodes, x, _ = model.mesh.getNodes(bounded, entity)
        closest, parameters = model.getClosestPoint(bounded, entity, x)
        for node, point, at in zip(
            nodes, closest.reshape(-1, 3), parameters.reshape(-1, bounded), strict=True
        ):
            model.mesh.setNode(node, point, at)


def _extract(
    model: ModuleType,
    dim: int,
    groups: Groups,
    order: int,
    doubled: dict[int, np.ndarray],
    optimised: bool = False,
) -> Mesh:
    node_tags, coordinates, _ = model.mesh.getNodes()
    coordinates = coordinates.reshape(-1, 3)
    if dim < 3 and np.abs(coordinates[:, dim:]).max() > 1e-9 * np.abs(coordinates).max():
        where = "the x axis" if dim == 1 else "the plane z = 0"
        raise GeometryError(f"a domain of dimension {dim} must lie in {where}; some of its points do not.")

    cells, regions = _elements(model, dim, order, groups.regions, {})
    facets, boundaries = _elements(model, dim - 1, order if dim > 1 else 1, groups.boundaries, doubled)
    cell_nodes = np.concatenate([nodes for _, nodes in cells])
    facet_nodes = np.concatenate([nodes for _, nodes in facets])

    used, inverse = np.unique(cell_nodes, return_inverse=True)  # leaves out nodes of construction points
    row = np.zeros(int(node_tags.max()) + 1, dtype=np.int64)
    row[node_tags] = np.arange(len(node_tags))
    points = np.ascontiguousarray(coordinates[row[used], :dim])
    cell_nodes = orient(points, inverse.reshape(cell_nodes.shape), dim, order)
    if order == 3 and not optimised:
        inner_nodes.centre(points, cell_nodes, dim, np.isin(used, inner_nodes.free_nodes(model, dim)))
    facet_nodes = np.searchsorted(used, facet_nodes)
    mesh = Mesh(
        dim=dim,
        order=order,
        points=points,
        cells=cell_nodes,
        cell_regions=np.repeat(regions, [len(nodes) for _, nodes in cells]).astype(np.int32),
        facets=facet_nodes,
        facet_boundaries=np.repeat(boundaries, [len(nodes) for _, nodes in facets]).astype(np.int32),
        facet_cells=parents(cell_nodes, facet_nodes, dim),
        facet_entities=np.repeat([tag for tag, _ in facets], [len(nodes) for _, nodes in facets]).astype(
            np.int32
        ),
        facet_gaps=np.zeros(len(facet_nodes)),
        regions=tuple(groups.regions),
        boundaries=tuple(groups.boundaries),
    )
    _measure_gaps(model, mesh)
    return mesh


def _elements(
    model: ModuleType,
    dim: int,
    order: int,
    named: dict[str, tuple[int, ...]],
    doubled: dict[int, np.ndarray],
) -> tuple[list[tuple[int, np.ndarray]], list[int]]:
    """[(entity, node tags (n, nodes))] and the index of the name of each entity."""
    found, index = [], []
    for i, tags in enumerate(named.values()):
        for tag in tags:
            index.append(i)
            if tag in doubled:
                found.append((tag, doubled[tag]))
                continue
            types, _, nodes = model.mesh.getElements(dim, tag)
            if list(types) != [_TYPES[dim, order]]:
                kind = "has no elements" if not len(types) else "has elements other than simplices"
                raise GeometryError(
                    f"the mesh of {describe(model, dim, tag)} {kind}; mesh it without recombination."
                )
            found.append(
                (tag, nodes[0].reshape(-1, model.mesh.getElementProperties(types[0])[3]).astype(np.int64))
            )
    return found, index


def _measure_gaps(model: ModuleType, mesh: Mesh) -> None:
    """Fills facet_gaps: the largest distance to the CAD entity at sample points between the nodes."""
    if mesh.dim == 1:
        return
    samples = reference.lattice(mesh.dim - 1, 2 * mesh.order + 2)
    for entity in np.unique(mesh.facet_entities):
        on = abs(entity)  # a slit's second side lies on the same curve
        if model.getType(mesh.dim - 1, on) in _STRAIGHT:
            continue
        facets = np.flatnonzero(mesh.facet_entities == entity)
        x, _ = mesh.on_facets(np.repeat(facets, len(samples)), np.tile(samples, (len(facets), 1)))
        padded = np.zeros((len(x), 3))
        padded[:, : mesh.dim] = x
        closest, _ = model.getClosestPoint(mesh.dim - 1, on, padded.ravel())
        distance = np.linalg.norm(closest.reshape(-1, 3) - padded, axis=1)
        mesh.facet_gaps[facets] = distance.reshape(len(facets), -1).max(1)
