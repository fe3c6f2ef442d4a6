"""A solution in a folder: solution.json beside solution.safetensors, which hold no code."""

from __future__ import annotations

import importlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlpde.errors import InputError, unknown
from mlpde.files import plain, replacing
from mlpde.problem import Case, Field

if TYPE_CHECKING:
    from mlpde.solution import Solution

MODELS = {
    "fem": "reference_fem.function:FiniteElementFunction",
    "fem_in_time": "reference_fem.time_function:FiniteElementHistory",
    "fem_modes": "reference_fem.modes:FiniteElementModes",
    "random_features": "mlpde.representation.models:RandomFeatureModel",
    "random_features_in_blocks": "mlpde.representation.models:TimeBlocks",
    "random_features_by_region": "mlpde.representation.models:Regionwise",
    "mean_free": "mlpde.representation.models:MeanFree",
    "network": "mlpde.representation.models:NetworkModel",
    "backward": "mlpde.backward:Backward",
    "backward_regression": "mlpde.representation.regression_model:BackwardRegression",
    "tempered_expectation": "mlpde.representation.tempered_model:TemperedExpectation",
    "stored_numbers": "mlpde.representation.value_in_time:StoredNumbers",
    "value_at_start": "mlpde.representation.start_value:ValueAtStart",
    "network_modes": "mlpde.representation.network_modes:NetworkModes",
}
FORMAT = 1  # another one is refused


def save(solution: Solution, directory: Path) -> Path:
    """Write the solution; InputError if the folder holds something else."""
    from safetensors.numpy import save_file

    if directory.exists() and not (directory / "solution.json").exists() and any(directory.iterdir()):
        raise InputError(f"{directory} exists and is not a saved solution: give another folder")
    arrays, settings = solution.model.state()
    arrays = {f"model.{name}": value for name, value in arrays.items()}
    if solution.mesh is not None:
        arrays |= {f"mesh.{name}": value for name, value in solution.mesh.arrays().items()}
    info = solution.info | ({"quantities": solution.quantities} if isinstance(solution.case, Case) else {})
    record = {
        "format": FORMAT,
        "solver": solution.solver,
        "config": solution.config,
        "fields": [asdict(f) for f in solution.fields],
        "model": {"kind": solution.model.kind, "settings": settings},
        "info": plain(info),
    }
    with replacing(directory) as temporary:
        contiguous = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
        save_file(contiguous, temporary / "solution.safetensors")
        (temporary / "solution.json").write_text(json.dumps(record, indent=1))
    return directory


def load(directory: Path) -> dict[str, Any]:
    """The arguments of the Solution that was saved; InputError if there is none, damaged, or of another format."""
    from safetensors import SafetensorError

    if not (directory / "solution.json").is_file():
        inside = sorted(path.parent for path in directory.glob("solutions/*/solution.json"))
        raise InputError(
            f"{directory} is not a saved solution: it has no solution.json"
            + (f"; did you mean {' or '.join(map(str, inside))}?" if inside else "")
        )
    try:
        return _read(directory)
    except InputError:
        raise
    except (OSError, LookupError, TypeError, AttributeError, ValueError, SafetensorError) as error:
        raise InputError(
            f"{directory} is damaged, or was saved by another version of mlpde ({type(error).__name__}: {error}): "
            "solve it again"
        ) from error


def _read(directory: Path) -> dict[str, Any]:
    from safetensors.numpy import load_file

    record = json.loads((directory / "solution.json").read_text())
    if record.get("format") != FORMAT:
        raise InputError(
            f"{directory} has the format {record.get('format')}, this version reads {FORMAT}: solve it again"
        )
    parts: dict[str, dict[str, NDArray]] = {"model": {}, "mesh": {}}
    for name, value in load_file(directory / "solution.safetensors").items():
        part, key = name.split(".", 1)
        parts[part][key] = value
    mesh = None
    if parts["mesh"]:
        from geometry import Mesh

        mesh = Mesh.from_arrays(parts["mesh"])
    return {
        "solver": record["solver"],
        "config": record["config"],
        "fields": tuple(Field(**(f | {"shape": tuple(f["shape"])})) for f in record["fields"]),
        "model": model_class(record["model"]["kind"]).from_state(parts["model"], record["model"]["settings"]),
        "mesh": mesh,
        "info": record["info"],
    }


def model_class(kind: str) -> Any:
    """The class of MODELS; InputError for a kind that there is not."""
    if kind not in MODELS:
        raise unknown("kind of solution", kind, MODELS)
    module, name = MODELS[kind].split(":")
    return getattr(importlib.import_module(module), name)
