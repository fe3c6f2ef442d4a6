#!/bin/bash
#SBATCH --job-name=mlpde
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=16
#SBATCH --time=60
# One solution on the cores of several nodes, one container a rank.  FEM and RFM work in parallel.
#   sbatch --partition=NAME containers/slurm/mpi.sh solve bracket_3d --solver fem --out runs/bracket
# pmi2 is what MPICH in the container and Slurm have in common; mlpde stops if its ranks do not find each other.
set -eu
run=${MLPDE_RUN:-apptainer exec mlpde.sif}
$run sh -c 'command -v mlpde-entry' >/dev/null || {
    echo "mpi.sh: '$run' starts no container with mlpde: load the runtime (module load apptainer), build containers/mlpde.def, or set MLPDE_RUN" >&2
    exit 2
}
srun --mpi=pmi2 $run mlpde-entry mlpde "$@"
