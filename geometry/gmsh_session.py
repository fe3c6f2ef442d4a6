"""Opens and closes gmsh, which is one global state per process. No other module initialises or finalises it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from geometry.errors import GeometryError

# Options set here or by the meshing module; they are given back to a caller who had gmsh open before us.
_OPTIONS = (
    "General.Terminal",
    "Geometry.OCCBoundsUseStl",
    "Geometry.OCCScaling",
    "Mesh.MeshSizeMax",
    "Mesh.MeshSizeFactor",
    "Mesh.MeshSizeFromCurvature",
    "Mesh.MeshSizeExtendFromBoundary",
    "Mesh.SecondOrderLinear",
)
_lock = threading.RLock()


@contextmanager
def gmsh_session() -> Iterator[ModuleType]:
    """gmsh with an empty current model; whatever happens inside, gmsh is left as it was found.

    gmsh is not thread-safe, so other threads wait here.
    """
    import gmsh

    with _lock:
        ours = not gmsh.isInitialized()
        if ours:
            # interruptible=True would replace Python's own SIGINT handler.
            gmsh.initialize(["gmsh"], readConfigFiles=False, run=False, interruptible=False)
        saved = {option: gmsh.option.getNumber(option) for option in _OPTIONS}
        before = len(gmsh.model.list())
        views = list(gmsh.view.getTags())
        current = gmsh.model.getCurrent()
        try:
            gmsh.option.setNumber("General.Terminal", 0)
            gmsh.model.add("mlpde geometry")
            yield gmsh
        finally:
            if gmsh.isInitialized():
                if ours:
                    gmsh.finalize()
                else:
                    while len(gmsh.model.list()) > before:  # a build function may add models of its own
                        gmsh.model.remove()
                        gmsh.model.setCurrent(gmsh.model.list()[-1])
                    gmsh.model.setCurrent(current)
                    for view in set(gmsh.view.getTags()) - set(views):
                        gmsh.view.remove(view)
                    for option, value in saved.items():
                        gmsh.option.setNumber(option, value)
            elif not ours:
                raise GeometryError(
                    "the build function called gmsh.finalize(), which closed the caller's gmsh; remove that call."
                )
