#!/bin/sh
# Makes .venv with mlpde and its test tools in it; `make` calls it when pyproject.toml has changed.
set -eu
cd "$(dirname "$0")/.."
python=.venv/bin/python

# What the gmsh wheel links to, and what draws pictures without a screen.
libraries="libgl1 libglu1-mesa libxrender1 libxcursor1 libxft2 libxinerama1 libxfixes3 libgomp1 libegl1 libgl1-mesa-dri"

stop() {
    printf 'setup: %s\n' "$1" >&2
    exit 1
}

suitable() { # a Python that DOLFINx has wheels for; a pyenv shim may exist and still not run
    "$1" -c 'import sys; sys.exit(not (3, 12) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1
}

if ! suitable $python; then
    base=
    for candidate in python3.12 python3.13 python3 python; do
        if suitable "$candidate"; then
            base=$candidate
            break
        fi
    done
    [ -n "$base" ] || stop "no Python 3.12 or 3.13 found. Install one (your package manager, pyenv or conda) so that python3.12 runs."
    "$base" -m venv --clear .venv || stop "$base could not make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv"
fi

# DOLFINx compiles every weak form to C when it is first used.
command -v "${CC:-cc}" >/dev/null || command -v gcc >/dev/null ||
    stop "no C compiler found, and DOLFINx compiles weak forms. Install gcc (Debian and Ubuntu: apt-get install gcc libc6-dev)."
$python -c 'import pathlib, sys, sysconfig; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' ||
    stop "the header Python.h is missing, and DOLFINx compiles weak forms against it. Debian and Ubuntu: apt-get install python3-dev"

[ -x .venv/bin/uv ] || $python -m pip install --quiet uv
.venv/bin/uv pip install --python $python --editable '.[test]'

# gmsh is a wheel, but it opens shared libraries of the system when it is imported.
if ! missing=$($python -c 'import gmsh' 2>&1); then
    case $missing in
    *"cannot open shared object file"*) ;;
    *) stop "gmsh does not import: $missing" ;;
    esac
    install="apt-get install --yes --no-install-recommends --no-upgrade $libraries"
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
        stop "gmsh needs libraries of the system: ${missing##*Error: }. Debian and Ubuntu: sudo $install. Then run make again."
    apt-get update --quiet=2
    DEBIAN_FRONTEND=noninteractive $install
    $python -c 'import gmsh' || stop "gmsh still does not import (see above)."
fi
