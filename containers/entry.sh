#!/bin/sh
# mlpde-entry COMMAND ...: a cache for this job, a look at the machine, then the command.
set -eu

# FFCx compiles each weak form, gmsh's meshes are kept: a folder of the job's own, since images are read-only and home
# folders slow and shared by jobs.
if [ -z "${XDG_CACHE_HOME-}" ]; then
    XDG_CACHE_HOME=${TMPDIR:-/tmp}/mlpde-$(id -u)-${SLURM_JOB_ID:-local}
    export XDG_CACHE_HOME
fi
mkdir -p -m 700 "$XDG_CACHE_HOME"
# What is in it will be run, so it must be ours.
[ -O "$XDG_CACHE_HOME" ] && [ -w "$XDG_CACHE_HOME" ] || {
    echo "mlpde-entry: the cache $XDG_CACHE_HOME belongs to somebody else: set XDG_CACHE_HOME to a folder of yours" >&2
    exit 2
}

export MPLCONFIGDIR="${MPLCONFIGDIR:-$XDG_CACHE_HOME/matplotlib}" # home may be read-only as well

# Ranks go on at once: only one program may join MPI in their place, and mlpde itself says if they are strangers.
if [ -z "${PMI_RANK-}${PMIX_RANK-}${OMPI_COMM_WORLD_RANK-}" ] && [ "${SLURM_STEP_NUM_TASKS:-1}" = 1 ]; then
    report=$(mlpde doctor --quick 2>&1) || {
        printf '%s\n' "$report" "mlpde-entry: something that mlpde needs is broken, see above" >&2
        exit 1
    }
fi
exec "$@"
