#!/bin/bash
#SBATCH --job-name=mlpde
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --time=60
# A sweep on one node, as many runs at a time as the job has cores.  The same command again goes on where it stopped.
#   sbatch --partition=NAME containers/slurm/node.sh sweep.toml
# Where the container is not Apptainer's mlpde.sif here, MLPDE_RUN says how to start it.
set -eu
run=${MLPDE_RUN:-apptainer exec mlpde.sif}
$run sh -c 'command -v mlpde-entry' >/dev/null || {
    echo "node.sh: '$run' starts no container with mlpde: load the runtime (module load apptainer), build containers/mlpde.def, or set MLPDE_RUN" >&2
    exit 2
}
$run mlpde-entry mlpde sweep "$@" --workers "${SLURM_CPUS_PER_TASK:-1}"
