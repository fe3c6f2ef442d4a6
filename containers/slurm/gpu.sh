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
${MLPDE_RUN:-apptainer exec --nv mlpde-cuda.sif} mlpde-entry mlpde "$@"
