"""gmsh scripts as domains: their groups, sizes and options count."""

import numpy as np
import pytest

from geometry import Domain, GeometryError

PLATE = """
Point(1) = {0, 0, 0, 0.2}; Point(2) = {2, 0, 0, 0.2}; Point(3) = {2, 1, 0, 0.2}; Point(4) = {0, 1, 0, 0.01};
Line(1) = {1, 2}; Line(2) = {2, 3}; Line(3) = {3, 4}; Line(4) = {4, 1};
Curve Loop(1) = {1:4}; Plane Surface(1) = {1};
Physical Curve("left") = {4}; Physical Curve("rest") = {1:3}; Physical Surface("plate") = {1};
Mesh 2;
"""
BALL = """
SetFactory("OpenCASCADE"); Sphere(1) = {0, 0, 0, 1}; Mesh.MeshSizeMax = 0.5;
"""


def _write(tmp_path, text):
    path = tmp_path / "a.geo"
    path.write_text(text)
    return path


def test_groups_and_sizes_of_a_script(tmp_path):
    domain = Domain.from_file(_write(tmp_path, PLATE))
    assert domain.dim == 2 and domain.regions == ("plate",) and set(domain.boundaries) == {"left", "rest"}
    coarse, fine = domain.mesh(), domain.mesh(domain.default_size / 2)
    assert abs(coarse.volumes.sum() - 2) < 1e-12 and len(fine.cells) > 3 * len(coarse.cells)
    assert coarse.volumes.min() < 0.02 * coarse.volumes.max()  # small at the corner that asks for it
    assert abs(domain.boundary("left", 5)[1].sum() - 1) < 1e-10


def test_boundaries_of_a_script_may_be_named_anew(tmp_path):
    """By a function of the centre in gmsh's own kernel and in OpenCASCADE, and by numbers."""
    by_place = Domain.from_file(
        _write(tmp_path, PLATE), boundaries=lambda x: "low" if x[1] < 0.1 else "high", size=0.3
    )
    assert set(by_place.boundaries) == {"low", "high"} and by_place.regions == ("plate",)
    assert abs(by_place.boundary("low", 1)[1].sum() - 2) < 1e-10
    by_number = Domain.from_file(_write(tmp_path, PLATE), boundaries={"a": [1, 2], "b": [3, 4]})
    assert set(by_number.boundaries) == {"a", "b"}
    ball = Domain.from_file(_write(tmp_path, BALL), boundaries=lambda x: "sphere", size=0.6)
    assert abs(ball.boundary("sphere", 1)[1].sum() - 4 * np.pi) < 1e-9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Point(1) = {0, 0;", r"a.geo: gmsh cannot run the script \(.*syntax error"),
        ("Point(1) = {0, 0, 0};", "it makes no curve, surface or volume"),
        (BALL, "a boundary nobody tagged: surface 1"),
        (PLATE.replace('"rest"', "7"), "physical group 7 of dimension 1 has no name"),
        (PLATE.replace('"rest"', '"Left"'), "the names 'left' and 'Left' differ only in case"),
    ],
)
def test_wrong_scripts(tmp_path, text, message):
    with pytest.raises(GeometryError, match=message):
        Domain.from_file(_write(tmp_path, text)).boundaries  # noqa: B018


def test_a_script_is_not_scaled(tmp_path):
    with pytest.raises(GeometryError, match="a script scales its lengths and mesh sizes itself"):
        Domain.from_file(_write(tmp_path, PLATE), scale=2.0)
    with pytest.raises(GeometryError, match="there is no such file"):
        Domain.from_file(tmp_path / "none.geo")
