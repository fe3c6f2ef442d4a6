"""Meshes whose nodes on one boundary are those of another, translated."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from types import ModuleType

import numpy as np

from geometry.domain import Domain
from geometry.errors import GeometryError

CLOSE = 1e-6  # relative to the size of the boundary; OpenCASCADE pads boxes by 1e-7


def matched(domain: Domain, pairs: Sequence[tuple[str, str]]) -> Domain:
    """The same domain, meshed so that the nodes of each pair's second boundary are those of the first, translated.

    When it is meshed, raises GeometryError for a pair whose second boundary is not the first one translated.
    """
    return replace(domain, build=partial(_build, domain, tuple(pairs)))


def _build(domain: Domain, pairs: tuple[tuple[str, str], ...], model: ModuleType) -> None:
    domain.build(model)
    dim = domain.dim - 1
    if dim == 0:
        return  # points have no mesh
    groups = {
        model.getPhysicalName(dim, tag): model.getEntitiesForPhysicalGroup(dim, tag)
        for _, tag in model.getPhysicalGroups(dim)
    }
    for first, second in pairs:
        boxes = [
            np.array([model.getBoundingBox(dim, tag) for tag in groups[name]]) for name in (first, second)
        ]
        corners = [np.concatenate([box[:, :3].min(0), box[:, 3:].max(0)]) for box in boxes]
        shift = corners[1][:3] - corners[0][:3]
        tolerance = CLOSE * np.ptp(corners[0].reshape(2, 3), axis=0).max()
        distances = np.abs(boxes[0][:, None] + np.tile(shift, 2) - boxes[1][None]).max(2)
        partner = distances.argmin(1)
        if (
            len(boxes[0]) != len(boxes[1])
            or len(set(partner)) < len(partner)
            or distances.min(1).max() > tolerance
        ):
            raise not_a_translation(first, second)
        transformation = np.eye(4)
        transformation[:3, 3] = shift
        try:
            model.mesh.setPeriodic(
                dim,
                [groups[second][k] for k in partner],
                list(groups[first]),
                transformation.ravel().tolist(),
            )
        except Exception as error:  # gmsh raises plain Exception
            raise not_a_translation(first, second) from error


def not_a_translation(first: str, second: str) -> GeometryError:
    """The sentence for a pair that cannot be periodic."""
    return GeometryError(
        f"Periodic({first!r}, {second!r}): boundary {second!r} is not {first!r} translated; both must have the same "
        "curves or surfaces, in the same orientation"
    )
