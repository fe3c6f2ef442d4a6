"""Writes cases/data/bracket.step: a mounting bracket in millimetres with named faces; run as tools/make_bracket.py.

A foot with two bolt holes and an upright with a bore, joined by a fillet. Faces: base (the underside of the foot),
bolts (the walls of the bolt holes), load (the wall of the bore), free (all others).
"""

import re
from pathlib import Path

import gmsh

LENGTH, WIDTH, HEIGHT, THICKNESS, FILLET = 100.0, 60.0, 80.0, 10.0, 12.0
BOLT_RADIUS, BOLTS = 6.0, ((75.0, 15.0), (75.0, 45.0))
BORE_RADIUS, BORE = 10.0, (30.0, 55.0)  # y and z of its axis
TARGET = Path(__file__).parents[1] / "cases" / "data" / "bracket.step"


def build(model) -> None:
    """The bracket as the only solid of the model."""
    occ = model.occ
    foot = occ.addBox(0, 0, 0, LENGTH, WIDTH, THICKNESS)
    upright = occ.addBox(0, 0, 0, THICKNESS, WIDTH, HEIGHT)
    occ.fuse([(3, foot)], [(3, upright)])
    occ.synchronize()
    t, pad = THICKNESS, 1e-3
    ((_, corner),) = model.getEntitiesInBoundingBox(
        t - pad, -pad, t - pad, t + pad, WIDTH + pad, t + pad, dim=1
    )
    ((_, solid),) = occ.fillet([1], [corner], [FILLET])
    drills = [(3, occ.addCylinder(x, y, -1, 0, 0, t + 2, BOLT_RADIUS)) for x, y in BOLTS]
    drills.append((3, occ.addCylinder(-1, *BORE, t + 2, 0, 0, BORE_RADIUS)))
    occ.cut([(3, solid)], drills)
    occ.synchronize()


def name_face(model, tag: int) -> str:
    """The face's name, by its kind and place."""
    x, _, z = model.occ.getCenterOfMass(2, tag)
    if model.getType(2, tag) == "Cylinder" and z < THICKNESS:
        return "bolts"
    if model.getType(2, tag) == "Cylinder" and x < THICKNESS:
        return "load"
    return "base" if abs(z) < 1e-6 else "free"


def main() -> None:
    gmsh.initialize()
    gmsh.option.setNumber("General.Terminal", 0)
    build(gmsh.model)
    names = iter([name_face(gmsh.model, tag) for _, tag in gmsh.model.getEntities(2)])
    TARGET.parent.mkdir(exist_ok=True)
    gmsh.write(str(TARGET))
    gmsh.finalize()
    text = TARGET.read_text()
    # OpenCASCADE writes faces in the order of their numbers, without names, and the time of day.
    text = re.sub(r"ADVANCED_FACE\(''", lambda _: f"ADVANCED_FACE('{next(names)}'", text)
    text = re.sub(r"'\d{4}-\d\d-\d\dT[\d:]+'", "'2026-01-01T00:00:00'", text)
    TARGET.write_text(text.replace("Open CASCADE Shape Model", "bracket"))


if __name__ == "__main__":
    main()
