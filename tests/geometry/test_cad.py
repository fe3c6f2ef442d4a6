"""Domains from CAD files that gmsh wrote, and what wrong files say."""

import re
from pathlib import Path

import numpy as np
import pytest

from geometry import Domain, GeometryError
from geometry.gmsh_session import gmsh_session
from geometry.step_names import face_names


def _write(path, make):
    with gmsh_session() as gmsh:
        make(gmsh.model.occ)
        gmsh.model.occ.synchronize()
        gmsh.write(str(path))
    return path


def _bored_block(occ):
    occ.cut([(3, occ.addBox(0, 0, 0, 2, 1, 1))], [(3, occ.addCylinder(1, 0.5, -1, 0, 0, 3, 0.2))])


def _by_place(x):
    return (
        "left"
        if x[0] < 1e-9
        else "bore"
        if np.allclose(x[:2], [1, 0.5]) and abs(x[2] - 0.5) < 0.1
        else "rest"
    )


@pytest.mark.parametrize("suffix", ["step", "igs", "brep"])
def test_a_block_with_a_bore(tmp_path, suffix):
    path = _write(tmp_path / f"block.{suffix}", _bored_block)
    domain = Domain.from_file(path, boundaries=_by_place, size=0.5)
    assert domain.dim == 3 and set(domain.boundaries) == {"left", "bore", "rest"}
    assert abs(domain.mesh().volumes.sum() - (2 - 0.04 * np.pi)) < 1e-4
    assert abs(domain.boundary("bore", 10)[1].sum() - 0.4 * np.pi) < 1e-6


def test_scale_and_names_by_number(tmp_path):
    path = _write(tmp_path / "plate.brep", lambda occ: occ.addRectangle(0, 0, 0, 20, 10))
    domain = Domain.from_file(path, boundaries={"bottom": [1], "others": [2, 3, 4]}, scale=0.1)
    np.testing.assert_allclose(domain.bounding_box, [[0, 0], [2, 1]], atol=1e-12)
    assert abs(domain.boundary("bottom", 3)[1].sum() - 2) < 1e-12


BRACKET = Path(__file__).parents[2] / "cases" / "data" / "bracket.step"
AREAS = {  # of foot 100 x 60 and upright 80 x 60, both 10 thick, fillet 12, two bolts of radius 6, a bore of radius 10
    "base": 6000 - 72 * np.pi,
    "bolts": 240 * np.pi,
    "load": 200 * np.pi,
    "free": 2 * (1700 + 144 * (1 - np.pi / 4))
    + 4800
    + (600 + 600 + 58 * 60 + 78 * 60)
    + 360 * np.pi
    - 272 * np.pi,
}


@pytest.mark.parametrize("order", [1, -1])
def test_faces_have_the_names_of_a_step_file(tmp_path, order):
    """Areas tell that no name is on the wrong face, in whatever order the file lists the faces."""
    text = BRACKET.read_text().replace("'free'", "'nobody''s'")
    shell = re.search(r"CLOSED_SHELL\('',\((.*?)\)\)", text, re.DOTALL).group(1)
    path = tmp_path / "bracket.STEP"
    path.write_text(text.replace(shell, ",".join(re.findall(r"#\d+", shell)[::order])))
    domain = Domain.from_file(path, scale=1e-3, size=0.02)
    assert set(domain.boundaries) == {"base", "bolts", "load", "nobody's"}
    for name, area in AREAS.items():
        weights = domain.boundary(name.replace("free", "nobody's"), 1)[1]
        assert abs(weights.sum() - 1e-6 * area) < 1e-9 * area


def test_names_of_other_faces_are_not_used():
    for kinds in (["Plane"] * 11, ["Plane"] * 12):
        assert face_names(BRACKET, kinds) == [""] * len(kinds)


def test_faces_are_sewn(tmp_path):
    def shell(occ):
        box = occ.addBox(0, 0, 0, 1, 1, 1)
        occ.remove([(3, box)])

    domain = Domain.from_file(_write(tmp_path / "shell.brep", shell), boundaries=lambda x: "all", size=0.5)
    assert domain.dim == 3 and abs(domain.mesh().volumes.sum() - 1) < 1e-12


@pytest.mark.parametrize("suffix", ["step", "iges", "brep"])
def test_what_is_no_cad_file(tmp_path, capfd, suffix):
    """One sentence, and nothing on the terminal from OpenCASCADE itself."""
    path = tmp_path / f"garbage.{suffix}"
    path.write_text("nothing")
    with pytest.raises(GeometryError, match=rf"garbage.{suffix}: OpenCASCADE cannot read the file"):
        Domain.from_file(path)
    assert capfd.readouterr() == ("", "")


def test_wrong_files(tmp_path):
    def open_box(occ):
        box = occ.addBox(0, 0, 0, 1, 1, 1)
        occ.remove([(3, box)])
        occ.remove([(2, 1)])

    block = _write(tmp_path / "block.step", _bored_block)
    with pytest.raises(GeometryError, match="do not close to a solid"):
        Domain.from_file(_write(tmp_path / "open.brep", open_box))
    with pytest.raises(
        GeometryError, match=r"7 of 7 entities of its boundary have no name: surface 1 \(box \["
    ):
        Domain.from_file(block).boundaries  # noqa: B018
    with pytest.raises(GeometryError, match="'Left' and 'left' differ only in case"):
        Domain.from_file(block, boundaries={"Left": [1], "left": [2]}).boundaries  # noqa: B018
    with pytest.raises(GeometryError, match="scale must be positive, not -1"):
        Domain.from_file(block, scale=-1)
    with pytest.raises(GeometryError, match="there is no such file"):
        Domain.from_file(tmp_path / "none.step")
    with pytest.raises(GeometryError, match="there is no such file"):
        Domain.from_file(tmp_path / "mesh.xyz")
    with pytest.raises(GeometryError, match=r"boundaries=<lambda> fails at \(.*\): IndexError: index 3"):
        Domain.from_file(block, boundaries=lambda x: str(x[3])).boundaries  # noqa: B018
