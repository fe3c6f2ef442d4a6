"""The job scripts name a container that is not there, or holds no mlpde, before they start anything."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[1] / "containers" / "slurm").glob("*.sh"))
ARRAY = {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_MIN": "4", "SLURM_ARRAY_TASK_COUNT": "3"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
@pytest.mark.parametrize("start", ["no-such-runtime exec x.sif", "env"])
def test_what_is_missing_is_named(tmp_path, script, start):
    done = subprocess.run(
        ["bash", script, "sweep.toml"],
        env={"PATH": os.defpath, "MLPDE_RUN": start, **ARRAY},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    *_, line = done.stderr.strip().splitlines()  # the shell's own words may be before
    assert line.startswith(f"{script.name}: '{start}' starts no container with mlpde: load the runtime")


def test_each_job_of_an_array_makes_its_part(tmp_path):
    script = next(path for path in SCRIPTS if path.name == "array.sh")
    start = tmp_path / "start"  # in place of the container: shows what it would run
    start.write_text('#!/bin/sh\n[ "$1" = sh ] || echo "$@"\n')
    start.chmod(0o755)

    def run(**more):
        environment = {"PATH": os.defpath, "MLPDE_RUN": str(start), **more}
        return subprocess.run(["bash", script, "sweep.toml"], env=environment, capture_output=True, text=True)

    assert run(**ARRAY).stdout == "mlpde-entry mlpde sweep sweep.toml --part 1/3\n"
    assert "submit with --array=0-11" in run().stderr


@pytest.fixture
def entry(tmp_path):
    """`entry(*arguments, **environment)` runs the containers' entry with a mlpde that only shows its arguments."""
    (tmp_path / "mlpde").write_text('#!/bin/sh\necho mlpde "$@"\n')
    (tmp_path / "mlpde").chmod(0o755)

    def run(*arguments, **more):
        environment = {"PATH": f"{tmp_path}:{os.defpath}", "TMPDIR": str(tmp_path), **more}
        script = SCRIPTS[0].parents[1] / "entry.sh"
        return subprocess.run(["sh", script, *arguments], env=environment, capture_output=True, text=True)

    return run


def test_the_entry_without_a_command_shows_the_help(entry):
    assert entry().stdout == "mlpde --help\n"


def test_the_entry_names_a_cache_that_cannot_be_made(entry, tmp_path):
    done = entry("mlpde", "list", XDG_CACHE_HOME=str(tmp_path / "mlpde" / "cache"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot be written, or is somebody else's: set XDG_CACHE_HOME" in done.stderr
    assert len(done.stderr.splitlines()) == 1
