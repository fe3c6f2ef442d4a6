"""Names of the faces in a STEP file: gmsh reads the shapes, but not the names that CAD programs give to faces."""

import re
from pathlib import Path

# STEP's surfaces and what gmsh calls them; other kinds may change on the way and are not compared.
_KINDS = {
    "PLANE": "Plane",
    "CYLINDRICAL_SURFACE": "Cylinder",
    "CONICAL_SURFACE": "Cone",
    "SPHERICAL_SURFACE": "Sphere",
    "TOROIDAL_SURFACE": "Torus",
}
_RECORD = re.compile(r"#(\d+)\s*=\s*(\w+)\s*\(((?:'(?:[^']|'')*'|[^;'])*)\)\s*;")
_FACE = re.compile(r"'((?:[^']|'')*)'.*#(\d+)\s*,\s*\.[TF]\.\s*$")  # name, bounds, surface, sense


def face_names(path: Path, kinds: list[str]) -> list[str]:
    """The name of each face, in gmsh's order; all empty unless the file has just the faces that gmsh made of it.

    kinds: what gmsh calls the surface of each of its faces. OpenCASCADE numbers faces solid by solid, in the order in
    which the shells list them; the number and the kinds of the faces are compared to be sure of it.
    """
    text = re.sub(r"[\r\n]+", "", path.read_text(encoding="latin-1"))  # STEP breaks lines anywhere
    records = {number: (kind, arguments) for number, kind, arguments in _RECORD.findall(text)}
    shells = [arguments for kind, arguments in records.values() if kind in ("CLOSED_SHELL", "OPEN_SHELL")]
    found = [records.get(number, ("", ""))[1] for shell in shells for number in re.findall(r"#(\d+)", shell)]
    faces = [match.groups() for match in map(_FACE.match, found) if match]
    surfaces = [_KINDS.get(records.get(surface, ("", ""))[0]) for _, surface in faces]
    same = len(surfaces) == len(kinds) and all(
        ours in (None, theirs) for ours, theirs in zip(surfaces, kinds, strict=True)
    )
    return [name.replace("''", "'") for name, _ in faces] if same else [""] * len(kinds)
