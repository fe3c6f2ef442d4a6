"""Geometry by gmsh: domains with named regions and boundaries, meshes, quadrature and points. Knows no PDE."""

from geometry.domain import Domain
from geometry.errors import GeometryError
from geometry.gaps import resolve_gaps
from geometry.gears import gear
from geometry.layers import boundary_layer
from geometry.mesh import Mesh
from geometry.meshless import Ball, Box
from geometry.perforated import box_with_cavities, channel, hole_cluster, plate_with_holes
from geometry.shapes import annulus, ball, cuboid, disk, interval, l_shape, rectangle, slit_square, torus
from geometry.size_map import SizeMap

__all__ = [
    "Ball",
    "Box",
    "Domain",
    "GeometryError",
    "Mesh",
    "SizeMap",
    "annulus",
    "ball",
    "boundary_layer",
    "box_with_cavities",
    "channel",
    "cuboid",
    "disk",
    "gear",
    "hole_cluster",
    "interval",
    "l_shape",
    "plate_with_holes",
    "rectangle",
    "resolve_gaps",
    "slit_square",
    "torus",
]
