#!/bin/bash
#SBATCH --job-name=mlpde
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --gres=gpu:1
#SBATCH --time=60
# One solution on one GPU, in the image of Dockerfile.cuda.
#   sbatch --partition=NAME containers/slurm/gpu.sh solve square_poisson --solver rfm --set device=cuda --out runs/gpu
set -eu
run=${MLPDE_RUN:-apptainer exec --nv mlpde-cuda.sif}
command -v "${run%% *}" >/dev/null || {
    echo "gpu.sh: there is no ${run%% *} here: load it (module load apptainer), or say by MLPDE_RUN how the container starts" >&2
    exit 2
}
$run sh -c 'command -v mlpde-entry' >/dev/null || {
    echo "gpu.sh: '$run' does not start a container with mlpde: build containers/mlpde.def, or correct MLPDE_RUN" >&2
    exit 2
}
$run mlpde-entry mlpde "$@"
