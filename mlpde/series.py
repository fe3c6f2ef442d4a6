"""Fields at several times on one mesh: a .pvd file, which lists a .vtu file for each time, as ParaView opens it.

heat.pvd, heat/000.vtu, heat/001.vtu, ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from mlpde.errors import InputError
from mlpde.fields import Fields, compared, nodes
from mlpde.files import replacing, replacing_file
from mlpde.solution import Solution

FRAMES = 21  # unless other times are asked for


@dataclass(frozen=True)
class Series:
    """times (T,), ascending, and the fields at each of them, all on the same points and cells."""

    times: tuple[float, ...]
    frames: tuple[Fields, ...]

    def write(self, path: Path) -> None:
        """The .pvd file and its folder; the file, which makes the series visible, comes last."""
        folder = path.with_suffix("")
        names = [f"{k:03d}.vtu" for k in range(len(self.times))]
        with replacing(folder) as temporary:
            for name, fields in zip(names, self.frames, strict=True):
                fields.write(temporary / name)
        root = ElementTree.Element("VTKFile", type="Collection", version="0.1")
        collection = ElementTree.SubElement(root, "Collection")
        for t, name in zip(self.times, names, strict=True):
            ElementTree.SubElement(collection, "DataSet", timestep=repr(t), file=f"{folder.name}/{name}")
        ElementTree.indent(root)
        with replacing_file(path) as temporary:
            ElementTree.ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)

    @classmethod
    def read(cls, path: Path) -> Series:
        """The series that `write` stored."""
        entries = ElementTree.parse(path).getroot().findall("./Collection/DataSet")
        return cls(
            tuple(float(entry.attrib["timestep"]) for entry in entries),
            tuple(Fields.read(path.parent / entry.attrib["file"]) for entry in entries),
        )


def sample_series(solutions: Mapping[str, Solution], mesh: Any, times: Sequence[float]) -> Series:
    """Fields and outputs of the solutions by label, and errors, as `fields.sample` gives them, at each time."""
    points, cells = nodes(mesh)
    found = {label: solution.values(points, times) for label, solution in solutions.items()}
    frames = [
        compared({label: values[k] for label, values in found.items()}, points, cells)
        for k in range(len(times))
    ]
    return Series(tuple(times), tuple(frames))


def frame_times(time: tuple[float, float]) -> list[float]:
    """The times that are shown: even, with both ends."""
    return np.linspace(*time, FRAMES).tolist()


def export(solution: Solution, path: Path, times: float | Sequence[float] | None, mesh: Any) -> Path:
    """See `Solution.export`."""
    mesh = solution.mesh if mesh is None else mesh
    if mesh is None:
        raise InputError(f"the solution by {solution.solver} has no mesh: give one, export(path, mesh=...)")
    points, cells = nodes(mesh)
    if path.suffix == ".vtu" and (times is None or isinstance(times, int | float)):
        Fields(points, cells, solution.values(points, [times])[0]).write(path)
        return path
    if path.suffix != ".pvd":
        raise InputError(f"export to {path}: the name must end with .vtu for one time, with .pvd for several")
    if solution.time is None:
        raise InputError(
            f"export to {path}: the problem has no time, and a .pvd file is a series in time; use .vtu"
        )
    wanted = frame_times(solution.time) if times is None else np.sort(np.atleast_1d(times)).tolist()
    frames = [Fields(points, cells, values) for values in solution.values(points, wanted)]
    Series(tuple(wanted), tuple(frames)).write(path)
    return path
