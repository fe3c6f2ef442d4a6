"""The job scripts name a container that is not there, or holds no mlpde, before they start anything."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[1] / "containers" / "slurm").glob("*.sh"))
WANTED = {"CASES": "square_poisson", "SOLVERS": "rfm", "SEEDS": "0", "SLURM_ARRAY_TASK_ID": "0"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
@pytest.mark.parametrize("start", ["no-such-runtime exec x.sif", "env"])
def test_what_is_missing_is_named(tmp_path, script, start):
    done = subprocess.run(
        ["bash", script, "sweep.toml"],
        env={"PATH": os.defpath, "MLPDE_RUN": start, **WANTED},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    *_, line = done.stderr.strip().splitlines()  # the shell's own words may be before
    assert line.startswith(f"{script.name}: '{start}' starts no container with mlpde: load the runtime")
