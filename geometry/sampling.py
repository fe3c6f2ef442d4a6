"""Points inside a mesh and on its boundary."""

from itertools import product

import numpy as np

from geometry import reference
from geometry.errors import GeometryError
from geometry.mesh import Mesh


def check_count(n: int) -> int:
    """n as an int, or a GeometryError unless it is a positive whole number."""
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise GeometryError(f"the number of points must be a positive whole number, not {n!r}.")
    return int(n)


def sobol(n: int, dim: int, seed: int) -> np.ndarray:
    """The first n points (n, dim) of a scrambled Sobol sequence in the open unit cube."""
    from scipy.stats import qmc

    points = qmc.Sobol(dim, scramble=True, rng=seed).random_base2(max(n - 1, 0).bit_length())[:n]
    return np.clip(points, 2.0**-53, 1 - 2.0**-53)


def lattice_in_box(n: int, box: np.ndarray, volume: float) -> np.ndarray:
    """Cell-centred lattice of the box (2, dim) with the density of n points in `volume`."""
    lengths = box[1] - box[0]
    spacing = (volume / n) ** (1 / len(lengths))
    counts = np.maximum(np.rint(lengths / spacing), 1).astype(int)
    axes = [a + (np.arange(c) + 0.5) * (w / c) for a, w, c in zip(box[0], lengths, counts, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(lengths))


def uniform(mesh: Mesh, n: int, rng: np.random.Generator) -> np.ndarray:
    """Independent points (n, dim), uniform on the mesh.

    A cell is chosen by its volume; inside, a reference point is kept with probability det J / (bound of det J), so
    that points are uniform in curved cells too.
    """
    cells = rng.choice(len(mesh.cells), size=n, p=mesh.volumes / mesh.volumes.sum())
    xi = np.empty((n, mesh.dim))
    todo = np.arange(n)
    while len(todo):
        xi[todo] = rng.dirichlet(np.ones(mesh.dim + 1), size=len(todo))[:, 1:]
        doubtful = todo[mesh.curved[cells[todo]]]
        determinants = reference.determinant(mesh.jacobians(cells[doubtful], xi[doubtful]))
        todo = doubtful[
            rng.random(len(doubtful)) * mesh.determinant_bounds[cells[doubtful], 1] > determinants
        ]
    return mesh.map(cells, xi)


def sobol_inside(mesh: Mesh, box: np.ndarray, n: int, seed: int) -> np.ndarray:
    """The first n points of a Sobol sequence in the box (2, dim) that lie inside the mesh."""
    fill = mesh.volumes.sum() / np.prod(box[1] - box[0])
    count = int(n / fill * 1.1) + 16
    while True:
        x = box[0] + sobol(count, mesh.dim, seed) * (box[1] - box[0])
        x = x[mesh.locate(x)[2] == 0]
        if len(x) >= n:
            return x[:n]
        count *= 2


def lattice_inside(mesh: Mesh, box: np.ndarray, n: int) -> np.ndarray:
    """The lattice of about n points in the mesh; points on the boundary, or 0.1 % of the spacing from it, are left out.

    A lattice line may run along a side, or through a re-entrant corner where derivatives do not exist.
    """
    volume = mesh.volumes.sum()
    x = lattice_in_box(n, box, volume)
    cells, _, flags = mesh.locate(x)
    x, cells = x[flags == 0], cells[flags == 0]
    doubtful = np.isin(mesh.cells[cells, : mesh.dim + 1], mesh.facets).any(1)  # cells that touch the boundary
    shift = 1e-3 * (volume / n) ** (1 / mesh.dim) * np.array(list(product((-1.0, 1.0), repeat=mesh.dim)))
    around = mesh.locate((x[doubtful, None] + shift).reshape(-1, mesh.dim))[2].reshape(-1, len(shift))
    keep = np.ones(len(x), dtype=bool)
    keep[doubtful] = (around == 0).all(1) & (_distance_to_slits(mesh, x[doubtful]) > np.abs(shift).max())
    return x[keep]


def _distance_to_slits(mesh: Mesh, points: np.ndarray) -> np.ndarray:
    """Distance (n,) of points (n, dim) to the chords of the slits' edges; inf if there are none."""
    chords = mesh.points[mesh.facets[mesh.facet_entities < 0, : mesh.dim]]
    nearest = np.full(len(points), np.inf)
    for start, end in chords:
        along = np.clip((points - start) @ (end - start) / ((end - start) ** 2).sum(), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(points - start - along[:, None] * (end - start), axis=1))
    return nearest


def shares(n: int, measures: np.ndarray) -> np.ndarray:
    """Whole numbers that sum to n, in proportion to the measures (largest remainders; at least 1 where n allows)."""
    ideal = n * measures / measures.sum()
    counts = np.floor(ideal).astype(int)
    if n >= len(measures):
        counts = np.maximum(counts, 1)
    while counts.sum() < n:
        counts[(ideal - counts).argmax()] += 1
    while counts.sum() > n:
        counts[np.where(counts > 1, counts - ideal, -np.inf).argmax()] -= 1
    return counts


def facet_samples(mesh: Mesh, facets: np.ndarray, n: int, seed: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Facet (n,) and coordinates (n, dim - 1) of points spread over facets by measure: evenly, or by seed."""
    dim = mesh.dim - 1
    xi, weights = reference.quadrature_rule(dim, 2 * (mesh.order - 1))
    _, normals = mesh.on_facets(np.repeat(facets, len(weights)), np.tile(xi, (len(facets), 1)))
    measures = np.linalg.norm(normals, axis=1).reshape(-1, len(weights)) @ weights
    cumulative = np.cumsum(measures) / measures.sum()
    rng = np.random.default_rng(seed)
    place = (np.arange(n) + 0.5) / n if seed is None else rng.random(n)
    chosen = np.minimum(np.searchsorted(cumulative, place, side="right"), len(facets) - 1)
    if seed is not None:
        eta = rng.random((n, dim))
    elif dim == 2:
        # The R2 sequence: consecutive points, which share a facet, are far apart.
        eta = (0.5 + np.arange(1, n + 1)[:, None] * np.array([0.7548776662466927, 0.5698402909980532])) % 1.0
    else:  # never a corner
        eta = np.clip(1 - (cumulative[chosen] - place) * measures.sum() / measures[chosen], 0.01, 0.99)[
            :, None
        ]
    fold = eta.sum(1) > 1
    eta[fold] = 1 - eta[fold]
    return facets[chosen], eta
