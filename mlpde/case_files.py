"""Cases by name or file: where they are, and how one is loaded."""

from __future__ import annotations

import ast
import difflib
import hashlib
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

from geometry.errors import GeometryError
from mlpde.errors import InputError, user_line
from mlpde.problem import Case


def folders() -> list[Path]:
    """Where names are looked up: ./cases, then the cases that were installed with mlpde."""
    installed = importlib.util.find_spec("cases")
    places = [Path("cases"), *map(Path, (installed and installed.submodule_search_locations) or ())]
    distinct = {place.resolve(): place for place in reversed(places) if place.is_dir()}
    return [place for place in places if place in distinct.values()]


def case_files() -> dict[str, Path]:
    """The files that define a case, by name; ./cases hides installed ones of the same name."""
    found: dict[str, Path] = {}
    for folder in folders():
        for path in sorted(folder.glob("*.py")):
            if _defines_case(path):
                found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def description(path: Path) -> str:
    """The first line of a case file's docstring; the file is not run."""
    try:
        return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
    except (SyntaxError, UnicodeDecodeError):
        return "(cannot be read as Python)"


def find(name: str) -> Path:
    """The file of a case given as a path or as a name; InputError with the names that come near."""
    path = Path(name)
    if path.is_file():
        return path
    known = case_files()
    if name in known:
        return known[name]
    close = difflib.get_close_matches(path.stem, known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(close)}?" if close else "`mlpde list` shows what there is"
    what = f"there is no file {name}" if path.suffix or len(path.parts) > 1 else f"there is no case {name!r}"
    raise InputError(f"{what}: {hint}")


def load(name: str) -> Case:
    """Run a case file and take its `case`.

    Raises InputError, with the file's own line, for whatever fails in it.
    """
    path = find(name)
    spec = importlib.util.spec_from_file_location(f"case_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is not a Python file: a case is a .py file with `case = Case(...)`")
    module = importlib.util.module_from_spec(spec)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    sys.path.insert(0, str(path.resolve().parent))  # so that a case may import the files beside it
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise InputError(
            f"{error.filename}:{error.lineno}: {error.msg}: {(error.text or '').strip()}"
        ) from error
    except (InputError, GeometryError) as error:
        raise InputError(f"{error} ({user_line(error) or path})") from error
    except (Exception, SystemExit) as error:
        raise InputError(f"{user_line(error) or path}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.resolve().parent))
    case = getattr(module, "case", None)
    if not isinstance(case, Case):
        given = "has no `case`" if case is None else f"has a `case` that is {type(case).__name__}"
        raise InputError(f'{path} {given}: a case file ends with case = Case("name", problem)')
    return replace(case, digest=digest)


def _defines_case(path: Path) -> bool:
    try:
        tree = ast.parse(path.read_text())
    except (SyntaxError, UnicodeDecodeError):
        return True  # listed, so that asking for it shows what is wrong
    targets = [t for node in tree.body if isinstance(node, ast.Assign) for t in node.targets]
    return any(isinstance(target, ast.Name) and target.id == "case" for target in targets)
