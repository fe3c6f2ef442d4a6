"""Other packages to compare with, each in a virtual environment of its own, made when it is first needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(".venv-peers")


def python(package: str, *requirements: str) -> Path:
    """The Python of `.venv-peers/PACKAGE`, with the requirements installed."""
    target = FOLDER / package
    interpreter = target / "bin" / "python"
    done = target / ".installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(target)], check=True)
        subprocess.run(
            [
                sys.executable,
                "-m",
                "uv",
                "pip",
                "install",
                "--quiet",
                "--python",
                str(interpreter),
                *requirements,
            ],
            check=True,
        )
        done.touch()
    return interpreter
