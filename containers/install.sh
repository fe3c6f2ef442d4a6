#!/bin/sh
# Inside an image of Debian 13: `install.sh dependencies FOLDER`, then `install.sh mlpde FOLDER`, where the source lies.
# Two steps, so that a change of mlpde alone does not fetch everything again.
set -eu
step=$1
source=$2

# The system's certificates, to which a site may have added its own.
export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt

dependencies() {
    # A C compiler and Python.h for FFCx; what gmsh's wheel links to; OpenGL in software for pictures of bodies.
    apt-get update --quiet=2
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --option Dpkg::Use-Pty=0 --no-install-recommends \
        ca-certificates gcc libc6-dev python3 python3-dev python3-venv \
        libegl1 libfontconfig1 libgl1 libgl1-mesa-dri libglu1-mesa libgomp1 \
        libxcursor1 libxfixes3 libxft2 libxinerama1 libxrender1
    rm -rf /var/lib/apt/lists/*
    python3 -m venv --without-pip /opt/mlpde
    python3 -m venv /opt/uv
    /opt/uv/bin/pip install --quiet --no-cache-dir uv==0.13.9
    install ${TORCH_BACKEND:+--torch-backend "$TORCH_BACKEND"} --constraints "$source/constraints.txt" \
        --requirements "$source/pyproject.toml"
}

mlpde() {
    install --no-deps "$source"
    cp "$source/entry.sh" /usr/local/bin/mlpde-entry
    chmod 755 /usr/local/bin/mlpde-entry
    rm -rf "$source"
}

install() { # compiled now: the image is read-only where it runs
    /opt/uv/bin/uv pip install --python /opt/mlpde/bin/python --no-cache --compile-bytecode "$@"
}

"$step"
