"""Box and Ball in any dimension: points without a mesh, for problems where no mesh can exist."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geometry.errors import GeometryError
from geometry.names import unknown_name
from geometry.sampling import check_count, lattice_in_box, sobol

QUADRATURE_POINTS = 2**13  # of a Sobol sum, whatever the degree that is asked for
QUADRATURE_SEED = 20  # not one of those that a solver counts from


@dataclass(frozen=True)
class Box:
    """lower < x < upper in R^dim (numbers, or one number a direction). Boundaries: x0-, x0+, x1-, x1+, ...

    Integrals are Monte Carlo or Sobol sums: volume / n times the sum over `interior(n)`.
    """

    dim: int
    lower: float | Sequence[float] = 0.0
    upper: float | Sequence[float] = 1.0
    regions = ("domain",)

    def __post_init__(self) -> None:
        _check_dimension(self.dim)
        for name in ("lower", "upper"):
            try:
                corner = np.broadcast_to(np.asarray(getattr(self, name), dtype=np.float64), self.dim)
            except ValueError as error:
                raise GeometryError(f"Box: {name} must be a number or {self.dim} numbers.") from error
            object.__setattr__(self, name, tuple(corner.tolist()))
        box = self.bounding_box
        if not (np.isfinite(box).all() and (box[0] < box[1]).all()):
            raise GeometryError("Box: lower must be less than upper, and finite, in every direction.")

    @property
    def boundaries(self) -> tuple[str, ...]:
        """Names of the 2 dim sides."""
        return tuple(f"x{i}{side}" for i in range(self.dim) for side in "-+")

    @property
    def bounding_box(self) -> np.ndarray:
        """Lower and upper corner (2, dim)."""
        return np.array([self.lower, self.upper])

    @property
    def volume(self) -> float:
        """Product of the lengths of the sides."""
        return float(np.prod(np.diff(self.bounding_box, axis=0)))

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Whether each of the points (n, dim) lies in the closed box."""
        points = _check_points(points, self.dim)
        return ((points >= self.lower) & (points <= self.upper)).all(1)

    def interior(self, n: int, rule: str = "uniform", seed: int = 0) -> np.ndarray:
        """Points (n, dim): "uniform", "sobol", or "grid" (about n, only where that gives 2 points a direction)."""
        n = check_count(n)
        lower, upper = self.bounding_box
        if rule == "grid":
            _check_grid(n, self.dim)
            return lattice_in_box(n, self.bounding_box, self.volume)
        return lower + _unit_cube(n, self.dim, rule, seed) * (upper - lower)

    def boundary(
        self, name: str, n: int, seed: int | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Points (n, dim), weights (n,), outward unit normals (n, dim): Sobol points, or uniform with a seed."""
        n = check_count(n)
        if name not in self.boundaries:
            raise unknown_name("boundary", name, self.boundaries)
        axis, upper_side = divmod(self.boundaries.index(name), 2)
        lower, upper = self.bounding_box
        others = [i for i in range(self.dim) if i != axis]
        x = np.empty((n, self.dim))
        x[:, axis] = upper[axis] if upper_side else lower[axis]
        if others:
            cube = _unit_cube(n, self.dim - 1, "sobol" if seed is None else "uniform", seed or 0)
            x[:, others] = lower[others] + cube * (upper - lower)[others]
        normals = np.zeros((n, self.dim))
        normals[:, axis] = 1.0 if upper_side else -1.0
        return x, np.full(n, np.prod((upper - lower)[others]) / n), normals

    def quadrature(self, degree: int = 0, region: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, dim) and weights (n,) of a fixed Sobol sum, whatever the degree."""
        return _quadrature(self)

    def boundary_quadrature(self, name: str, degree: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Points (n, dim), weights (n,) and outward unit normals (n, dim) of a fixed Sobol sum on a boundary."""
        return self.boundary(name, QUADRATURE_POINTS)


@dataclass(frozen=True)
class Ball:
    """|x| < radius in R^dim. Boundary: sphere. Integrals as for Box."""

    dim: int
    radius: float = 1.0
    regions = ("domain",)
    boundaries = ("sphere",)

    def __post_init__(self) -> None:
        _check_dimension(self.dim)
        if not (isinstance(self.radius, int | float) and 0 < self.radius < math.inf):
            raise GeometryError(f"Ball: the radius must be a positive number, not {self.radius!r}.")

    @property
    def bounding_box(self) -> np.ndarray:
        """Lower and upper corner (2, dim)."""
        return np.array([[-self.radius] * self.dim, [self.radius] * self.dim], dtype=np.float64)

    @property
    def volume(self) -> float:
        """pi^(d/2) r^d / Gamma(d/2 + 1)."""
        half = self.dim / 2
        return math.exp(half * math.log(math.pi) + self.dim * math.log(self.radius) - math.lgamma(half + 1))

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Whether each of the points (n, dim) lies in the closed ball."""
        return np.linalg.norm(_check_points(points, self.dim), axis=1) <= self.radius

    def interior(self, n: int, rule: str = "uniform", seed: int = 0) -> np.ndarray:
        """Points (n, dim): "uniform", "sobol" (mapped to the ball, volume kept), or "grid" as for Box."""
        n = check_count(n)
        if rule == "grid":
            _check_grid(n, self.dim)
            x = lattice_in_box(n, self.bounding_box, self.volume)
            return x[self.contains(x)]
        cube = _unit_cube(n, self.dim + 1, rule, seed)
        return self.radius * cube[:, :1] ** (1 / self.dim) * _directions(cube[:, 1:])

    def boundary(
        self, name: str, n: int, seed: int | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Points (n, dim), weights (n,), outward unit normals (n, dim): Sobol points, or uniform with a seed."""
        n = check_count(n)
        if name not in self.boundaries:
            raise unknown_name("boundary", name, self.boundaries)
        normals = _directions(_unit_cube(n, self.dim, "sobol" if seed is None else "uniform", seed or 0))
        area = self.dim * self.volume / self.radius
        return self.radius * normals, np.full(n, area / n), normals

    def quadrature(self, degree: int = 0, region: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, dim) and weights (n,) of a fixed Sobol sum, whatever the degree."""
        return _quadrature(self)

    def boundary_quadrature(self, name: str, degree: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Points (n, dim), weights (n,) and outward unit normals (n, dim) of a fixed Sobol sum on a boundary."""
        return self.boundary(name, QUADRATURE_POINTS)


def _quadrature(domain: Box | Ball) -> tuple[np.ndarray, np.ndarray]:
    points = domain.interior(QUADRATURE_POINTS, rule="sobol", seed=QUADRATURE_SEED)
    return points, np.full(len(points), domain.volume / len(points))


def _unit_cube(n: int, dim: int, rule: str, seed: int) -> np.ndarray:
    if rule == "sobol":
        return sobol(n, dim, seed)
    if rule == "uniform":
        return np.random.default_rng(seed).random((n, dim))
    raise GeometryError(f"unknown rule {rule!r} for points; use 'uniform', 'sobol' or 'grid'.")


def _directions(cube: np.ndarray) -> np.ndarray:
    """Uniform directions (n, dim) from uniform points of the cube (n, dim): normalised normal variates."""
    from scipy.special import ndtri

    normal = ndtri(np.clip(cube, 2.0**-53, 1 - 2.0**-53))
    return normal / np.linalg.norm(normal, axis=1)[:, None]


def _check_dimension(dim: int) -> None:
    if isinstance(dim, bool) or not isinstance(dim, int) or dim < 1:
        raise GeometryError(f"the dimension must be a positive whole number, not {dim!r}.")


def _check_grid(n: int, dim: int) -> None:
    if n < 2**dim:
        raise GeometryError(
            f"a grid of {n} points in dimension {dim} has fewer than 2 points a direction; "
            "use rule 'uniform' or 'sobol'."
        )


def _check_points(points: np.ndarray, dim: int) -> np.ndarray:
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != dim:
        raise GeometryError(f"points must have shape (n, {dim}), not {points.shape}.")
    return points
