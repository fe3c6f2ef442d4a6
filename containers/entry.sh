#!/bin/sh
# mlpde-entry COMMAND ...: a cache for this job, a look at the machine, then the command.
set -eu
[ $# -gt 0 ] || set -- mlpde --help

# FFCx compiles each weak form, gmsh's meshes are kept: in a folder of the job's own, since images are read-only and home
# folders slow, unless XDG_CACHE_HOME names one, here or outside of Apptainer; jobs may share it.
# It stays after the job: a shell that waits to remove it would keep Slurm's TERM from the command.
if [ -z "${XDG_CACHE_HOME-}" ]; then
    XDG_CACHE_HOME=${TMPDIR:-/tmp}/mlpde-$(id -u)-${SLURM_JOB_ID:-local}
    export XDG_CACHE_HOME
fi
# What is in it will be run, so it must be ours.
mkdir -p -m 700 "$XDG_CACHE_HOME" 2>/dev/null || :
[ -O "$XDG_CACHE_HOME" ] && [ -w "$XDG_CACHE_HOME" ] || {
    echo "mlpde-entry: the cache $XDG_CACHE_HOME cannot be written, or is somebody else's: set XDG_CACHE_HOME to a folder of yours" >&2
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
