"""Reads and checks the physical groups of a gmsh model: they must partition the domain and its boundary."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from geometry.errors import GeometryError
from geometry.slits import inner_curves

_KINDS = ("point", "curve", "surface", "volume")


@dataclass(frozen=True)
class Groups:
    """Names with the CAD entities they stand for, in the order of gmsh's tags."""

    regions: dict[str, tuple[int, ...]]  # entities of dimension dim
    boundaries: dict[
        str, tuple[int, ...]
    ]  # entities of dimension dim - 1 with the domain on one side; -t: see slits
    interfaces: dict[str, tuple[int, ...]]  # named entities of dimension dim - 1 between two regions


def describe(model: ModuleType, dim: int, tag: int) -> str:
    """'curve 3 (box [0, 0] to [1, 0])': how messages say where an entity is."""
    box = model.getBoundingBox(dim, tag)
    lower, upper = (
        "[" + ", ".join(f"{x + 0.0:.5g}" for x in _rounded(half)) + "]" for half in (box[:3], box[3:])
    )
    return f"{_KINDS[dim]} {tag} (box {lower} to {upper})"


def _rounded(corner: tuple[float, ...]) -> list[float]:
    return [round(x, 6) for x in corner]  # OpenCASCADE pads boxes by 1e-7


def read_groups(model: ModuleType, dim: int) -> Groups:
    """The groups of a model, or a GeometryError that says what is missing, empty, double or in the wrong place."""
    cells = [tag for _, tag in model.getEntities(dim)]
    if not cells:
        raise GeometryError(
            f"the build function made no {_KINDS[dim]}, so there is no domain of dimension {dim}; "
            "add one, and call model.occ.synchronize() after the last model.occ call."
        )
    if dim < 3 and model.getEntities(dim + 1):
        raise GeometryError(
            f"the build function made a {_KINDS[dim + 1]}, but the domain has dimension {dim}."
        )

    regions = _named(model, dim)
    if not regions:
        regions = {"domain": tuple(cells)}
    _check_disjoint(model, dim, regions)
    covered = {tag for tags in regions.values() for tag in tags}
    for tag in cells:
        if tag not in covered:
            raise GeometryError(
                f"no region contains {describe(model, dim, tag)}; add it to a physical group of dimension {dim}, "
                "or name no region at all."
            )

    sides = {tag: len(set(model.getAdjacencies(dim - 1, tag)[0])) for _, tag in model.getEntities(dim - 1)}
    slits = inner_curves(model, dim)
    named = _named(model, dim - 1)
    _check_disjoint(model, dim - 1, named)
    check_names([*regions, *named])
    boundaries: dict[str, tuple[int, ...]] = {}
    interfaces: dict[str, tuple[int, ...]] = {}
    for name, tags in named.items():
        for tag in tags:
            if sides[tag] == 0 and tag not in slits:
                raise GeometryError(
                    f"boundary {name!r} contains {describe(model, dim - 1, tag)}, which bounds no {_KINDS[dim]} of the "
                    "domain; take it out."
                )
        inner = [tag for tag in tags if sides[tag] > 1]
        if inner and len(inner) < len(tags):
            raise GeometryError(
                f"boundary {name!r} contains {describe(model, dim - 1, inner[0])}, which lies between two regions, "
                "beside parts of the outer boundary; name interfaces and boundaries separately."
            )
        (interfaces if inner else boundaries)[name] = (*tags, *(-tag for tag in tags if tag in slits))
    tagged = {tag for tags in boundaries.values() for tag in tags}
    for tag, count in sides.items():
        if count == 1 and tag not in tagged:
            raise GeometryError(
                f"a boundary nobody tagged: {describe(model, dim - 1, tag)}; add it to a physical group of dimension "
                f"{dim - 1}, or, if two regions should meet there, join them with model.occ.fragment."
            )
    return Groups(regions, boundaries, interfaces)


def check_names(names: Sequence[str]) -> None:
    """Raises GeometryError if the names of regions and boundaries are not all different, apart from their case."""
    folded: dict[str, str] = {}
    for name in names:
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            raise GeometryError(f"the names {other!r} and {name!r} differ only in case; rename one of them.")
    for name in folded.values():
        if names.count(name) > 1:
            raise GeometryError(f"{name!r} names both a region and a boundary; give them different names.")


def _named(model: ModuleType, dim: int) -> dict[str, tuple[int, ...]]:
    named = {}
    groups = [group for _, group in model.getPhysicalGroups(dim)]
    for group in groups:
        name = model.getPhysicalName(dim, group)
        if not name:  # gmsh takes the name away if an earlier group has it
            raise GeometryError(
                f"physical group {group} of dimension {dim} has no name; pass addPhysicalGroup a name=... that no "
                "other group has (one name for several entities: one group)."
            )
        named[name] = tuple(abs(int(tag)) for tag in model.getEntitiesForPhysicalGroup(dim, group))
    # gmsh does not list groups without entities, but keeps their names under the numbers it gave them.
    for group in range(1, max(groups, default=0) + 100):
        name = model.getPhysicalName(dim, group)
        if name and group not in groups:
            raise GeometryError(
                f"physical group {name!r} is empty, or has only numbers of {_KINDS[dim]}s that do not exist; "
                "the numbers may have changed in a boolean operation (a removed group keeps its name until "
                "removePhysicalName)."
            )
    return named


def _check_disjoint(model: ModuleType, dim: int, named: dict[str, tuple[int, ...]]) -> None:
    owner: dict[int, str] = {}
    for name, tags in named.items():
        for tag in tags:
            if owner.setdefault(tag, name) != name:
                raise GeometryError(
                    f"{describe(model, dim, tag)} is in both {owner[tag]!r} and {name!r}; "
                    "groups must not overlap."
                )
