"""Domain: what it refuses and how it says so, caching, and gmsh left as it was found."""

import os
import pickle
import signal
import subprocess
import sys
import warnings

import gmsh
import numpy as np
import pytest

from geometry import Domain, GeometryError, cache, plate_with_holes, rectangle
from geometry.gmsh_session import gmsh_session
from geometry.topology import parents


def _square(model, groups=(), x=0.0):
    """A unit square whose curves are 1 bottom, 2 right, 3 top, 4 left, and groups (dim, tags, name)."""
    model.occ.addRectangle(x, 0, 0, 1, 1)
    model.occ.synchronize()
    for dim, tags, name in groups:
        model.addPhysicalGroup(dim, tags, name=name)


def _two_squares(model, groups):
    a, b = model.occ.addRectangle(0, 0, 0, 1, 1), model.occ.addRectangle(1, 0, 0, 1, 1)
    model.occ.fragment([(2, a)], [(2, b)])
    model.occ.synchronize()
    for dim, tags, name in groups(model):
        model.addPhysicalGroup(dim, tags, name=name)


def _refuse(*groups):
    return lambda model: _square(model, groups)


def _raise(model):
    raise KeyError("radius")


ALL = (1, [1, 2, 3, 4], "all")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda model: None,
            r"made no surface, so there is no domain of dimension 2; .*model.occ.synchronize\(\)",
        ),
        (_raise, "build function of .* failed: KeyError: 'radius'"),
        (_refuse(), r"a boundary nobody tagged: curve 1 \(box \[0, 0, 0\] to \[1, 0, 0\]\)"),
        (_refuse((1, [1, 2, 4], "most")), r"nobody tagged: curve 3 \(box \[0, 1, 0\] to \[1, 1, 0\]\)"),
        (_refuse(ALL, (1, [2], "right")), "curve 2 .* is in both 'all' and 'right'; groups must not overlap"),
        (
            _refuse((1, [1, 2, 3, 4], "")),
            "physical group 1 of dimension 1 has no name; pass addPhysicalGroup a name=",
        ),
        (
            _refuse((1, [1, 2], "a"), (1, [3, 4], "a")),
            "group 2 of dimension 1 has no name; .* that no other group has",
        ),
        (_refuse((1, [1, 2], "Wall"), (1, [3, 4], "wall")), "names 'Wall' and 'wall' differ only in case"),
        (_refuse(ALL, (2, [1], "all")), "'all' names both a region and a boundary"),
        (_refuse(ALL, (1, [], "none")), "physical group 'none' is empty"),
        (
            _refuse(ALL, (1, [77], "ghost")),
            "physical group 'ghost' is empty, or has only numbers of curves that do",
        ),
    ],
)
def test_bad_groups(build, message):
    with pytest.raises(GeometryError, match=message):
        Domain(2, build).boundaries  # noqa: B018
    assert not gmsh.isInitialized()


def test_bad_regions_and_interfaces():
    def outer(model):
        return [tag for _, tag in model.getEntities(1) if len(model.getAdjacencies(1, tag)[0]) == 1]

    def inner(model):
        return [tag for _, tag in model.getEntities(1) if len(model.getAdjacencies(1, tag)[0]) == 2]

    def refused(groups, message, dim=2):
        with pytest.raises(GeometryError, match=message):
            Domain(dim, lambda model: _two_squares(model, groups)).regions  # noqa: B018

    refused(
        lambda m: [(1, outer(m), "out"), (2, [1], "steel")], r"no region contains surface 2 \(box \[1, 0, 0\]"
    )
    refused(
        lambda m: [(1, outer(m), "out"), (2, [1, 2], "a"), (2, [2], "b")], "surface 2 .* in both 'a' and 'b'"
    )
    refused(
        lambda m: [(1, outer(m) + inner(m), "out")], "boundary 'out' contains curve .* between two regions"
    )
    refused(lambda m: [], "made a surface, but the domain has dimension 1", dim=1)
    refused(lambda m: [], "made no volume", dim=3)
    # two squares side by side that were not joined: a boundary in the middle of the domain
    with pytest.raises(GeometryError, match=r"nobody tagged: curve .* join them with model.occ.fragment"):
        Domain(2, lambda model: (_square(model), _square(model, x=1.0))).regions  # noqa: B018


def test_a_group_off_the_domain():
    def build(model):
        loose = model.occ.addLine(model.occ.addPoint(3, 0, 0), model.occ.addPoint(4, 0, 0))
        square = model.occ.addRectangle(0, 0, 0, 1, 1)
        model.occ.synchronize()
        model.addPhysicalGroup(
            1, [tag for _, tag in model.getBoundary([(2, square)], oriented=False)], name="all"
        )
        model.addPhysicalGroup(1, [loose], name="loose")

    with pytest.raises(
        GeometryError, match=r"boundary 'loose' contains curve 1 \(box \[3, 0, 0\].* bounds no surface"
    ):
        Domain(2, build).boundaries  # noqa: B018


def test_a_surface_off_the_plane():
    def build(model):
        model.occ.addRectangle(0, 0, 0.5, 1, 1)
        model.occ.synchronize()
        model.addPhysicalGroup(1, [1, 2, 3, 4], name="all")

    with pytest.raises(GeometryError, match=r"dimension 2 must lie in the plane z = 0"):
        Domain(2, build).mesh()


def test_quadrilaterals_are_refused():
    def build(model):
        _square(model, [ALL])
        model.mesh.setRecombine(2, 1)

    with pytest.raises(GeometryError, match=r"surface 1 .* elements other than simplices"):
        Domain(2, build).mesh()


def _surface(*polygons):
    """A surface made of polygons by gmsh's own kernel, which takes them as they come."""

    def build(model):
        lines = []
        for corners in polygons:
            points = [model.geo.addPoint(x, y, 0) for x, y in corners]
            ends = zip(points, points[1:] + points[:1], strict=True)
            lines.append([model.geo.addLine(a, b) for a, b in ends])
        model.geo.addPlaneSurface([model.geo.addCurveLoop(polygon) for polygon in lines])
        model.geo.synchronize()
        model.addPhysicalGroup(1, [line for polygon in lines for line in polygon], name="all")

    return build


@pytest.mark.parametrize(
    ("polygons", "message"),
    [
        ([((0, 0), (1, 1), (1, 0), (0, 1))], r"curves 1 and 3 cross near \(0.50?2?, 0.50?2?\)"),
        (
            [((0, 0), (1, 0), (1, 1), (0, 1)), ((0.5, 0.5), (1.5, 0.5), (1.5, 0.7), (0.5, 0.7))],
            r"curves 2 and [57] cross near \(1.0, 0\.[4-7]",
        ),
    ],
)
def test_boundaries_that_cross(polygons, message):
    """gmsh alone meshes the first for minutes, and the second wrongly without a word."""
    with pytest.raises(GeometryError, match=message):
        Domain(2, _surface(*polygons)).mesh()
    assert not gmsh.isInitialized()


def test_gmsh_failing_to_mesh():
    """A volume bounded by two faces of a box: the message carries gmsh's own words."""

    def build(model):
        box = model.occ.addBox(0, 0, 0, 1, 1, 1)
        model.occ.remove([(3, box)])
        model.occ.addVolume([model.occ.addSurfaceLoop([1, 2, 3, 4, 5])])
        model.occ.synchronize()
        model.addPhysicalGroup(2, [1, 2, 3, 4, 5], name="all")

    with pytest.raises(
        GeometryError, match=r"gmsh could not mesh the domain at size .* \(.+\); try a smaller size"
    ):
        Domain(3, build).mesh()
    assert not gmsh.isInitialized()


def test_a_mesh_that_does_not_fill_the_domain():
    """What gmsh sometimes leaves without a word: an outer side of a cell that lies on no boundary, and the reverse."""
    cells = np.array([[0, 1, 2], [1, 3, 2]])
    whole = np.array([[0, 1], [1, 3], [3, 2], [2, 0]])
    np.testing.assert_array_equal(parents(cells, whole, 2), [0, 1, 1, 0])
    for facets in (whole[:3], np.vstack([whole, [[4, 5]]]), np.vstack([whole[:3], [[1, 2]]])):
        with pytest.raises(GeometryError, match="does not fill the domain up to its boundary"):
            parents(cells, facets, 2)


def test_inverted_elements_are_refused():
    """A circle around a hole that nearly touches it, meshed with elements longer than the gap."""

    def build(model):
        outer, inner = model.occ.addCircle(0, 0, 0, 1), model.occ.addCircle(0.0099, 0, 0, 0.99)
        model.occ.addPlaneSurface([model.occ.addCurveLoop([tag]) for tag in (outer, inner)])
        model.occ.synchronize()
        model.addPhysicalGroup(1, [outer, inner], name="rims")

    with pytest.raises(
        GeometryError, match=r"elements are inverted or degenerate .* near \(.*use a smaller size"
    ):
        Domain(2, build, size=0.5).mesh()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((4, _square), "dimension 1, 2 or 3, not 4; for more use Box or Ball"),
        ((2, "square"), "build must be a function of gmsh.model, not 'square'"),
        ((2, _square, 0.0), "size of elements must be a positive number, not 0.0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(GeometryError, match=message):
        Domain(*arguments)


def test_size_options_and_default():
    square = rectangle()
    assert abs(square.default_size - 2**0.5 / 20) < 1e-15
    assert Domain(2, square.build, size=0.3).default_size == 0.3
    assert len(Domain(2, square.build, size=0.3).mesh().cells) < len(square.mesh().cells) / 8

    def fine_corner(model):
        square.build(model)
        field = model.mesh.field.add("MathEval")
        model.mesh.field.setString(field, "F", "0.01 + 0.1 * Sqrt(x^2 + y^2)")
        model.mesh.field.setAsBackgroundMesh(field)

    assert len(Domain(2, fine_corner).mesh().cells) > 1.3 * len(square.mesh().cells)


def test_identity_repr_and_pickle():
    a, b = plate_with_holes(2.0, 1.0, [(0.5, 0.5, 0.1)]), plate_with_holes(2.0, 1.0, [(0.5, 0.5, 0.1)])
    assert a == a and a != b and len({a, b}) == 2
    assert len(repr(a)) < 60
    mesh = a.mesh()
    again = pickle.loads(pickle.dumps(a))
    np.testing.assert_array_equal(again.mesh().points, mesh.points)


def test_meshes_are_kept_in_memory_and_on_disk(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    mesh = rectangle(0, 0, 1, 2).mesh()
    (file,) = (tmp_path / "mlpde" / "meshes").iterdir()
    domain = rectangle(0, 0, 1, 2)
    monkeypatch.setattr("geometry.meshing.generate", None)  # whoever meshes now, fails
    again = domain.mesh()
    np.testing.assert_array_equal(again.points, mesh.points)
    file.unlink()
    assert domain.mesh() is again


def test_what_determines_a_mesh_determines_its_key(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def count():
        return len(list((tmp_path / "mlpde" / "meshes").iterdir()))

    def with_extra(extra):
        def build(model):
            _square(model, [ALL])
            extra(model)

        return Domain(2, build)

    def field(model):
        tag = model.mesh.field.add("MathEval")
        model.mesh.field.setString(tag, "F", "0.05")
        model.mesh.field.setAsBackgroundMesh(tag)

    extras = [
        lambda model: None,
        field,
        lambda model: model.mesh.setSize([(0, 1)], 0.01),
        lambda model: model.mesh.setTransfiniteCurve(1, 30),
        lambda model: model.mesh.setSizeCallback(lambda dim, tag, x, y, z, lc: 0.03),
        lambda model: gmsh.option.setNumber("Mesh.Algorithm", 5),
        lambda model: model.addPhysicalGroup(2, [1], name="steel"),
    ]
    for i, extra in enumerate(extras, start=1):
        with_extra(extra).mesh()
        assert count() == i
    for size, order in ((None, 1), (None, 3), (0.2, 2)):
        with_extra(extras[0]).mesh(size, order)
    assert count() == len(extras) + 3
    for extra in extras:
        with_extra(extra).mesh()
    assert count() == len(extras) + 3  # all found again


def test_a_damaged_cache_file_is_replaced(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    mesh = rectangle().mesh()
    (file,) = (tmp_path / "mlpde" / "meshes").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.warns(RuntimeWarning, match="cannot read the cached mesh"):
        np.testing.assert_array_equal(rectangle().mesh().points, mesh.points)
    assert len(file.read_bytes()) == len(whole)


def test_an_unwritable_cache_is_no_obstacle(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    with pytest.warns(RuntimeWarning, match="meshes are not kept on disk"):
        rectangle().mesh()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rectangle().mesh()  # said once


def test_processes_share_the_cache(tmp_path):
    code = "from geometry import rectangle; print(rectangle(0, 0, 3, 1).mesh(0.05).points.sum())"
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    started = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", code], stdout=subprocess.PIPE, env=environment)
        for _ in range(3)
    ]
    printed = [process.communicate(timeout=100)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert len(set(printed)) == 1
    assert [file.suffix for file in (tmp_path / "mlpde" / "meshes").iterdir()] == [".npz"]


def test_gmsh_of_the_caller_is_left_alone():
    gmsh.initialize(["gmsh"], readConfigFiles=False, interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.model.add("mine")
        gmsh.model.occ.addDisk(0, 0, 0, 1, 1)
        gmsh.model.occ.synchronize()
        gmsh.option.setNumber("Mesh.MeshSizeMax", 0.123)
        models, entities = gmsh.model.list(), gmsh.model.getEntities()

        def build(model):
            model.add("another")
            _square(model, [ALL])

        assert len(Domain(2, build).mesh().cells) > 100
        with pytest.raises(GeometryError):
            Domain(2, _raise).mesh()
        assert gmsh.isInitialized()
        assert gmsh.model.getCurrent() == "mine"
        assert (gmsh.model.list(), gmsh.model.getEntities()) == (models, entities)
        assert gmsh.option.getNumber("Mesh.MeshSizeMax") == 0.123
    finally:
        gmsh.finalize()


def test_sessions_close_and_leave_signals_alone():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError, match="inside"), gmsh_session() as open_gmsh:
        assert open_gmsh.isInitialized()
        assert signal.getsignal(signal.SIGINT) is before
        raise RuntimeError("inside")
    assert not gmsh.isInitialized()
    assert signal.getsignal(signal.SIGINT) is before


def test_gmsh_says_nothing_and_is_imported_late():
    code = (
        "import sys, geometry; d = geometry.disk(1.0); b = geometry.Box(3)\n"
        "assert not {'gmsh', 'scipy', 'basix', 'torch'} & set(sys.modules), 'heavy import'\n"
        "d.interior(10); d.boundary('circle', 5)\n"
    )
    environment = os.environ | {"XDG_CACHE_HOME": "/dev/null/x", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / "mlpde" / "meshes"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / ".cache" / "mlpde" / "meshes"
