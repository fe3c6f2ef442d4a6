#!/bin/bash
#SBATCH --job-name=mlpde
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --time=60
#SBATCH --output=mlpde-%A_%a.log
# A sweep by as many jobs as the array has, in containers: each makes a part of the runs.  Then one job makes what is
# still missing, and the report; `singleton` lets it wait for the array.
#   sbatch --partition=NAME --array=0-11 containers/slurm/array.sh sweep.toml
#   sbatch --partition=NAME --dependency=singleton containers/slurm/node.sh sweep.toml
set -eu
part=$((${SLURM_ARRAY_TASK_ID:?submit with --array=0-11, or another number of jobs} - SLURM_ARRAY_TASK_MIN))
run=${MLPDE_RUN:-apptainer exec mlpde.sif}
$run sh -c 'command -v mlpde-entry' >/dev/null || {
    echo "array.sh: '$run' starts no container with mlpde: load the runtime (module load apptainer), build containers/mlpde.def, or set MLPDE_RUN" >&2
    exit 2
}
$run mlpde-entry mlpde sweep "$@" --part "$part/$SLURM_ARRAY_TASK_COUNT"
