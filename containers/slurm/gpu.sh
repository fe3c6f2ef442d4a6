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
$run sh -c 'command -v mlpde-entry' >/dev/null || {
    echo "gpu.sh: '$run' starts no container with mlpde: load the runtime (module load apptainer), make mlpde-cuda.sif as containers/Dockerfile.cuda says, or set MLPDE_RUN" >&2
    exit 2
}
$run mlpde-entry mlpde "$@"
