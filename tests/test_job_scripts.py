"""The job scripts name a container that is not there, or holds no mlpde, before they start anything."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[1] / "containers" / "slurm").glob("*.sh"))
WANTED = {"CASES": "square_poisson", "SOLVERS": "rfm", "SEEDS": "0", "SLURM_ARRAY_TASK_ID": "0"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        ("no-such-runtime exec x.sif", "there is no no-such-runtime here: load it"),
        ("env", "'env' does not start a container with mlpde: build"),
    ],
)
def test_what_is_missing_is_named(tmp_path, script, start, sentence):
    done = subprocess.run(
        ["bash", script, "sweep.toml"],
        env={"PATH": os.defpath, "MLPDE_RUN": start, **WANTED},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"{script.name}: ") and sentence in line
